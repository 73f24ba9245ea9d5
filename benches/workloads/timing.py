"""How a workload times itself: by the CPU time of its thread, in many passes.

The kernel's share is in it; waiting for a core is not, as that is nobody's overhead.
"""

import json
from statistics import median
from time import thread_time_ns


def report(nanoseconds, records=0):
    """`records` is how many of the operations gnomon has to have kept for the time to mean something."""
    print(json.dumps({"ns": nanoseconds, "records": records}))


def best(operations, work, passes=15, records=0):
    """Calls `work()`, which does `operations` operations, and reports the fastest pass."""
    report(min(timed(work) for _ in range(passes)) / operations, records)


def typical(items, work, size=500, records=0):
    """Calls `work(chunk)` for chunks of `items` in turn, and reports the median chunk."""
    chunks = [items[at : at + size] for at in range(0, len(items), size)]
    report(median(timed(work, chunk) for chunk in chunks) / size, records)


def timed(work, *arguments):
    start = thread_time_ns()
    work(*arguments)
    return thread_time_ns() - start
