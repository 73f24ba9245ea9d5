"""Does what needs a justification in one of several ways, and prints what came of it."""

import os
import select
import signal
import sys
import termios
import threading
import tty


def ask(name="why"):
    try:
        open(name).close()
    except PermissionError:
        return "denied"
    except KeyboardInterrupt:
        return "interrupted"
    return "done"


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def once():
    say(ask())


def typed_ahead():
    with open("/dev/tty", "rb", buffering=0) as terminal:
        select.select([terminal], [], [])
    say(ask())


def background():
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        say(ask())
        os._exit(0)
    os.waitpid(child, 0)


def without_lines():
    terminal = os.open("/dev/tty", os.O_RDWR)
    tty.setcbreak(terminal)
    say(ask())


def without_echo():
    terminal = os.open("/dev/tty", os.O_RDWR)
    modes = termios.tcgetattr(terminal)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    say(ask())


def handled():
    signal.signal(signal.SIGINT, lambda *_: say("handled"))
    say(ask())


def handled_by_exit():
    signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
    ask()


def others_run():
    asked, ran = threading.Event(), threading.Event()

    def other():
        asked.wait()
        say("other thread ran")
        ran.set()

    thread = threading.Thread(target=other)
    thread.start()
    asked.set()
    say(ask())
    thread.join()


def threads():
    answers = []
    all_are_here = threading.Barrier(4)

    def one():
        all_are_here.wait()
        answers.append(ask())

    asking = [threading.Thread(target=one) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    say(" ".join(answers))


def main_waits():
    """The main thread waits for its turn, and is interrupted."""
    thread = threading.Thread(target=lambda: say(ask("first")))
    thread.start()
    with open(os.environ["SEEN"]) as seen:
        seen.read()
    try:
        say("asks")
        answer = ask("second")
    except KeyboardInterrupt:  # before it is in there
        answer = "interrupted"
    say(answer)
    thread.join()


def forked():
    """A child does not wait for its parent's thread, which has asked and is answered later."""
    thread = threading.Thread(target=lambda: say(ask("first")))
    thread.start()
    with open(os.environ["SEEN"]) as seen:
        seen.read()
    child = os.fork()
    if child == 0:
        say(ask("second"))
        os._exit(0)
    os.waitpid(child, 0)
    thread.join()


def often():
    """One rule asks once, wherever and about whatever; another one asks anew."""
    say(" ".join([ask(), ask("why-2"), ask("first"), ask(), ask("first")]))


def interrupted_first():
    say(ask())
    say(ask())


def quiet():
    events = []
    sys.addaudithook(lambda event, args: events.append(event))
    ask()
    found = list(events)
    say(repr(found))


globals()[sys.argv[1]]()
