"""Asks for what is denied, again and again, and catches it: `open` or `connect`, and how many.

Bare, the kernel says no: there is no such file, and nobody listens. `BENCH_DENY` names a peer to set up.
"""

import os
import socket
import sys

import timing

kind, count = sys.argv[1], int(sys.argv[2])
peer = os.environ.get("BENCH_DENY")
path = os.path.abspath("report.denied")
end = socket.socket()


def refuse(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".denied"):
        raise PermissionError(f"not for scripts: {arguments[0]}")
    if event == "socket.connect" and arguments[1][0].startswith("127."):
        raise PermissionError(f"not for scripts: {arguments[1][0]}")


if peer == "Python hook":
    sys.addaudithook(refuse)
elif peer == "pytest-socket":
    try:
        import pytest_socket
    except ImportError:
        sys.exit("no pytest-socket: pip install pytest-socket")
    pytest_socket.socket_allow_hosts(["192.0.2.1"])


def work_open():
    for _ in range(count):
        try:
            open(path)
        except OSError:
            pass


def work_connect():
    for _ in range(count):
        try:
            end.connect(("127.0.0.1", 9))
        except (OSError, RuntimeError):
            pass


timing.best(count, work_open if kind == "open" else work_connect, records=1)
