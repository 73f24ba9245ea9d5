"""Copies a small structure deeply again and again: some fifteen events each, none kept."""

import copy

import timing

COUNT = 5_000
thing = {"a": [1, 2, 3], "b": {"c": (1, [2])}}


def work():
    for _ in range(COUNT):
        copy.deepcopy(thing)


timing.best(COUNT, work)
