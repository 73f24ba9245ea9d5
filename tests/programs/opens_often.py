"""Opens a file many times: at one place in a loop, from threads, and at another place."""

import sys
import threading


def often():
    for _ in range(100):
        open(sys.argv[1]).close()


often()
threads = [threading.Thread(target=often) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
open(sys.argv[1]).close()
