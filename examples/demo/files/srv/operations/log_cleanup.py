"""Makes yesterday's log small."""

import gzip
import shutil
import sys

name = f"/srv/operations/logs/{sys.argv[1]}.log"
with open(name, "rb") as plain, gzip.open(name + ".gz", "wb") as packed:
    shutil.copyfileobj(plain, packed)
