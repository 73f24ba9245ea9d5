"""Opens many paths, each once: a first-time record each. By `event` or `open`, `absolute` or `relative`.

`event` raises the event that `open` raises and opens nothing: opening costs some 3 us and varies by more
than a record costs.
"""

import sys

import timing

start = "/srv/nothing/here/" if sys.argv[2] == "absolute" else "nothing/here/"
count = int(sys.argv[3])
paths = [f"{start}{number % 50:02}/report-{number:06}.csv" for number in range(count)]


def work_event(paths, audit=sys.audit):
    for path in paths:
        audit("open", path, "r", 524288)


def work_open(paths):
    for path in paths:
        try:
            open(path)
        except OSError:
            pass


timing.typical(paths, work_event if sys.argv[1] == "event" else work_open, records=count)
