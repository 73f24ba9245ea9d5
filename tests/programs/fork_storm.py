"""Threads open files while others fork. Every process names its files after its own pid."""

import os
import sys
import threading

folder, forks = sys.argv[1], int(sys.argv[2])
done = threading.Event()
start = threading.Barrier(6)


def touch(name):
    with open(os.path.join(folder, name), "w"):
        pass


def open_files(thread):
    start.wait()
    number = 0
    while not done.is_set():
        touch("%d-%s-%d" % (os.getpid(), thread, number))
        number += 1


def fork_children(thread):
    start.wait()
    for number in range(forks):
        child = os.fork()
        if child == 0:
            for own in range(3):
                touch("%d-child-%d" % (os.getpid(), own))
            if number % 2:
                grandchild = os.fork()
                if grandchild == 0:
                    touch("%d-grandchild-0" % os.getpid())
                    os._exit(0)
                os.waitpid(grandchild, 0)
            os._exit(0)
        os.waitpid(child, 0)


# CPython 3.14 counts a process's threads wrongly where a thread's name has a space in it, as it has by default: it then
# takes the niceness for their number, so that a forked child warns of threads, for ever where a lock was held.
openers = [threading.Thread(target=open_files, args=(str(n),), name="opener") for n in range(3)]
forkers = [threading.Thread(target=fork_children, args=(str(n),), name="forker") for n in range(3)]
for thread in openers + forkers:
    thread.start()
for thread in forkers:
    thread.join()
done.set()
for thread in openers:
    thread.join()
