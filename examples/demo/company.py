"""The company's machines, made of this one: file systems, network, accounts and names of its own.

It takes root's rights and Linux. Where these are missing there is this machine, one user, the caller, and
a proxy in place of the network. Nothing here changes the machine: what is put over it is so in a private
mount namespace, and all of it ends with the demo's processes.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import story

_NEWNS, _NEWUTS, _NEWIPC, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
_BIND, _REC, _PRIVATE, _NOSUID, _NODEV, _NOEXEC = 0x1000, 0x4000, 0x40000, 2, 4, 8
_SET_NAME = 15
_SET_ADDRESS, _GET_FLAGS, _SET_FLAGS, _UP = 0x8916, 0x8913, 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot {what}: {os.strerror(error)}")


def _unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "make a namespace")


def _mount(source: str, target: str, flags: int, kind: str = "none") -> None:
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)
    _checked(_libc.mount(*arguments), f"mount `{target}`")


def why_not_private(*, is_wanted: bool) -> str | None:
    """Why the company cannot have machines of its own here; None where it can."""
    if not is_wanted:
        return "that was asked for"
    if sys.platform != "linux":
        return "this is not Linux"
    if os.geteuid() != 0:
        return "only root can make them"
    pid = os.fork()
    if pid == 0:
        try:
            _unshare(_NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET)
            _mount("none", "/", _REC | _PRIVATE)
        except OSError:
            os._exit(1)
        os._exit(0)
    return None if os.waitpid(pid, 0)[1] == 0 else "this system allows no namespaces"


@dataclass(frozen=True)
class Company:
    """Where its things are.

    Attributes:
        root: The directory that holds its files while nobody is in it.
        is_private: It has file systems, a network and accounts of its own.
        python: The interpreter, as the scripts see it.
        bootstrap: What arms gnomon, as the scripts see it.
    """

    root: Path
    is_private: bool
    python: str
    bootstrap: str

    def place(self, path: str) -> Path:
        """Where a path of the story lies while nobody is in the company."""
        return self.root / path.lstrip("/")

    def path(self, path: str) -> str:
        """What a script calls a path of the story."""
        return path if self.is_private else str(self.place(path))

    def text(self, text: str) -> str:
        """A text of the story as a script has it: with the paths that it sees."""
        if self.is_private:
            return text
        for top in story.TOPS:
            text = text.replace(f"{top}/", f"{self.place(top)}/")
        return text

    def enter(self, covered: Sequence[str], moved: Mapping[str, str]) -> None:
        """Has this process and its children live in the company.

        Args:
            covered: Directories that are empty there: what this machine has installed is nobody's business.
            moved: Directories of this machine, by the place in the company's own where they are.
        """
        _mount("none", "/", _REC | _PRIVATE)
        _mount("proc", "/proc", _NOSUID | _NODEV | _NOEXEC, "proc")
        root = self.root
        for place, source in moved.items():
            Path(place).mkdir(parents=True, exist_ok=True)
            _mount(source, place, _BIND)
        for directory in covered:
            _mount(str(root / "empty"), directory, _BIND)
        for name in ("passwd", "group", "hosts"):
            _mount(str(root / "etc" / name), f"/etc/{name}", _BIND)
        # /tmp last: what is to be put elsewhere may lie in it.
        for entry in sorted(root.iterdir(), key=lambda entry: entry.name == "tmp"):
            if entry.name == "var":
                _mount(str(root / "var/spool"), "/var/spool", _BIND | _REC)
            elif entry.name not in ("etc", "empty"):
                _mount(str(entry), f"/{entry.name}", _BIND | _REC)
        _network()

    def write_etc(self) -> None:
        """Its accounts, and the addresses of the services."""
        etc = self.root / "etc"
        etc.mkdir(parents=True)
        users = [f"{u.name}:x:{u.uid}:{u.uid}::/home/{u.name}:/bin/sh" for u in story.USERS.values()]
        (etc / "passwd").write_text("\n".join(["root:x:0:0::/root:/bin/sh", *users, ""]))
        groups = [f"{u.name}:x:{u.uid}:" for u in story.USERS.values()]
        teams = [f"{name}:x:{number}:" for name, number in story.TEAMS.items()]
        (etc / "group").write_text("\n".join(["root:x:0:", *groups, *teams, ""]))
        hosts = [f"{address} {name}" for name, address in story.ADDRESSES.items()]
        own = f"127.0.1.1 {' '.join(story.MACHINES)}"
        (etc / "hosts").write_text("\n".join(["127.0.0.1 localhost", own, *hosts, ""]))
        # Where all can see them: /etc itself is this machine's.
        ids = self.root / "var/spool"
        ids.mkdir(parents=True, exist_ok=True)
        for machine in story.MACHINES:
            digest = hashlib.md5(machine.encode(), usedforsecurity=False).hexdigest()
            boot = hashlib.md5(f"boot of {machine}".encode(), usedforsecurity=False).hexdigest()
            (ids / f"machine-id-{machine}").write_text(digest + "\n")
            parts = (boot[:8], boot[8:12], boot[12:16], boot[16:20], boot[20:])
            (ids / f"boot-id-{machine}").write_text("-".join(parts) + "\n")

    def become(self, machine: str) -> None:
        """Gives this process and its children another machine's name and ids."""
        _unshare(_NEWNS | _NEWUTS)
        socket.sethostname(machine)
        for name, target in (
            ("machine-id", "/etc/machine-id"),
            ("boot-id", "/proc/sys/kernel/random/boot_id"),
        ):
            if os.path.exists(target):
                _mount(f"/var/spool/{name}-{machine}", target, _BIND)


def _network() -> None:
    """Gives the machine's only interface, the loopback one, the addresses of all services."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        addresses = ["127.0.0.1", *dict.fromkeys(story.ADDRESSES.values())]
        for number, address in enumerate(addresses):
            name = b"lo" if number == 0 else b"lo:%d" % number
            at = struct.pack("<HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16s16s8x", name, at))
            flags = struct.unpack_from(
                "h", fcntl.ioctl(control, _GET_FLAGS, struct.pack("16s24x", b"lo")), 16
            )[0]
            fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


def divide() -> int:
    """Forks into new namespaces; returns 0 in their first process, and another number here at its end."""
    pid = os.fork()
    if pid == 0:
        inner = -1
        try:
            _unshare(_NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET)
            inner = os.fork()
        except OSError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        if inner == 0:
            return 0
        os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise RuntimeError(f"the week ended with status {status}")
    return pid


def call(name: str) -> None:
    """Gives this process the short name that its children see: `cron`."""
    _libc.prctl(_SET_NAME, name.encode(), 0, 0, 0)


@dataclass(frozen=True)
class Start:
    """What it takes to start a script."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: str
    user: story.User
    machine: str
    starter: str
    output: Path
    stdin: Path | None = None


def start(company: Company, wanted: Start) -> int:
    """Starts it, and returns the pid whose end is the script's.

    systemd starts by itself; all others stand between.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        if company.is_private:
            company.become(wanted.machine)
            os.setgroups([wanted.user.uid, story.TEAMS[wanted.user.team]])
            os.setgid(wanted.user.uid)
            os.setuid(wanted.user.uid)
        if wanted.starter == "systemd" and company.is_private:
            _execute(wanted)
        call(wanted.starter)
        inner = os.fork()
        if inner == 0:
            _execute(wanted)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]) & 0xFF)
    except BaseException as error:
        print(f"cannot start {wanted.argv}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(70)


def _execute(wanted: Start) -> None:
    output = os.open(wanted.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    stdin = os.open(wanted.stdin or os.devnull, os.O_RDONLY)
    for source, target in ((stdin, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.closerange(3, 64)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.chdir(wanted.directory)
    os.umask(0o022)
    os.execve(wanted.argv[0], list(wanted.argv), dict(wanted.environment))


def certificate(work: Path) -> Path:
    """A certificate for all names of the story, which is its own authority, and its key, in one file.

    Raises:
        FileNotFoundError: OpenSSL's program is not here.
    """
    key, path = work / "key.pem", work / "certificate.pem"
    names = "subjectAltName=" + ",".join(f"DNS:{name}" for name in story.ADDRESSES)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += [
        "-keyout",
        str(key),
        "-out",
        str(path),
        "-days",
        "3650",
        "-subj",
        "/CN=Meridian",
        "-addext",
        names,
    ]
    subprocess.run(command, check=True, capture_output=True)
    both = work / "both.pem"
    both.write_bytes(key.read_bytes() + path.read_bytes())
    return both
