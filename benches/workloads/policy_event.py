"""Raises events that policies may speak of, and does nothing of what they say: kind, mode, how many.

Kinds: `open`; `allowed`, by a rule; `nowhere`, in a folder that is not there; `resolve`, `connect`, `import`.
Modes: `first`, all different; `repeat`, one again and again; `again`, the same but not timed, for callgrind.
"""

import os
import socket
import sys

import timing

kind, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
end = socket.socket()
here = os.getcwd()
for number in range(50):
    os.makedirs(f"{here}/{number:02}", exist_ok=True)

EVENTS = {
    "open": lambda n: ("open", f"{here}/{n % 50:02}/report-{n:06}.csv", "r", 524288),
    "allowed": lambda n: ("open", f"{here}/{n % 50:02}/report-{n:06}.allowed", "r", 524288),
    "nowhere": lambda n: ("open", f"/srv/nothing/here/{n % 50:02}/report-{n:06}.csv", "r", 524288),
    "resolve": lambda n: ("socket.getaddrinfo", f"host-{n}.somewhere.example.org", 443, 0, 0, 0),
    "connect": lambda n: ("socket.connect", end, (f"172.20.{n // 250 % 250}.{n % 250}", 443)),
    "import": lambda n: ("import", f"package_{n % 50}.module_{n}", f"/srv/lib/package_{n % 50}/m{n}.so"),
}


def work_first(events, audit=sys.audit):
    for event in events:
        audit(*event)


def work_repeat(audit=sys.audit):
    event = EVENTS[kind](0)
    for _ in range(count):
        audit(*event)


if mode == "first":
    if kind in ("open", "allowed"):  # what the `open` that follows in a program would look up
        for n in range(count):
            os.path.lexists(EVENTS[kind](n)[1])
    # Imports are counted under their package, of which there are fifty.
    timing.typical([EVENTS[kind](n) for n in range(count)], work_first, records=50)
elif mode == "again":
    work_repeat()
    timing.report(0, records=1)
else:
    timing.best(count, work_repeat, records=1)
