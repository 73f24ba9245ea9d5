"""Starts a program that is denied, by all names but its own. Each would leave a file behind."""

import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path

import outcomes
from outcomes import attempt

ROOT = os.getcwd()
TOOL = f"{ROOT}/tools/tool"
MARK = f"{ROOT}/mark"


def start(argv, **options):
    try:
        subprocess.run(argv, check=True, **options)
    finally:
        was_there = os.path.exists(MARK)
        if was_there:
            os.remove(MARK)
    return was_there


def starting(*argv, **options):
    return lambda: start(list(argv), **options)


class Own:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


WITH_TOOLS = {**os.environ, "PATH": f"{ROOT}/tools:{os.environ['PATH']}"}
outcomes.ATTEMPTS.update(
    {
        "path": starting(TOOL),
        "pathlib": starting(Path(TOOL)),
        "bytes": starting(TOOL.encode()),
        "text": lambda: start(TOOL),
        "relative": starting("tools/tool"),
        "dots": starting("./tools/../tools/./tool"),
        "link": starting("link"[:0] + f"{ROOT}/link"),
        "link to the folder": starting(f"{ROOT}/folder/tool"),
        "bare name": starting("known-tool"),
        "bare name of a link": starting("linked-tool"),
        "relative to its directory": starting("./tool", cwd=f"{ROOT}/tools"),
        "other first argument": starting("true", executable=TOOL),
        "other first argument, bare": starting("true", executable="known-tool"),
        "without closing files": starting(TOOL, close_fds=False),
    }
)


@attempt
def exec_it():
    os.execv(f"{ROOT}/link", ["true"])


@attempt
def posix_spawnp():
    os.waitpid(os.posix_spawnp("known-tool", ["true"], os.environ), 0)
    return os.path.exists(MARK)


@attempt
def spawnv():
    """Forks, and the child cannot start it."""
    return (os.spawnv(os.P_WAIT, TOOL, ["true"]), os.path.exists(MARK))


@attempt
def another_with_the_same_arguments():
    """What `Popen` told is not told again by what it uses; this is another program."""
    subprocess.run(["true", "x"], check=True, executable="/bin/true")
    os.waitpid(os.posix_spawn(TOOL, ["true", "x"], os.environ), 0)
    return os.path.exists(MARK)


@attempt
def by_a_python_child():
    code = "import subprocess, sys\nsubprocess.run([sys.argv[1]])"
    done = subprocess.run([sys.executable, "-c", code, TOOL], stderr=subprocess.PIPE)
    return (done.returncode, b"gnomon.PolicyDenied" in done.stderr, os.path.exists(MARK))


ARGUMENTS = {
    "plain": ["true", "--upload", "x"],
    "bytes": ["true", b"--upload", b"x"],
    "pathlib": ["true", "--upload", Path("x")],
    "tuple": ("true", "--upload", "x"),
    "one argument": ["true", "--upload x"],
}
for name, argv in ARGUMENTS.items():
    outcomes.ATTEMPTS["argv: " + name] = lambda argv=argv: start(argv)
outcomes.ATTEMPTS["argv: shell"] = lambda: start("true --upload x", shell=True)


def leave_mark():
    Path(MARK).touch()


@attempt
def multiprocessing_spawn():
    child = multiprocessing.get_context("spawn").Process(target=leave_mark)
    child.start()
    child.join()
    was_there = os.path.exists(MARK)
    if was_there:
        os.remove(MARK)
    return was_there


@attempt
def object_of_its_own():
    return start([Own(TOOL)])


# What a policy does not stop.


@attempt
def copy_under_another_name():
    shutil.copy(TOOL, "other-name")
    return start([f"{ROOT}/other-name"])


@attempt
def by_a_shell():
    return start(f"exec {TOOL}", shell=True)


@attempt
def by_another_program():
    return start(["env", TOOL])


@attempt
def found_in_a_search_path_of_its_own():
    before = os.environ["PATH"]
    os.environ["PATH"] = WITH_TOOLS["PATH"]
    try:
        return start(["other-tool"])
    finally:
        os.environ["PATH"] = before


@attempt
def argv_in_quotes_of_a_shell():
    return start("true --up''load x", shell=True)


if __name__ == "__main__":
    outcomes.print_all()
