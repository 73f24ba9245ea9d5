"""Does argv[1] distinct operations, and prints what it saw of them."""

import os
import sys

number = int(sys.argv[1])
there = 0
for n in range(number):
    try:
        os.close(os.open("/nowhere/%06d" % n, os.O_RDONLY))
        there += 1
    except FileNotFoundError:
        pass
print(number, there)
sys.stderr.write("done\n")
sys.exit(3)
