"""Works in a directory that somebody removes, and in one with a name that is no text."""

import os
import tempfile

folder = tempfile.mkdtemp()
inside = os.path.join(folder, "inside")
os.mkdir(inside)
os.chdir(inside)
os.rmdir(inside)
for operation in (open, os.mkdir, os.remove, os.listdir, lambda path: os.open(path, os.O_CREAT)):
    try:
        print(operation("relative"))
    except OSError as error:
        print(error)
try:
    print(os.getcwd())
except OSError as error:
    print(error)
odd = os.fsencode(folder) + b"/\xff\xfe\n"
os.mkdir(odd)
os.chdir(odd)
with open("relative", "w") as file:
    file.write("x")
print(os.listdir("."), os.listdir(b".."))
os.rename("relative", "\udcff")
os.remove(b"\xff")
os.chdir("/")
os.rmdir(odd)
os.rmdir(folder)
