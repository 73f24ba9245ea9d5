"""Logs a line again and again, to nowhere: three to five events each, none kept."""

import logging

import timing

COUNT = 5_000


class Nowhere:
    def write(self, text):
        pass

    def flush(self):
        pass


logging.basicConfig(stream=Nowhere(), level=logging.INFO, format="%(asctime)s %(message)s")


def work():
    for number in range(COUNT):
        logging.info("line %d", number)


timing.best(COUNT, work)
