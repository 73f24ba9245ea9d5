"""Opens files where the stack has no room left, in the recursion limit and in small threads."""

import sys
import threading


def depth(limit):
    sys.setrecursionlimit(limit)
    count = 0

    def down():
        nonlocal count
        count += 1
        try:
            open("/nowhere/%d" % count)
        except FileNotFoundError:
            pass
        down()

    try:
        down()
    except RecursionError as error:
        print(error, count)


depth(150)
depth(1000)


def small():
    for n in range(2000):
        try:
            open("/nowhere/small-%d" % n)
        except FileNotFoundError:
            pass
    depth(100)


sys.setrecursionlimit(1000)
threading.stack_size(128 * 1024)
thread = threading.Thread(target=small)
thread.start()
thread.join()
