"""Sorts support tickets with the company's own model, which speaks OpenAI's protocol."""

import json
import os
import urllib.request

base = os.environ["OPENAI_BASE_URL"]
with open("/srv/datascience/tickets.json") as file:
    tickets = json.load(file)
request = urllib.request.Request(
    base + "/chat/completions",
    json.dumps(
        {"model": "meridian-8b", "messages": [{"role": "user", "content": "\n".join(tickets)}]}
    ).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["choices"][0]["message"]["content"])
