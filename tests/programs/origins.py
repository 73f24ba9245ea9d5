"""Opens a file in many ways, and prints where it did: a line of JSON for each."""

import asyncio
import functools
import json
import os
import socket
import sys
import threading


def here(path, distribution=None, via=None, up=1, file=None, function=None):
    """Says that the caller opens `path` on this very line."""
    frame = sys._getframe(up)
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    print(json.dumps([path, file or __file__, frame.f_lineno, function or name, distribution, via]))
    return path


class Report:
    def load(self):
        open(here("/in/a/method"), "ab", opener=closed)

    @property
    def lazy(self):
        return opened(here("/in/a/property"))


def closed(path, flags):
    """Opens nothing: the event is there before this is called."""
    return os.open("/dev/null", os.O_RDONLY)


def opened(path):
    # A function of the user's own is the user's code, too: it is the origin, and not its caller.
    return path


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@decorated
@functools.lru_cache
def in_a_decorated_function():
    open(here("/in/a/decorated"), opener=closed)


def generator():
    yield
    open(here("/in/a/generator"), opener=closed)
    yield


def recursive(depth):
    if depth:
        return recursive(depth - 1)
    return open(here("/in/recursion"), opener=closed)


def in_one_long_line():
    first, second = (
        open(here("/first/of/two"), opener=closed),
        open(here("/second/of/two"), opener=closed),
    )
    return first, second


def by_libraries():
    import outer

    outer.read(here("/by/two/libraries", "Inner_Thing", "outer"))
    import inner

    inner.read(here("/by/one/library", "Inner_Thing"))
    for number in range(20):
        # A call that happens often is specialised, and leaves a frame of CPython's own.
        inner.Reader(here(f"/by/a/class/{number}", "Inner_Thing"))

    outer.calls_back(lambda: open(here("/by/a/callback"), opener=closed))


def by_the_standard_library():
    import configparser
    import pathlib

    configparser.ConfigParser().read(here("/by/the/standard/library"))

    try:
        pathlib.Path(here("/by/pathlib")).read_text()
    except OSError:
        pass


def by_generated_code():
    names = {"closed": closed}
    exec(f"\n\nopen({here('/by/generated/code')!r}, opener=closed)", names)
    eval(f"open({here('/by/eval')!r}, opener=closed)", names)


def in_a_thread():
    thread = threading.Thread(target=lambda: open(here("/in/a/thread"), opener=closed))
    thread.start()
    thread.join()


async def awaits():
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", int(here(f"127.0.0.1:{port}").partition(":")[2]))
    writer.close()
    server.close()


def one_code_after_another():
    # Code and file names that take the place of others at the same address.
    for number in range(300):
        path = f"/made/up/{number % 7}/script.py"
        lines = "\n" * (number % 5)
        source = f"{lines}open('/by/script/{number}', opener=closed)"
        exec(compile(source, path, "exec"), {"closed": closed})
        print(json.dumps([f"/by/script/{number}", path, number % 5 + 1, "<module>", None, None]))


Report().load()
in_a_decorated_function()
steps = generator()
next(steps)
next(steps)
recursive(200)
in_one_long_line()
by_libraries()
by_the_standard_library()
by_generated_code()
in_a_thread()
asyncio.run(awaits())
one_code_after_another()
[open(here("/in/a/comprehension"), opener=closed) for _ in range(3)]
open(here("/at/top/level"), opener=closed)
