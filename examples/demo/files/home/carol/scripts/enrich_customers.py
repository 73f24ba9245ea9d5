"""Has an AI service guess the industry of each customer; Carol's own idea, with her own account."""

import csv
import json
import urllib.request

with open("/srv/marketing/customers.csv", newline="") as file:
    customers = list(csv.DictReader(file))
for start in range(0, len(customers), 50):
    part = json.dumps(customers[start : start + 50])
    request = urllib.request.Request(
        "https://api.openai.com/v1/chat/completions",
        json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": part}]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        reply = json.load(answer)["choices"][0]["message"]["content"]
with open("/home/carol/industries.txt", "w") as file:
    file.write(reply)
