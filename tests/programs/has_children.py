"""Children of all kinds try to open a file: prints what came of it in each."""

import json
import multiprocessing
import os
import subprocess
import sys

FILE = sys.argv[1]
CODE = "import sys\ntry:\n    open(sys.argv[1])\nexcept PermissionError:\n    print('denied', end='')\nelse:\n    print('done', end='')"


def attempt(queue):
    try:
        open(FILE)
    except PermissionError:
        queue.put("denied")
    else:
        queue.put("done")


def multiprocess(method):
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=attempt, args=(queue,))
    child.start()
    found = queue.get()
    child.join()
    return found


def forked():
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            open(FILE)
        except PermissionError:
            os.write(writer, b"denied")
        else:
            os.write(writer, b"done")
        os._exit(0)
    os.wait()
    return os.read(reader, 100).decode()


def main():
    command = [sys.executable, "-c", CODE, FILE]
    found = {
        "subprocess": subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode(),
        "fork": forked(),
        "spawn": multiprocess("spawn"),
        "forkserver": multiprocess("forkserver"),
        "fork of multiprocessing": multiprocess("fork"),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
