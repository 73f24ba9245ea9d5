"""Events while an exception is on its way."""

import gc
import os
import sys
import weakref


def event(name):
    try:
        open("/nowhere/" + name)
    except OSError:
        print(name, sys.exc_info()[0].__name__)
    sys.audit("open", "\ud800", None, None)
    sys.audit("os.rename", object(), 1.5)


class Closes:
    def __del__(self):
        event("del")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        event("exit")

    def close(self):
        event("close")


def generator():
    try:
        yield Closes()
    finally:
        event("finally")


def raises():
    local = Closes()
    weakref.finalize(local, event, "finalize")
    with Closes():
        for _ in generator():
            raise LookupError("still on its way")


try:
    raises()
except LookupError as error:
    print(repr(error), repr(error.__context__))
gc.collect()
try:
    os.mkdir(b"\0")
except ValueError as error:
    print(error, error.__context__)
next(generator())
