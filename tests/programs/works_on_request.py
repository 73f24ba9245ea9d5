"""Opens what it is told to: each line of standard input is a number of times and a path."""

import sys

for line in sys.stdin:
    times, _, path = line.rstrip("\n").partition(" ")
    for _ in range(int(times)):
        try:
            open(path).close()
        except OSError:
            pass
    print("done", flush=True)
