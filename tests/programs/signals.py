"""Signals that arrive all the time, children that end, system calls that are interrupted."""

import os
import signal
import subprocess
import sys

count = 0


def handler(number, frame):
    global count
    count += 1
    try:
        open("/nowhere/handler")
    except FileNotFoundError:
        pass


signal.signal(signal.SIGALRM, handler)
signal.signal(signal.SIGCHLD, lambda number, frame: handler(number, frame))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while count < 50:
    for n in range(100):
        try:
            open("/nowhere/%d" % n)
        except FileNotFoundError:
            pass
signal.setitimer(signal.ITIMER_REAL, 0)
before = count
subprocess.run(["/bin/true"], check=True)
print(count > before, signal.getsignal(signal.SIGALRM) is handler)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
readable, writable = os.pipe()
os.close(readable)
sys.stdout.flush()
os.write(writable, b"x")
