"""Clicks and orders by campaign."""

import csv
import statistics

with open("/srv/marketing/clicks.csv", newline="") as file:
    clicks = [int(row["clicks"]) for row in csv.DictReader(file)]
with open("/srv/marketing/campaigns.txt", "w") as file:
    print(f"mean {statistics.mean(clicks):.1f}, median {statistics.median(clicks)}", file=file)
