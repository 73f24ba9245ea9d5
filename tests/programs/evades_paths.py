"""Reads a protected file, or writes into a protected folder, by all names but its own; in a folder of its own."""

import functools
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import outcomes
from outcomes import attempt

ROOT = os.getcwd()
SECRET = f"{ROOT}/protected/secret"


def reading(name):
    """An attempt that reads what the function returns."""

    def register(path):
        def act():
            with open(path(), "rb") as file:
                return file.read().decode()

        outcomes.ATTEMPTS[name] = act
        return path

    return register


def folder(name):
    os.makedirs(name, exist_ok=True)
    return f"{ROOT}/{name}"


def link(target, name):
    if os.path.lexists(name):
        os.remove(name)
    os.symlink(target, name)
    return name


def below(name):
    """The folder `name`, with a link in it that was there before gnomon was: another process made it."""
    return f"{ROOT}/{name}"


NAMES = {
    "itself": SECRET,
    "relative": "protected/secret",
    "bytes": SECRET.encode(),
    "pathlib": Path(SECRET),
    "dots": f"{ROOT}/./public/../protected/./secret",
    "parents": "public/../public/../protected/secret",
    "parents of the root": "/../.." + SECRET,
    "doubled slashes": SECRET.replace("/", "//"),
    "three slashes": "//" + SECRET,
    "link to the file": "links/file",
    "link to the folder": "links/folder/secret",
    "relative link": "links/relative",
    "chain of links": "links/chain",
    "parent of a link": "links/inside/../secret",
    "root of the process": f"/proc/self/root{SECRET}",
    "root of the process by number": f"/proc/{os.getpid()}/root{SECRET}",
    "root of a thread": f"/proc/thread-self/root{SECRET}",
    "working directory of the process": "/proc/self/cwd/protected/secret",
}
for name, path in NAMES.items():
    reading(name)(functools.partial(lambda path: path, path))


def quietly(act):
    try:
        return act()
    except PermissionError:
        return None


class Own:
    """A path of the program's own making."""

    def __fspath__(self):
        return SECRET


reading("object of its own")(Own)


@reading("newline in a name")
def newline():
    return f"{ROOT}/protected/new\nline"


@reading("name that is no text")
def no_text():
    return f"{ROOT}/protected/".encode() + b"\xff\xfe"


@reading("name that is no text, as str")
def surrogates():
    return f"{ROOT}/protected/\udcff\udcfe"


@reading("descriptor of the folder")
def descriptor_of_folder():
    return f"/proc/self/fd/{os.open(ROOT, os.O_RDONLY)}/protected/secret"


@reading("dev fd")
def dev_fd():
    return f"/dev/fd/{os.open(ROOT, os.O_PATH)}/protected/secret"


@reading("descriptor that was there before")
def inherited():
    return f"/proc/self/fd/{os.environ['INHERITED']}"


@reading("descriptor itself")
def descriptor():
    return int(os.environ["INHERITED"])


@attempt
def after_chdir():
    os.chdir("public/..")
    try:
        os.chdir("protected")
        return open("secret").read()
    finally:
        os.chdir(ROOT)


@attempt
def after_fchdir():
    try:
        os.fchdir(int(os.environ["INHERITED_FOLDER"]))
        return open("secret").read()
    finally:
        os.chdir(ROOT)


@attempt
def after_chdir_in_a_thread():
    def chdir():
        os.chdir(f"{ROOT}/protected")

    open("secret").read()  # that of the folder that it starts in, which is public
    thread = threading.Thread(target=chdir)
    thread.start()
    thread.join()
    try:
        return open("secret").read()
    finally:
        os.chdir(ROOT)


@attempt
def dir_fd():
    return os.read(os.open("secret", os.O_RDONLY, dir_fd=int(os.environ["INHERITED_FOLDER"])), 9).decode()


@attempt
def dir_fd_above():
    above = os.open(ROOT, os.O_RDONLY)
    return os.read(os.open("protected/secret", os.O_RDONLY, dir_fd=above), 9).decode()


@attempt
def dir_fd_and_parent():
    beside = os.open("public", os.O_RDONLY)
    return os.read(os.open("../protected/secret", os.O_RDONLY, dir_fd=beside), 9).decode()


@attempt
def dir_fd_and_link():
    beside = os.open("links", os.O_RDONLY)
    return os.read(os.open("relative", os.O_RDONLY, dir_fd=beside), 9).decode()


@attempt
def dir_fd_to_create():
    above = os.open(ROOT, os.O_RDONLY)
    os.close(os.open("protected/made", os.O_WRONLY | os.O_CREAT, dir_fd=above))
    return os.path.exists("protected/made")


@attempt
def opener():
    above = os.open(ROOT, os.O_RDONLY)
    return open("protected/secret", opener=lambda path, flags: os.open(path, flags, dir_fd=above)).read()


@attempt
def remove_by_dir_fd():
    os.remove("victim", dir_fd=int(os.environ["INHERITED_FOLDER"]))


@attempt
def open_code():
    return io.open_code(SECRET).read().decode()


@attempt
def file_io():
    return io.FileIO(SECRET).read().decode()


@attempt
def dangling_link_written_through():
    open("links/dangling", "w").close()
    return os.path.exists("protected/new")


@attempt
def trailing_slash():
    return os.listdir(f"{ROOT}/protected/")


@attempt
def trailing_dot():
    return os.listdir(f"{ROOT}/protected/.")


@attempt
def folder_through_a_link():
    return os.listdir("links/folder")


@attempt
def folder_by_descriptor():
    return os.listdir(int(os.environ["INHERITED_FOLDER"]))


@attempt
def walk():
    return [found for _, _, found in os.walk("links/folder", onerror=raised)]


def raised(error):
    raise error


@attempt
def swapped_link():
    """The same name again and again, within the second for which a decision stands."""
    found = []
    for target in ("public/secret", "protected/secret") * 3:
        link(f"{ROOT}/{target}", "swapped") if target[1] == "u" else replace_link()
        found.append(outcomes.outcome(lambda: open("swapped").read()))
    return found


def replace_link():
    """A link to the protected file, as it could not make one: by moving one that was there."""
    shutil.move("links/spare", "swapped")
    subprocess.run(["ln", "-s", SECRET, "links/spare"], check=True)


@attempt
def swapped_folder():
    found = []
    for _ in range(3):
        for name in ("swapped-public", "swapped-protected"):
            os.rename(name, "swapped-folder")
            found.append(outcomes.outcome(lambda: open("swapped-folder/below/secret").read()))
            os.rename("swapped-folder", name)
    return found


@attempt
def renamed_out():
    os.rename("links/folder/secret", "out")


@attempt
def renamed_in():
    os.rename("public/secret", "links/folder/in")


@attempt
def renamed_with_descriptors():
    os.rename("secret", "out", src_dir_fd=int(os.environ["INHERITED_FOLDER"]))


@attempt
def copied_out():
    shutil.copyfile("links/chain", "out")


@attempt
def copied_in():
    shutil.copyfile("public/secret", "links/folder/in")


@attempt
def copied_out_by_an_object():
    os.makedirs("some/tree", exist_ok=True)
    shutil.rmtree("some")  # shutil's own opens are part of this
    shutil.copyfile(Own(), "out")
    return open("out").read()


@attempt
def copied_as_a_link():
    shutil.copyfile("links/file", "out-link", follow_symlinks=False)


@attempt
def linked_out():
    os.link("links/folder/secret", "hard")


@attempt
def linked_out_by_a_link():
    os.link("links/file", "hard", follow_symlinks=True)


@attempt
def symlink_with_parents():
    os.symlink("../protected/secret", "public/to-secret")


@attempt
def symlink_to_a_link():
    os.symlink("file", "links/to-file")


@attempt
def removed_through_a_link():
    os.remove("links/folder/victim")


@attempt
def truncated_through_a_link():
    os.truncate("links/file", 0)


@attempt
def changed_mode_through_a_link():
    os.chmod("links/file", 0o600)


@attempt
def database():
    return sqlite3.connect("links/folder/data.db").execute("select 1").fetchall()


@attempt
def database_uri():
    return sqlite3.connect(f"file:{ROOT}/protected/data.db?mode=ro", uri=True).execute("select 1").fetchall()


@attempt
def database_uri_with_escapes():
    path = f"{ROOT}/protected/data.db".replace("protected", "%70rotected")
    return sqlite3.connect(f"file://localhost{path}?mode=ro#x", uri=True).execute("select 1").fetchall()


@attempt
def database_uri_through_a_link():
    return sqlite3.connect("file:links/folder/data.db?mode=ro", uri=True).execute("select 1").fetchall()


@attempt
def attached_database():
    connection = sqlite3.connect(":memory:")
    return connection.execute(f"attach '{ROOT}/protected/data.db' as other").fetchall()


@attempt
def database_of_an_object_of_its_own():
    return sqlite3.connect(Own()).total_changes


@attempt
def by_the_c_library():
    import ctypes

    c = ctypes.CDLL(None)
    descriptor = c.open(SECRET.encode(), os.O_RDONLY)
    return os.read(descriptor, 100).decode()


# What a policy does not stop.


@attempt
def open_hard_link():
    return open("hard-link").read()


@attempt
def move_the_folder_above():
    os.rename("above", "moved")
    try:
        return open("moved/protected/secret").read()
    finally:
        os.rename("moved", "above")


@attempt
def by_another_program():
    return subprocess.run(["cat", SECRET], stdout=subprocess.PIPE, check=True).stdout.decode()


@attempt
def by_a_python_without_gnomon():
    command = [sys.executable, "-I", "-c", "import sys; print(end=open(sys.argv[1]).read())", SECRET]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


@attempt
def link_swapped_by_another_program():
    subprocess.run(["ln", "-sfn", f"{ROOT}/public", "others"], check=True)
    open("others/secret").close()
    subprocess.run(["ln", "-sfn", f"{ROOT}/protected", "others"], check=True)
    return open("others/secret").read()


if __name__ == "__main__":
    outcomes.print_all()
