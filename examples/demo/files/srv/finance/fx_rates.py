"""Fetches the day's exchange rates from the company's own service."""

import urllib.request

with urllib.request.urlopen("https://rates.meridian.example/daily.json") as answer:
    rates = answer.read()
with open("/srv/finance/rates.json", "wb") as file:
    file.write(rates)
