"""Writes the labels that the warehouse prints."""

import csv
from pathlib import Path

with open("/srv/operations/stock.csv", newline="") as file:
    labels = [f"{row['item']:<20}{row['shelf']}" for row in csv.DictReader(file)]
Path("/srv/operations/labels.txt").write_text("\n".join(labels))
