"""Interpreters within the interpreter, in threads too."""

import threading

try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

CODE = """
import sys, os
print(sorted(set(sys.modules) - {"sitecustomize", "usercustomize"})[:5], sys.path)
for n in range(50):
    try:
        open("/nowhere/%d" % n)
    except FileNotFoundError:
        pass
import json, csv
print(os.getpid() > 0, sys.stdout.flush())
"""


def run():
    # destroy() needs the id that this gives out
    interpreter = interpreters.create()
    print(interpreters.run_string(interpreter, CODE))
    interpreters.destroy(interpreter)


for _ in range(3):
    run()
thread = threading.Thread(target=run)
thread.start()
thread.join()
