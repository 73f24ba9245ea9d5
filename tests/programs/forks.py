"""Forks once, in one of many ways; parent and child each open a file named after their role and pid."""

import os
import sys

folder, way = sys.argv[1:]


def touch(role):
    with open(os.path.join(folder, "%s-%d" % (role, os.getpid())), "w"):
        pass


def wait(child):
    assert os.waitpid(child, 0)[1] == 0


def in_child(fork):
    child = fork()
    if child == 0:
        touch("child")
        os._exit(0)
    wait(child)


def by_os():
    in_child(os.fork)


def by_ctypes():
    import ctypes

    in_child(ctypes.CDLL(None).fork)


def by_forkpty():
    import pty

    child, terminal = pty.fork()
    if child == 0:
        touch("child")
        os._exit(0)
    wait(child)
    os.close(terminal)


def by_exit():
    """The child ends as programs do, with all that interpreters do at their end."""
    child = os.fork()
    if child == 0:
        touch("child")
        sys.exit(0)
    wait(child)


def by_preexec():
    """Python code between fork and exec."""
    import subprocess

    subprocess.run(["/bin/true"], preexec_fn=lambda: touch("child"), check=True)


def by_daemon():
    """Forks twice; what goes on is nobody's child."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        touch("child")
        os._exit(0)  # closes the pipe
    os.close(writable)
    wait(child)
    os.read(readable, 1)


touch("before")
globals()["by_" + way]()
touch("after")
print(os.getpid())
