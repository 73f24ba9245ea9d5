"""Gathers the expense sheets that colleagues put into the folder."""

import csv
import json
from pathlib import Path

sheets = sorted(Path("/srv/finance/expenses").glob("*.csv"))
entries = []
for sheet in sheets:
    with sheet.open(newline="") as file:
        entries += csv.DictReader(file)
Path("/srv/finance/expenses.json").write_text(json.dumps(entries, indent=1))
