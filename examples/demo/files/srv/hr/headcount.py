"""Staff by department, for the monthly letter."""

import csv
from collections import Counter

with open("/srv/hr/staff.csv", newline="") as file:
    departments = Counter(row["department"] for row in csv.DictReader(file))
with open("/srv/hr/headcount.csv", "w", newline="") as file:
    csv.writer(file).writerows(sorted(departments.items()))
