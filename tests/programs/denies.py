"""A hook of the program's own, which refuses and raises, beside ours."""

import os
import sys

seen = []


def hook(event, args):
    if event.startswith(("os.", "open")):
        seen.append((event, args if event != "open" or "nowhere" in str(args) else "…"))
    if event == "os.mkdir":
        raise PermissionError("refused", args[0])
    if event == "os.rmdir":
        open("/dev/null").close()


sys.addaudithook(hook)
for operation in (os.mkdir, os.rmdir, os.remove, open):
    try:
        operation("/nowhere/x")
    except OSError as error:
        print(type(error).__name__, error.args)
print(seen)


def vetoes(event, args):
    if event == "sys.addaudithook":
        raise RuntimeError("no more hooks")


sys.addaudithook(vetoes)
sys.addaudithook(print)
