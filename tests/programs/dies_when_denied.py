"""Is killed at the moment that it is stopped: what is to be known of it must be stored by then."""

import os
import signal
import sys

try:
    open(sys.argv[1])
except PermissionError:
    os.kill(os.getpid(), signal.SIGKILL)
