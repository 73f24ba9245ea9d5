"""Compares our prices with a public feed."""

import csv
import io
import urllib.request

with urllib.request.urlopen("https://feed.prices.example.net/today.csv") as answer:
    theirs = {row["item"]: float(row["price"]) for row in csv.DictReader(io.TextIOWrapper(answer))}
with open("/srv/marketing/prices.csv", newline="") as file:
    ours = {row["item"]: float(row["price"]) for row in csv.DictReader(file)}
print({item: round(ours[item] - theirs[item], 2) for item in ours.keys() & theirs.keys()})
