"""The quarter's VAT by rate."""

import csv
from collections import Counter

totals = Counter()
with open("/srv/finance/sales.csv", newline="") as file:
    for sale in csv.DictReader(file):
        totals[sale["rate"]] += round(float(sale["net"]) * float(sale["rate"]) / 100, 2)
for rate, tax in sorted(totals.items()):
    print(f"{rate:>3} %  {tax:12.2f}")
