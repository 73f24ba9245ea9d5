"""Opens and closes a thousand files that are there, a hundred times each."""

from pathlib import Path

import timing

paths = [str(Path.cwd() / f"data-{number:04}.csv") for number in range(1000)]
for path in paths:
    Path(path).touch()


def work(paths):
    for path in paths:
        open(path).close()


timing.typical(paths * 100, work, records=len(paths))
