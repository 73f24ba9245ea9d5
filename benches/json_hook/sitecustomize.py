"""The peer that one writes in an afternoon: a Python hook that writes each interesting event as a JSON line.

It looks at the same events as gnomon and keeps every one: no repeats counted, nothing left out as the
interpreter's own. One write(2) a record, so that it too loses nothing when the process is killed.
"""

import json
import os
import sys
import time

_INTERESTING = {
    *("open", "exec", "import", "os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.link", "os.symlink"),
    *("os.chmod", "os.truncate", "os.chdir", "socket.connect", "socket.bind", "socket.getaddrinfo"),
    *("socket.gethostbyname", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "pty.spawn"),
    *("_posixsubprocess.fork_exec", "os.fork", "os.forkpty", "cpython.run_file", "cpython.run_module"),
    *("cpython.run_command", "cpython.run_stdin"),
}


def _install():
    path = os.environ.get("BENCH_JSON_LINES")
    if not path:
        return
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    write, dumps, now, pid = os.write, json.dumps, time.time_ns, os.getpid()

    def hook(event, arguments):
        if event not in _INTERESTING:
            return
        if event in ("exec", "import"):  # a code object; the search path
            shown = [str(getattr(arguments[0], "co_filename", arguments[0]))]
        else:
            shown = [str(argument) for argument in arguments]
        record = {"time": now(), "pid": pid, "event": event, "arguments": shown}
        write(file, (dumps(record) + "\n").encode())

    # As gnomon does, so that later imports do not search this directory.
    directory = __file__.rpartition("/")[0]
    sys.path[:] = [entry for entry in sys.path if entry != directory]
    sys.addaudithook(hook)


_install()
