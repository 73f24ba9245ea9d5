"""Does argv[1] distinct operations, waits for a line, and does as many again."""

import os
import sys


def work(half):
    for n in range(int(sys.argv[1])):
        try:
            os.open("/nowhere/%s-%06d" % (half, n), os.O_RDONLY)
        except FileNotFoundError:
            pass
    print(half, flush=True)


work("first")
line = sys.stdin.readline()
work("second")
child = os.fork()
if child == 0:
    work("child")
    os._exit(0)
os.waitpid(child, 0)
print(repr(line))
sys.exit(3)
