"""Prints all that a program can see of the interpreter it runs in."""

import sys

print(list(sys.modules))
print(sys.path, sys.meta_path, sys.path_hooks, list(sys.path_importer_cache))
print(sys.flags, sys.warnoptions, sys._xoptions)
print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.gettrace(), sys.getprofile(), sys.exc_info())
print(sys.excepthook, sys.displayhook, sys.breakpointhook, sys.unraisablehook, sys.pycache_prefix)

import atexit
import faulthandler
import gc
import locale
import os
import resource
import signal
import threading
import warnings

directory = os.open(".", os.O_RDONLY)
print("next descriptor", directory)
os.close(directory)
print("descriptors", sorted(os.listdir("/proc/self/fd"), key=int))
print("threads", len(os.listdir("/proc/self/task")), threading.active_count())
print("exit functions", atexit._ncallbacks())
print({number: signal.getsignal(number) for number in range(1, 32)}, signal.pthread_sigmask(0, []))
print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), sys.getfilesystemencoding())
print(sys.stdin, sys.stdout, sys.stderr)
print(gc.isenabled(), gc.get_threshold(), gc.callbacks, faulthandler.is_enabled(), warnings.filters)
print({limit: resource.getrlimit(limit) for limit in range(8)}, oct(os.umask(0)), os.nice(0))
print(os.getcwd(), os.getpid() == os.getpgid(0), os.getpriority(os.PRIO_PROCESS, 0))
print({name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "GNOMON"))})
for name in ("SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Seccomp"):
    print([line for line in open("/proc/self/status") if line.startswith(name)])
print(len(sys._getframe().f_code.co_filename), sys._getframe().f_back)
