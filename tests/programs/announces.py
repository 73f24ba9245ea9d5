"""Announces each operation after it was done, on two threads, until it is told how to die."""

import json
import os
import random
import resource
import subprocess
import sys
import threading

folder, announcements, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.set_inheritable(announcements, False)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def say(kind, target):
    os.write(announcements, (json.dumps([kind, target]) + "\n").encode())


def open_for_write(path):
    with open(path, "w"):
        pass
    say("open", path)


def open_again(path):
    path = os.path.join(folder, "again-%d" % (hash(path) % 5))
    with open(path, "a"):
        pass
    say("open", path)


def open_low(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    say("open", path)


def mkdir(path):
    os.mkdir(path)
    say("mkdir", path)


def rename(path):
    open_for_write(path)
    os.rename(path, path + ".renamed")
    say("rename", path)


def delete(path):
    open_for_write(path)
    os.remove(path)
    say("delete", path)


def symlink(path):
    os.symlink("the text of " + path, path)
    say("symlink", "the text of " + path)


def chmod(path):
    mkdir(path)
    os.chmod(path, 0o700)
    say("chmod", path)


def spawn(path):
    subprocess.Popen(["/bin/true", path], stdout=subprocess.DEVNULL).wait()
    say("spawn", path)


def work(name):
    chance = random.Random(seed + name)
    common = [open_for_write, open_again, open_low, mkdir, rename, delete, symlink, chmod]
    number = 0
    while True:
        number += 1
        path = os.path.join(folder, "%s-%d" % (name, number))
        operation = spawn if chance.random() < 0.005 else chance.choice(common)
        operation(path)


def segfault():
    import ctypes

    ctypes.string_at(0)


def execute():
    say("exec", folder)  # before it, as there is no after: the test does not count this one
    os.execv("/bin/true", ["true", folder])


for name in "ab":
    threading.Thread(target=work, args=(name,), daemon=True).start()

how = sys.stdin.readline().strip()
{"exit": lambda: os._exit(7), "abort": os.abort, "segfault": segfault, "exec": execute}[how]()
