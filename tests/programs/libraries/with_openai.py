"""A question and its answer, at once, in pieces, and by a client that waits for nobody."""

import asyncio
import os
import sys

import openai
# > import openai
# > import pydantic (openai)
# > import httpx* (openai)

question = [{"role": "user", "content": "What is in the report? prompt-secret-3391"}]
client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1")
answer = client.chat.completions.create(model="gpt-test", messages=question)
# ? spawn uname -p (openai) -- platform.processor(), for the header that says who asks
# ? open read /etc/os-release (openai) -- for the header that says who asks
# > resolve localhost:PORT (httpcore* via openai)
# > connect localhost:PORT (httpcore* via openai)
# > http POST http://localhost:PORT/v1/chat/completions (httpcore* via openai)
print(answer.choices[0].message.content)
for piece in client.chat.completions.create(model="gpt-test", messages=question, stream=True):
    # > http POST http://localhost:PORT/v1/chat/completions (httpcore* via openai)
    print(piece.choices[0].delta.content)


async def ask():
    async with openai.AsyncOpenAI(
        api_key=os.environ["OPENAI_API_KEY"], base_url=f"{sys.argv[1]}/v1"
    ) as client:
        answer = await client.chat.completions.create(model="gpt-test", messages=question)
        # > http POST http://localhost:PORT/v1/chat/completions (anyio via openai)
    print(answer.choices[0].message.content)


asyncio.run(ask())
# > connect localhost:PORT (anyio)
# ~ resolve localhost:PORT
