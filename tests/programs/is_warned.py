"""Is warned of something, with a standard error that is not always what it was."""

import ctypes
import os
import resource
import signal
import sys

# Until there is a policy, the library is asked directly.
library = ctypes.PyDLL(os.environ["NATIVE"])


def warn(text="report.py:3 sends to api.example.com \x1b[31m\nred"):
    library.gnomon_rehearse_warning(text.encode())


def armed():
    library.gnomon_rehearse_arming()


def plainly():
    armed()
    warn()


def before_arming():
    warn()


def to_data():
    armed()
    os.close(2)
    assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
    warn()
    print(os.path.getsize("data"))


def to_data_from_the_start():
    os.close(2)
    armed()
    assert os.open("data", os.O_WRONLY | os.O_CREAT) == 2
    warn()
    print(os.path.getsize("data"))


def closed():
    armed()
    os.close(2)
    warn()


def restored():
    armed()
    kept = os.dup(2)
    os.close(2)
    warn("lost")
    os.dup2(kept, 2)
    warn("seen")


def nobody_reads():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    armed()
    os.close(reader)
    warn()
    assert signal.SIGPIPE not in signal.sigpending()
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
    # The program's own, held off and pending, stays.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
    os.kill(os.getpid(), signal.SIGPIPE)
    warn()
    assert signal.SIGPIPE in signal.sigpending()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == {signal.SIGPIPE}
    print("alive")


def handler_of_the_program():
    called = []
    signal.signal(signal.SIGPIPE, lambda *_: called.append(1))
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    armed()
    os.close(reader)
    warn()
    print(called)


def too_large():
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    armed()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    warn()
    print("alive")


def full():
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.set_blocking(writer, False)
    armed()
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    warn()
    print("alive")


def quiet():
    armed()
    events = []
    sys.addaudithook(lambda event, args: events.append(event))
    call, text = library.gnomon_rehearse_warning, b"x"
    events.clear()
    call(text)
    print(events)


globals()[sys.argv[1]]()
