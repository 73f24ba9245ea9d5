"""Raises events that policies speak of: `open`, `allowed` (an open that a rule allows), `resolve`, `connect`, `import`;
`repeat` or `first`, and how many. Nothing is opened, asked for or loaded: what is told is all that costs.
"""

import socket
import sys

import timing

kind, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
end = socket.socket()

EVENTS = {
    "open": lambda n: ("open", f"/srv/nothing/here/{n % 50:02}/report-{n:06}.csv", "r", 524288),
    "allowed": lambda n: ("open", f"/srv/allowed/here/{n % 50:02}/report-{n:06}.csv", "r", 524288),
    "resolve": lambda n: ("socket.getaddrinfo", f"host-{n}.somewhere.example.org", 443, 0, 0, 0),
    "connect": lambda n: ("socket.connect", end, (f"172.20.{n // 250 % 250}.{n % 250}", 443)),
    "import": lambda n: ("import", f"package_{n % 50}.module_{n}", f"/srv/lib/package_{n % 50}/m{n}.so"),
}


def work_first(events, audit=sys.audit):
    for event in events:
        audit(*event)


def work_repeat(event=EVENTS[kind](0), audit=sys.audit):
    for _ in range(count):
        audit(*event)


if mode == "first":
    # Imports are counted under their package, of which there are fifty.
    timing.typical([EVENTS[kind](n) for n in range(count)], work_first, records=50)
else:
    timing.best(count, work_repeat, records=1)
