"""Opens files at a steady rate: RATE a second for SECONDS; of NAMES different names, again and again."""

import os
import sys
import time

rate, seconds, names = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
TICK_SECONDS = 0.01
began = time.monotonic()
done = 0
while (passed := time.monotonic() - began) < seconds:
    wanted = int(passed * rate)
    for number in range(done, wanted):
        try:
            os.close(os.open(f"/nowhere/data-{number % names}.csv", os.O_RDONLY))
        except FileNotFoundError:
            pass
    done = wanted
    time.sleep(TICK_SECONDS)
print(done)
