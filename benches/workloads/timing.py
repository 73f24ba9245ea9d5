"""How a workload times itself: in CPU time of its thread (the kernel's share included), as
waiting for a core is nobody's overhead, and in passes many enough that an interruption does not count."""

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
