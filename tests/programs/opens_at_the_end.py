"""Opens files while the interpreter is taken apart."""

import io
import os
import sys
import tempfile


class Opens:
    def __init__(self, name, open=open, write=os.write):
        self.name, self.open, self.write = name, open, write

    def __del__(self):
        try:
            self.open("/dev/null").close()
            self.open("/nowhere/" + self.name)
        except BaseException as error:
            self.write(1, ("%s: %s\n" % (self.name, type(error).__name__)).encode())


kept = Opens("global")
sys.kept = Opens("sys")
cycle = Opens("cycle")
cycle.itself = cycle
in_module = tempfile
in_module.kept = Opens("module")


def generator():
    local = Opens("generator")
    try:
        yield
    finally:
        io.open("/dev/null").close()
        os.write(1, b"generator closed\n")


running = generator()
next(running)
