"""What every program does, with nothing in it that a record of code, tampering or native calls should tell."""

import argparse
import collections
import contextlib
import copy
import csv
import ctypes
import dataclasses
import datetime
import decimal
import enum
import functools
import inspect
import io
import json
import logging
import logging.config
import pickle
import random
import re
import sqlite3
import string
import tempfile
import textwrap
import threading
import traceback
import typing
import unittest
import uuid
import warnings
import zipfile


@dataclasses.dataclass(order=True, frozen=True)
class Point:
    x: "int" = 1
    y: typing.Optional["int"] = None


class Named(typing.NamedTuple):
    a: "int"


class Colour(enum.Enum):
    RED = 1


class Test(unittest.TestCase):
    def test(self):
        self.assertEqual(Point(), copy.deepcopy(Point()))


@functools.lru_cache(maxsize=None)
def cached(value: int) -> int:
    return value


collections.namedtuple("Pair", "a b")(1, 2)
typing.get_type_hints(Point)
typing.get_type_hints(Named)
inspect.signature(cached)
cached(1)
json.loads(json.dumps({"a": [1]}))
re.compile(r"a+(?P<b>\d)").match("aa1")
string.Template("$a").substitute(a=1)
textwrap.dedent("  x")
argparse.ArgumentParser().parse_args([])
logging.config.dictConfig({"version": 1, "handlers": {"null": {"class": "logging.NullHandler"}}})
logging.getLogger("x").warning("a warning")
csv.writer(io.StringIO()).writerow([1, datetime.date.today(), decimal.Decimal(1), uuid.uuid4()])
random.random()
sqlite3.connect(":memory:").execute("select 1")
pickle.loads(pickle.dumps({"a": datetime.datetime.now()}))
ctypes.c_int(1)
with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(f"{folder}/x.zip", "w") as archive:
    archive.writestr("a", "b")
with tempfile.NamedTemporaryFile(), tempfile.TemporaryFile():
    pass
thread = threading.Thread(target=cached, args=(2,))
thread.start()
thread.join()
with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
    warnings.warn("something", stacklevel=1)
try:
    json.loads("{")
except ValueError:
    traceback.format_exc()
unittest.main(argv=["x"], exit=False, testRunner=unittest.TextTestRunner(stream=io.StringIO()))
