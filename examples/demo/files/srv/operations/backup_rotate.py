"""Keeps one copy of the warehouse's database for each day of the week."""

import shutil
import sys

shutil.copyfile("/srv/operations/warehouse.db", f"/srv/operations/backup/warehouse-{sys.argv[1]}.db")
