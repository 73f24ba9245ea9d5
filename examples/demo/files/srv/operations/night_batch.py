"""Starts its work with an environment of nothing, as services do."""

import subprocess
import sys

subprocess.run([sys.executable, "/srv/operations/quiet_work.py"], env={}, check=True)
