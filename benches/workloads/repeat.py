"""Opens one path again and again: one record, and a counter. `event` or `open`, `absolute` or `relative`."""

import sys

import timing

COUNT = 10_000
path = "/srv/nothing/here/report.csv" if sys.argv[2] == "absolute" else "nothing/here/report.csv"


def work_event(audit=sys.audit):
    for _ in range(COUNT):
        audit("open", path, "r", 524288)


def work_open():
    for _ in range(COUNT):
        try:
            open(path)
        except OSError:
            pass


timing.best(COUNT, work_event if sys.argv[1] == "event" else work_open, records=1)
