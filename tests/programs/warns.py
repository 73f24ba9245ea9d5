import sys
import warnings

sys.path.insert(0, "/nowhere")
import importlib

warnings.warn("something is old", DeprecationWarning)
file = open("/dev/null")
del file
import json, csv, sqlite3, subprocess, tempfile, urllib.request

with tempfile.TemporaryDirectory() as folder:
    open(folder + "/a", "w").close()
    print(subprocess.run(["echo", "hello"], capture_output=True).stdout)
