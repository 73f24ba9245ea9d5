"""Has reminders worded by the AI service that the company has a contract with."""

import csv
import json
import urllib.request

with open("/srv/finance/open_invoices.csv", newline="") as file:
    overdue = [row for row in csv.DictReader(file) if int(row["days"]) > 30]
prompt = "Word a friendly reminder for each of these invoices:\n" + json.dumps(overdue)
request = urllib.request.Request(
    "https://api.anthropic.com/v1/messages",
    json.dumps({"model": "claude", "messages": [{"role": "user", "content": prompt}]}).encode(),
    {"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as answer:
    text = json.load(answer)["content"][0]["text"]
with open("/srv/finance/reminders.txt", "w") as file:
    file.write(text)
