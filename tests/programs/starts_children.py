"""Starts the interpreters that its arguments name, each by another way."""

import os
import subprocess
import sys

child = [sys.argv[1], "-c", "open('child-' + __import__('sys').argv[1], 'w')"]
subprocess.run([*child, "subprocess"], check=True)
os.system(" ".join(f'"{word}"' for word in [*child, "system"]))
subprocess.run(["sh", "-c", '"$@"', "sh", *child, "shell"], check=True)
os.waitpid(os.posix_spawn(child[0], [*child, "posix_spawn"], os.environ), 0)
