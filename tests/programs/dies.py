import ctypes
import os
import resource
import sys

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
{"exit": lambda: os._exit(7), "abort": os.abort, "segfault": lambda: ctypes.string_at(0)}[sys.argv[1]]()
