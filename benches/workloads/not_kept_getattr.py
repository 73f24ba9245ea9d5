"""Reads `__code__` of a function: raises `object.__getattr__`."""

import timing

COUNT = 100_000


def work():
    function = work
    for _ in range(COUNT // 10):
        function.__code__, function.__code__, function.__code__, function.__code__, function.__code__
        function.__code__, function.__code__, function.__code__, function.__code__, function.__code__


timing.best(COUNT, work)
