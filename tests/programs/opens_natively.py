"""Opens a file by the C library, many times: at one place in a loop, from threads, and at another place."""

import os
import sys
import threading

from functions_of_c import answer


def once():
    descriptor, error = answer("open", sys.argv[1], os.O_RDONLY)
    if descriptor >= 0:
        os.close(descriptor)
    return error if descriptor < 0 else "done"


def often():
    for _ in range(100):
        found.add(once())


found = set()
often()
threads = [threading.Thread(target=often) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
found.add(once())
print(*sorted(found))
