"""Copies the inventory into the accounts; nobody remembers who asked for it."""

import csv
import urllib.request

with open("/srv/operations/stock.csv", newline="") as file:
    pieces = sum(int(row["pieces"]) for row in csv.DictReader(file))
request = urllib.request.Request("https://erp.meridian.example/inventory", str(pieces).encode())
urllib.request.urlopen(request).close()
