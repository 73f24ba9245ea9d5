"""One call of a native library, again and again: `native_calls.py ACT COUNT`.

The library is loaded by ctypes, so its calls are redirected as those of any wheel are.
"""

import ctypes
import os
import socket
import sys
from pathlib import Path

import timing

act, count = sys.argv[1], int(sys.argv[2])
library = ctypes.CDLL(os.environ["BENCH_NATIVE_CALLS"])


def connected():
    """Two ends of a TCP connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


Path("data").write_bytes(b"x")
pipe = os.pipe()
client, server = connected()
pair = socket.socketpair()
for end in server, pair[0]:
    end.send(b"x")  # to be looked at by those who receive
ACTS = {
    "open-one": ("open_one", -1),
    "open-new": ("open_new", -1),
    "read-file": ("pread_byte", os.open("data", os.O_RDONLY)),
    "read-unknown": ("read_byte", os.open("/dev/null", os.O_RDONLY)),
    "write-file": ("write_byte", os.open("written", os.O_WRONLY | os.O_CREAT)),
    "write-unknown": ("write_byte", os.open("/dev/null", os.O_WRONLY)),
    "send": ("send_byte", client.fileno()),
    "send-unknown": ("send_byte", pair[0].fileno()),
    "receive": ("receive_byte", client.fileno()),
    "receive-unknown": ("receive_byte", pair[1].fileno()),
    "close": ("close_none", -1),
    "connect-local": ("connect_local", socket.socket(socket.AF_UNIX).fileno()),
}
name, descriptor = ACTS[act]
function = getattr(library, name)
function.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long]
path = str(Path.cwd() / "not-there").encode()

is_seen = act == "open-new" and os.environ.get("GNOMON_NATIVE") != "off"
records = count if is_seen else 1
timing.best(count, lambda: function(path, descriptor, count), passes=5, records=records)
