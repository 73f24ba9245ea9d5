"""Limits the size of files to argv[2] bytes, asks to be killed for a larger one, and goes on as `many_operations.py`."""

import os
import resource
import runpy
import signal
import sys

limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "many_operations.py"))
