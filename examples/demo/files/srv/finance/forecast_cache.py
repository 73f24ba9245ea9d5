"""Keeps a forecast between runs as a pickle."""

import pickle
from pathlib import Path


class Forecast:
    def __init__(self, months):
        self.months = months


cache = Path("/srv/finance/forecast.pickle")
cache.write_bytes(pickle.dumps(Forecast([1.0, 1.1, 1.3])))
print(pickle.loads(cache.read_bytes()).months)
