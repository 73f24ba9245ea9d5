"""What an analyst does: read, join, group, ask, write; from files, a URL and a database."""

import sqlite3
import sys

import pandas as pd
# > import pandas
# > import numpy (pandas)
# > import dateutil (pandas)
# ? open read /usr/share/zoneinfo/UTC (python_dateutil via pandas) -- where the machine has it

orders = pd.read_csv("orders.csv")
# ? open read /sys/fs/cgroup/cpu.max (pandas) -- how many processors it may use
# ? open read /sys/fs/cgroup/cpu/cpu.cfs_quota_us (pandas) -- how many processors it may use
# ? open read /sys/fs/cgroup/cpu/cpu.cfs_period_us (pandas) -- how many processors it may use
# > open read orders.csv (pandas)
rates = pd.read_json(f"{sys.argv[1]}/rates.json")
# > http GET http://localhost:PORT/rates.json (pandas)
# > resolve localhost:PORT (pandas)
# > connect localhost:PORT (pandas)
joined = orders.merge(rates, on="currency")
joined["euros"] = joined["amount"] * joined["rate"]
print(joined.groupby("currency")["euros"].sum().to_dict())
print(len(joined.query("euros > 1")), joined.eval("euros / 2").sum())
joined.to_csv("joined.csv", index=False)
# > open write+create joined.csv (pandas)
joined.to_json("joined.json")
# > open write+create joined.json (pandas)
joined.to_pickle("joined.pickle")
# > open write+create joined.pickle (pandas)
print(len(pd.read_pickle("joined.pickle")))
# > open read joined.pickle (pandas)
with sqlite3.connect("orders.db") as database:
    # > database connect orders.db
    # ? open read+write+create orders.db -- SQLite opens it when it is used
    joined.to_sql("orders", database, index=False)
    # ? open read+write+create orders.db (pandas)
    # ? open read+write+create orders.db-journal (pandas) -- and what SQLite does beside it
    # ? open read $PLACE/cwd (pandas)
    # ? delete orders.db-journal (pandas)
    print(len(pd.read_sql("SELECT * FROM orders", database)))
database.close()
joined.to_excel("joined.xlsx", index=False)
# > import openpyxl (pandas)
# ? open read /etc/mime.types (openpyxl via pandas) -- the types that this machine knows
# > open write+create joined.xlsx (pandas)
# > open write+create $TMP/* (openpyxl via pandas)
# > delete $TMP/* (openpyxl via pandas)
# > open write+create $TMP/openpyxl.* (openpyxl via pandas)
# > open write+create $TMP/openpyxl.* (* via pandas)
# > open read $TMP/openpyxl.* (openpyxl via pandas)
# > delete $TMP/openpyxl.* (openpyxl via pandas)
print(len(pd.read_excel("joined.xlsx")))
# > open read joined.xlsx (pandas)
