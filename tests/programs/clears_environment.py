"""Children without the environment, with a copy of it, with a changed one."""

import os
import subprocess
import sys

CODE = "import os, sys; print(len(sys.modules) > 10, sys.path[1:], os.environ.get('MINE'))"
copied = dict(os.environ, MINE="1")
for environment in ({}, copied, None):
    print(subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True))
os.environ["MINE"] = "2"
os.unsetenv("GNOMON_PARENT")
print(subprocess.run([sys.executable, "-c", CODE], capture_output=True))
os.environ.clear()
print(subprocess.run([sys.executable, "-c", CODE], capture_output=True))
os.putenv("GNOMON_PARENT", "nobody")
os.putenv("GNOMON_SPOOL", "/dev/null")
print(subprocess.run([sys.executable, "-c", CODE], capture_output=True))
