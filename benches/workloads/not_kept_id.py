"""`id()`: raises `builtins.id`, the event raised most: two of three events of `import pandas` are it."""

import timing

COUNT = 100_000


def work():
    for _ in range(COUNT // 10):
        id(0), id(0), id(0), id(0), id(0), id(0), id(0), id(0), id(0), id(0)


timing.best(COUNT, work)
