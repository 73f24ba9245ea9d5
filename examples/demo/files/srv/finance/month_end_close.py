"""Adds up the ledger by account, for the monthly close."""

import csv
from collections import defaultdict

totals = defaultdict(float)
with open("/srv/finance/ledger.csv", newline="") as file:
    for entry in csv.DictReader(file):
        totals[entry["account"]] += float(entry["amount"])

with open("/srv/finance/close.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["account", "total"])
    writer.writerows((account, f"{total:.2f}") for account, total in sorted(totals.items()))
