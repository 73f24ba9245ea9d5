"""Opens and closes files that are there, 100,000 times: a thousand of them, or as many as it is told."""

import sys
from pathlib import Path

import timing

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
paths = [str(Path.cwd() / f"data-{number:04}.csv") for number in range(count)]
for path in paths:
    Path(path).touch()


def work(paths):
    for path in paths:
        open(path).close()


timing.typical(paths * (100_000 // count), work, records=len(paths))
