"""Is warned of something, with a standard error that is not always what it was."""

import os
import resource
import signal
import sys


def warn(name="warned \x1b[31m\nred"):
    open(name, "w").close()


def plainly():
    warn()


def to_data():
    os.close(2)
    assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
    warn()
    print(os.path.getsize("data"))


def to_data_from_the_start():
    """Started without a standard error."""
    try:
        os.close(2)  # what the interpreter may have opened in its place
    except OSError:
        pass
    assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
    warn()
    print(os.path.getsize("data"))


def closed():
    os.close(2)
    warn()


def restored():
    kept = os.dup(2)
    os.close(2)
    warn("warned, and lost")
    os.dup2(kept, 2)
    warn("warned")


def nobody_reads():
    sys.stdin.read()  # until its end says so
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    warn()
    assert signal.SIGPIPE not in signal.sigpending()
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
    # The program's own, held off and pending, stays.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
    os.kill(os.getpid(), signal.SIGPIPE)
    open("warned elsewhere", "w").close()
    assert signal.SIGPIPE in signal.sigpending()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == {signal.SIGPIPE}
    print("alive")


def handler_of_the_program():
    sys.stdin.read()
    called = []
    signal.signal(signal.SIGPIPE, lambda *_: called.append(1))
    warn()
    print(called)


def too_large():
    """Its standard error is a file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    warn()
    os.write(1, b"alive\n")


def full():
    """Nobody reads its standard error now."""
    os.set_blocking(2, False)
    try:
        while True:
            os.write(2, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(2, True)
    warn()
    print("alive")


def quiet():
    events = []
    sys.addaudithook(lambda event, args: events.append(event))
    warn("warned")
    print(list(events))


globals()[sys.argv[1]]()
