"""Opens a file by the C library where Python is not at home: prints what came of it."""

import atexit
import ctypes
import json
import os
import signal
import sys
import threading

from functions_of_c import LIBRARY, answer, refused

FILE = sys.argv[2]


def forked():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, refused("open", FILE, os.O_RDONLY).encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def forked_twice():
    reader, writer = os.pipe()
    if os.fork() == 0:
        refused("open", FILE, os.O_RDONLY)
        if os.fork() == 0:
            os.write(writer, refused("open", FILE, os.O_RDONLY).encode())
            os._exit(0)
        os.wait()
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def forked_by_c():
    """A child that neither Python nor its hooks know of."""
    reader, writer = os.pipe()
    if answer("fork")[0] == 0:
        os.write(writer, refused("open", FILE, os.O_RDONLY).encode())
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def in_a_signal():
    found = []
    signal.signal(signal.SIGUSR1, lambda *_: found.append(refused("open", FILE, os.O_RDONLY)))
    os.kill(os.getpid(), signal.SIGUSR1)
    while not found:
        pass
    return found[0]


def sorted_by_callback():
    """C that calls Python that calls C."""
    found = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    def compare(*_):
        found.append(refused("open", FILE, os.O_RDONLY))
        return 0

    numbers = (ctypes.c_int * 2)(2, 1)
    LIBRARY.qsort(numbers, 2, 4, compare)
    return found[0]


def in_a_thread_of_c():
    """A thread that Python never hears of, with a function that the C library itself calls."""
    thread = ctypes.c_ulong()
    path = ctypes.create_string_buffer(os.fsencode(FILE))
    assert answer("pthread_create", ctypes.byref(thread), None, LIBRARY.unlink, path)[0] == 0
    assert answer("pthread_join", thread, None)[0] == 0
    return not os.path.exists(FILE)


def many():
    """From eight threads at once, with other denials by Python between."""
    wrong = []

    def often():
        for number in range(1000):
            found = refused("open", FILE, os.O_RDONLY)
            if found != "refused":
                wrong.append(found)
            if number % 10 == 0:
                try:
                    open(FILE)
                    wrong.append("opened")
                except PermissionError:
                    pass

    threads = [threading.Thread(target=often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def at_the_end():
    atexit.register(lambda: print(refused("open", FILE, os.O_RDONLY), flush=True))
    return "registered"


class AtTheVeryEnd:
    """What is left of a module is taken down last."""

    def __init__(self):
        self.function = LIBRARY.open
        self.path = os.fsencode(FILE)
        self.write = os.write

    def __del__(self):
        result = self.function(self.path, 0)
        self.write(1, b"refused\n" if result == -1 else b"opened\n")


def at_the_very_end():
    sys.modules["left"] = AtTheVeryEnd()
    return "kept"


def daemon():
    """A thread that goes on while the interpreter ends."""
    begun = threading.Event()

    def on_and_on():
        while True:
            if refused("open", FILE, os.O_RDONLY) != "refused":
                os.write(1, b"opened\n")
            begun.set()

    threading.Thread(target=on_and_on, daemon=True).start()
    begun.wait()
    return "begun"


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()), flush=True)
