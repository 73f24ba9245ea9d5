"""Asks for the origin of calls of a native function, which has let go of the GIL, and prints what it is told.

A line of JSON for each: a path, the origin that the function found, and the one that is right. The path is then
opened on the same line, which the audit hook sees.
"""

import asyncio
import ctypes
import functools
import json
import os
import sys
import threading

SIZE = 1 << 16
buffer = ctypes.create_string_buffer(SIZE)
library = ctypes.CDLL(os.environ["LIBRARY"])
asked = library.gnomon_origin_probe
asked.argtypes, asked.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_ssize_t
asked_with_gil = ctypes.PyDLL(os.environ["LIBRARY"]).gnomon_origin_probe
asked_with_gil.argtypes, asked_with_gil.restype = asked.argtypes, asked.restype
ctypes.PyDLL(os.environ["LIBRARY"]).gnomon_end_probe()


def told(length):
    """What the call wrote: file, line, function, distribution, via."""
    if length < 0:
        return None
    file, line, function, distribution, via, _ = ctypes.string_at(buffer, length).split(b"\0")
    return [
        os.fsdecode(file),
        int(line),
        function.decode(),
        distribution.decode() or None,
        via.decode() or None,
    ]


def said(length, path, distribution=None, via=None):
    """Says what the call on the caller's line was told."""
    frame = sys._getframe(1)
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    right = [frame.f_code.co_filename, frame.f_lineno, name, distribution, via]
    print(json.dumps([path, told(length), right]), flush=True)
    return path


def closed(path, flags):
    """Opens nothing: the event is there before this is called."""
    return os.open("/dev/null", os.O_RDONLY)


class Report:
    def load(self):
        open(said(asked(buffer, SIZE), "/in/a/method"), opener=closed)
        open(said(asked_with_gil(buffer, SIZE), "/with/the/gil"), opener=closed)

    class Inner:
        open(said(asked(buffer, SIZE), "/in/a/class"), opener=closed)

    def été_Жук(self):
        open(said(asked(buffer, SIZE), "/in/another/script"), opener=closed)


@functools.lru_cache
def in_a_decorated_function():
    open(said(asked(buffer, SIZE), "/in/a/decorated"), opener=closed)


def generator():
    yield
    open(said(asked(buffer, SIZE), "/in/a/generator"), opener=closed)
    yield from inner_generator()


def inner_generator():
    yield
    open(said(asked(buffer, SIZE), "/in/a/generator/in/one"), opener=closed)
    yield


def recursive(depth):
    if depth:
        return recursive(depth - 1)
    return open(said(asked(buffer, SIZE), "/in/recursion"), opener=closed)


def in_many_lines():
    first, second = (
        open(said(asked(buffer, SIZE), "/first/of/two"), opener=closed),
        open(said(asked(buffer, SIZE), "/second/of/two"), opener=closed),
    )
    return first, second


def by_libraries():
    import inner
    import outer

    for number in range(20):
        one, two = f"/by/one/{number}", f"/by/two/{number}"
        open(said(inner.call(asked, buffer, SIZE), one, "Inner_Thing"), opener=closed)
        open(said(outer.call(asked, buffer, SIZE), two, "Inner_Thing", "outer"), opener=closed)
        # A class that is called often is specialised, and leaves a frame of CPython's own.
        made = inner.Caller(asked, buffer, SIZE)
        print(json.dumps([None, told(made.length)[3:], ["Inner_Thing", None]]))
    outer.calls_back(lambda: open(said(asked(buffer, SIZE), "/by/a/callback"), opener=closed))


def by_generated_code():
    names = {"closed": closed, "said": said, "asked": asked, "buffer": buffer, "SIZE": SIZE}
    for file in (
        "/made/up.py",
        "/d\u00e9j\u00e0.py",
        "/\u0416\u20ac.py",
        "/\U0001f40d.py",
        "/a\udcff\u0416.py",
    ):
        for lines in range(3):
            path = f"/generated/{len(file)}/{ord(file[1])}/{lines}"
            source = f"{chr(10) * lines}open(said(asked(buffer, SIZE), {path!r}), opener=closed)"
            exec(compile(source, file, "exec"), names)

    class Text(str):
        pass

    code = compile("open(said(asked(buffer, SIZE), '/derived'), opener=closed)", "/x.py", "exec")
    exec(code.replace(co_filename=Text("/derived/\u00e9.py")), names)
    open(said(eval("asked(buffer, SIZE)"), "/by/eval"), opener=closed)


def in_threads():
    def work():
        open(said(asked(buffer, SIZE), "/in/a/thread"), opener=closed)

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


def under_a_tracer():
    def trace(frame, event, argument):
        return trace

    def work():
        for _ in range(2):
            open(said(asked(buffer, SIZE), "/under/a/tracer"), opener=closed)

    work()
    sys.settrace(trace)
    work()
    sys.settrace(None)
    work()


def in_a_fork():
    def work():
        child = os.fork()
        if child == 0:
            open(said(asked(buffer, SIZE), "/in/a/fork"), opener=closed)
            os._exit(0)
        os.waitpid(child, 0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


async def awaits():
    async def work():
        await asyncio.sleep(0)
        open(said(asked(buffer, SIZE), "/in/a/task"), opener=closed)

    await asyncio.gather(work(), work())


class Late:
    """Goes when the interpreter has gone so far that most of what it knew is no more."""

    def __del__(self, asked=asked, buffer=buffer, size=SIZE, write=os.write):
        write(1, b"[null, %d, 1]\n" % (asked(buffer, size) > 0))


Report().load()
Report().été_Жук()
in_a_decorated_function()
for _ in generator():
    pass
recursive(200)
in_many_lines()
by_libraries()
by_generated_code()
in_threads()
under_a_tracer()
in_a_fork()
asyncio.run(awaits())
[open(said(asked(buffer, SIZE), "/in/a/comprehension"), opener=closed) for _ in range(3)]
ctypes.late = Late()
open(said(asked(buffer, SIZE), "/at/top/level"), opener=closed)
