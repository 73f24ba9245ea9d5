"""Native libraries are imported while threads open files and others fork. Prints how often each file was opened.

    imports_in_a_storm.py FOLDER {python,libc} MODULE…

Every process names its files after its own pid. By `libc` files are opened without the GIL and without an audit event.
"""

import ctypes
import faulthandler
import importlib
import json
import os
import select
import sys
import threading

SECONDS = 120
# A thread's files, which it opens again and again.
FILES = 100
FORKS = 60

folder, way, *modules = sys.argv[1:]
# Else the imports wait five milliseconds for each opener in turn, and the forks with them.
sys.setswitchinterval(0.0005)
faulthandler.dump_traceback_later(2 * SECONDS, exit=True)
libc_open = ctypes.CDLL(None).open
imported = threading.Event()
start = threading.Barrier(6)
opened = {}
statuses = []


def touch(name):
    path = os.path.join(folder, name)
    if way == "libc":
        descriptor = libc_open(path.encode(), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        if descriptor < 0:
            raise OSError("libc's open failed")
    else:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.close(descriptor)


def open_files(thread):
    counts = dict.fromkeys(("%d-%s-%d" % (os.getpid(), thread, number) for number in range(FILES)), 0)
    start.wait()
    while not imported.is_set():
        for name in counts:
            touch(name)
            counts[name] += 1
    opened.update(counts)


def fork_children(thread):
    start.wait()
    forks = 0
    while forks < FORKS and not (forks and imported.is_set()):
        child = os.fork()
        if child == 0:
            touch("%d-child-%s" % (os.getpid(), thread))
            os._exit(0)
        forks += 1
        opened["%d-child-%s" % (child, thread)] = 1
        wait_for(child)
        # So that the forks go on for as long as the imports do.
        imported.wait(0.05)


def wait_for(child):
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended], [], [], SECONDS)
    os.close(ended)
    if not ready:
        print("child %d hangs" % child, file=sys.stderr, flush=True)
        os._exit(3)
    statuses.append(os.waitpid(child, 0)[1])


openers = [threading.Thread(target=open_files, args=(str(n),), name="opener") for n in range(3)]
forkers = [threading.Thread(target=fork_children, args=(str(n),), name="forker") for n in range(2)]
for thread in openers + forkers:
    thread.start()
start.wait()
try:
    for module in modules:
        importlib.import_module(module)
finally:
    imported.set()
for thread in openers + forkers:
    thread.join()
faulthandler.cancel_dump_traceback_later()
print(json.dumps({"opened": opened, "failed": [status for status in statuses if status]}), flush=True)
