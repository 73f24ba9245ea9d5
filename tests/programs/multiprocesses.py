"""Children of multiprocessing, each of which opens a file named after its pid; prints their pids."""

import multiprocessing
import os
import sys
import threading


def touch(folder, role):
    with open(os.path.join(folder, "%s-%d" % (role, os.getpid())), "w"):
        pass


def work(folder, pids):
    touch(folder, "child")
    pids.put(os.getpid())


def main(method, folder):
    context = multiprocessing.get_context(method)
    touch(folder, "before")
    pids = context.SimpleQueue()
    children = [context.Process(target=work, args=(folder, pids)) for _ in range(4)]
    for child in children:
        child.start()
    found = sorted(pids.get() for _ in children)
    for child in children:
        child.join()
        assert child.exitcode == 0
    touch(folder, "after")
    assert threading.active_count() == 1
    print(os.getpid(), *found)


if __name__ == "__main__":
    main(*sys.argv[1:])
