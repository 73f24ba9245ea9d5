"""Says that it is ready, then ends by the signal that it gets, or says which one it caught."""

import os
import signal
import sys


def caught(number, frame):
    os.write(1, f"caught {signal.Signals(number).name}\n".encode())  # print is not reentrant
    sys.exit(7)


if len(sys.argv) > 1:
    signal.signal(getattr(signal, sys.argv[1]), caught)
# A signal between "ready" and a `pause` would be missed: Python only notes it, to handle it after the pause.
noted, note = os.pipe()
os.set_blocking(note, False)
signal.set_wakeup_fd(note)
os.write(1, b"ready\n")
while True:
    os.read(noted, 1)
