"""Says everything of its start that a program could notice, and leaves with the code it is told to."""

import os
import sys

import __main__

print(sys.argv, sys.orig_argv if hasattr(sys, "orig_argv") else "")
print(__name__, __main__.__file__, getattr(__main__.__spec__, "name", None), sys.path)
print(sorted(name for name in sys.modules if "gnomon" in name or "sitecustomize" in name))
print(sys.flags, sys.getrecursionlimit(), sys.stdin.readline())
print(sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")))
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
