"""Raises an event ten frames below the user's code, all of them the standard library's. `first` or `repeat`.

The frames between are of generated code under a file name below the standard library, so that nothing else
runs in them.
"""

import os
import sys

import timing

DEPTH = 10
library = os.path.join(os.path.dirname(os.__file__), "made_for_this_bench.py")
lines = ["def level_0(audit, path): audit('open', path, 'r', 524288)"]
lines += [f"def level_{level}(audit, path): level_{level - 1}(audit, path)" for level in range(1, DEPTH)]
names: dict[str, object] = {}
exec(compile("\n".join(lines), library, "exec"), names)
call = names[f"level_{DEPTH - 1}"]
count = int(sys.argv[2])


def work_first(paths, audit=sys.audit):
    for path in paths:
        call(audit, path)


def work_repeat(audit=sys.audit):
    for _ in range(count):
        call(audit, "/srv/nothing/here/report.csv")


if sys.argv[1] == "first":
    paths = [f"/srv/nothing/here/{number % 50:02}/report-{number:06}.csv" for number in range(count)]
    timing.typical(paths, work_first, records=count)
else:
    timing.best(count, work_repeat, records=1)
