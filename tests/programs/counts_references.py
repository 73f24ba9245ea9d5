"""Prints how many references 100,000 operations of each sort leave behind: for debug builds of CPython."""

import contextlib
import gc
import io
import os
import runpy
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROUNDS = int(sys.argv[1])
ODD = str(Path(__file__).with_name("raises_odd_events.py"))


def opens(rounds):
    for _ in range(rounds):
        open("there").close()


def opens_new(rounds):
    for number in range(rounds):
        open("new%d" % (number % 50), "w").close()


def opens_by_odd_names(rounds):
    for _ in range(rounds // 4):
        open("odd-\udcff").close()
        open(b"there").close()
        open(Path("there")).close()
        os.close(os.open("there", os.O_RDONLY))


def removes(rounds):
    for number in range(rounds):
        with contextlib.suppress(OSError):
            os.remove("nowhere%d" % (number % 9))


def executes(rounds):
    for _ in range(rounds):
        exec(CODE, {})


def executes_text(rounds):
    for number in range(rounds // 10):
        exec("x = %d" % (number % 100), {})


def imports(rounds):
    for _ in range(rounds // 20):
        sys.modules.pop("package.module", None)
        import package.module  # noqa: F401


def connects(rounds):
    for _ in range(rounds // 20):
        with socket.create_connection(ADDRESS):
            SERVER.accept()[0].close()


def starts(rounds):
    for _ in range(rounds // 500):
        subprocess.run(["/bin/true"], check=True)


def opens_in_threads(rounds):
    for _ in range(rounds // 100):
        thread = threading.Thread(target=opens, args=(100,))
        thread.start()
        thread.join()


def raises_odd_events(rounds):
    # Some 80,000 at a time.
    for _ in range(rounds // 50_000):
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(ODD)


CODE = compile("x = 1", "made.py", "exec")
SERVER = socket.create_server(("127.0.0.1", 0))
ADDRESS = SERVER.getsockname()
for name in ("there", "odd-\udcff"):
    open(name, "w").close()
os.mkdir("package")
Path("package", "module.py").write_text("x = 1\n")
sys.path.insert(0, os.getcwd())
EACH = (
    opens,
    opens_new,
    opens_by_odd_names,
    removes,
    executes,
    executes_text,
    imports,
    connects,
    starts,
    opens_in_threads,
    raises_odd_events,
)
for each in EACH:
    # What is kept for the next time is no leak.
    each(50_000 if each is raises_odd_events else 2000)
    gc.collect()
    before = sys.gettotalrefcount()
    each(ROUNDS)
    gc.collect()
    print(each.__name__, sys.gettotalrefcount() - before, flush=True)
