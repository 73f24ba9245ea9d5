"""Closes all descriptors, as daemons do, and goes on; then uses up all it may have."""

import os
import resource

os.closerange(3, 1024)
print([os.open("/dev/null", os.O_RDONLY) for _ in range(5)])
for n in range(2000):
    os.close(os.open("/dev/null", os.O_RDONLY))
    try:
        os.open("/nowhere/%d" % n, os.O_RDONLY)
    except FileNotFoundError:
        pass
os.closerange(3, 1024)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    print(error)
print(opened)
for n in range(2000):
    try:
        os.open("/nowhere/full-%d" % n, os.O_RDONLY)
    except OSError as error:
        last = error
print(last.errno)
os.closerange(3, 1024)
os.close(0)
os.close(2)
print(os.open("/dev/null", os.O_RDONLY), os.open("/dev/null", os.O_RDONLY))
