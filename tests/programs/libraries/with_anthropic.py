"""A message and its answer, by a client and by one that waits for nobody."""

import asyncio
import os
import sys

import anthropic
# > import anthropic
# > import pydantic (anthropic)
# > import httpx* (anthropic)

question = [{"role": "user", "content": "What is in the report? prompt-secret-3391"}]
client = anthropic.Anthropic(base_url=sys.argv[1])
# ? open read ~/.config/anthropic/active_config (anthropic) -- its own settings, since 2.0
answer = client.messages.create(model="claude-test", max_tokens=100, messages=question)
# > resolve localhost:PORT (httpcore* via anthropic)
# > connect localhost:PORT (httpcore* via anthropic)
# > http POST http://localhost:PORT/v1/messages (httpcore* via anthropic)
print(answer.content[0].text)


async def ask():
    async with anthropic.AsyncAnthropic(
        api_key=os.environ["ANTHROPIC_API_KEY"], base_url=sys.argv[1]
    ) as client:
        answer = await client.messages.create(model="claude-test", max_tokens=100, messages=question)
        # > http POST http://localhost:PORT/v1/messages (anyio via anthropic)
    print(answer.content[0].text)


asyncio.run(ask())
# > connect localhost:PORT (anyio)
# ~ resolve localhost:PORT
