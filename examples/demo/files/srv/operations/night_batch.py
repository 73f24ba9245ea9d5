"""Starts its work with next to no environment, as services do."""

import os
import subprocess
import sys

kept = {name: text for name, text in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
subprocess.run([sys.executable, "/srv/operations/quiet_work.py"], env=kept, check=True)
