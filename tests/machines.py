"""Whole machines to try installing on: copies of an interpreter's directory, this machine under an overlay.

Nothing here changes this machine: what is written goes into a temporary directory, or into memory that only a
private mount namespace sees.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import gnomon
from gnomon.rollout import tools
from watching import Ended, environment

PACKAGE = Path(gnomon.__file__).resolve().parent

Tree = dict[str, tuple[object, ...]]


def tree(*roots: object) -> Tree:
    """All that is below `roots`: kind, mode, owner, group, content or target, time of change."""
    found: Tree = {}
    for root in roots:
        found[str(root)] = _entry(str(root))
        for base, directories, names in os.walk(str(root)):
            for name in (*directories, *names):
                found[f"{base}/{name}"] = _entry(f"{base}/{name}")
    return found


def _entry(path: str) -> tuple[object, ...]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ()
    content: object = None
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)


def _without_time(found: Tree, paths: Sequence[str]) -> Tree:
    return {path: (*found[path][:3], *found[path][4:]) for path in paths if path in found}


def differences(one: Tree, other: Tree) -> list[str]:
    """What is not the same in two trees, in words that a failed test can show."""
    names = sorted({*one, *other})
    return [
        f"{name}: {one.get(name)} is now {other.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    ]


_LEFT_OUT = (
    "test",
    "tests",
    "site-packages",
    "dist-packages",
    "idlelib",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "*sitecustomize*",
)


def copied_prefix(executable: str, target: Path) -> Path:
    """A copy of an installation with what it takes to start, and its interpreter's path."""
    question = "import os, sys; print(os.path.dirname(os.__file__), '%d.%d' % sys.version_info[:2])"
    answer = subprocess.run(
        [executable, "-I", "-S", "-c", question], capture_output=True, text=True, check=True
    )
    library, version = answer.stdout.split()
    shutil.copytree(
        library, target / "lib" / f"python{version}", symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_OUT)
    )
    (target / "lib" / f"python{version}" / "site-packages").mkdir()
    (target / "bin").mkdir()
    python = target / "bin" / f"python{version}"
    shutil.copy2(os.path.realpath(executable), python)
    return python


class Machine:
    """This machine under an overlay: everything is there, and every change is in memory."""

    def __init__(self, holder: int, place: str, lower: str) -> None:
        self._enter = ["nsenter", "-t", str(holder), "-m", tools.find("chroot") or "chroot", f"{place}/root"]
        self._place = f"/proc/{holder}/root{place}"
        self._lower = lower.rstrip("/")

    def path(self, path: object) -> Path:
        """What is called `path` there, as this process gets to it. Links are not followed there."""
        return Path(f"{self._place}/root{path}")

    def run(self, *argv: object, user: int | None = None, stdin: bytes = b"", **more: str) -> Ended:
        """Runs a command on it, as root or as `user`."""
        become = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        command = [*self._enter, *become, *map(str, argv)]
        done = subprocess.run(
            command,
            env=environment(**{"PATH": tools.search_path(), **more}),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=300,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def shell(self, script: str, **more: str) -> str:
        """Runs a script of the shell that must succeed, and returns what it prints."""
        return self.run("sh", "-euc", script, **more).checked().stdout.decode()

    def gnomon(self, *arguments: object, **more: str) -> Ended:
        """Runs the command `gnomon` of the package under test on it."""
        # Without bytecode, which would be a change of the machine.
        command = [sys.executable, "-B", "-m", "gnomon", *arguments]
        return self.run(*command, PYTHONPATH=str(PACKAGE.parent), **more)

    def tree(self, *roots: object) -> Tree:
        """As the function, there."""
        script = "import sys, json, machines; print(json.dumps(machines.tree(*sys.argv[1:])))"
        path = os.pathsep.join((str(PACKAGE.parent), str(Path(__file__).parent)))
        done = self.run(sys.executable, "-B", "-c", script, *roots, PYTHONPATH=path).checked()
        return {name: tuple(entry) for name, entry in json.loads(done.stdout).items()}

    def written(self) -> Tree:
        """All that was ever written there, by way of the overlay: as it is now, nothing where it is gone."""
        upper = f"{self._place}/upper"
        paths = [f"{base}/{name}" for base, folders, files in os.walk(upper) for name in (*folders, *files)]
        return {path[len(upper) :]: _entry(str(self.path(path[len(upper) :]))) for path in paths}

    def changes(self, before: Tree, *, timeless: Sequence[str] = ()) -> list[str]:
        """What is not as it was when `written` was called: of the whole machine, in words.

        Of `timeless` paths, the time of change may be another.
        """
        now = self.written()
        was = {path: before[path] if path in before else _entry(f"{self._lower}{path}") for path in now}
        return differences(*({**one, **_without_time(one, timeless)} for one in (was, now)))


_MAKES = """
set -eu
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs none "$1/root/run"
echo ready
exec sleep infinity
"""


def why_no_machine() -> str | None:
    """Why there can be no `Machine` here."""
    if os.geteuid() != 0:
        return "only root can mount an overlay"
    try:
        with machine():
            return None
    except OSError as error:
        return str(error)


@contextmanager
def machine(lower: str = "/") -> Iterator[Machine]:
    """A machine of its own, gone at the end: this one, or what has its root in `lower`.

    Raises:
        OSError: It cannot be made here.
    """
    place = tempfile.mkdtemp(prefix="machine-")
    command: Sequence[str] = [
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-c",
        _MAKES,
        "sh",
        place,
        lower,
    ]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stderr is not None
        if holder.stdout.readline() != b"ready\n":
            raise OSError(f"no overlay of this machine: {holder.stderr.read().decode().strip()}")
        yield Machine(holder.pid, place, lower)
    finally:
        holder.kill()
        holder.communicate()
        os.rmdir(place)
