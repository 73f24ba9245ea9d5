"""Lists what has to be ordered."""

import csv

with open("/srv/operations/stock.csv", newline="") as file:
    low = [row["item"] for row in csv.DictReader(file) if int(row["pieces"]) < 20]
with open("/srv/operations/to_order.txt", "w") as file:
    file.write("\n".join(low))
