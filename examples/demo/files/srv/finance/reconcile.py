"""Holds the bank's statement against the ledger, in a small database."""

import csv
import sqlite3

with open("/srv/finance/statement.csv", newline="") as file:
    rows = [(row["reference"], float(row["amount"])) for row in csv.DictReader(file)]
database = sqlite3.connect("/srv/finance/reconcile.db")
with database:
    database.execute("create table if not exists statement (reference primary key, amount)")
    database.executemany("insert or replace into statement values (?, ?)", rows)
print(database.execute("select count(*), sum(amount) from statement").fetchone())
