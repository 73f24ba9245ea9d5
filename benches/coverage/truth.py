"""What an operation did, by the system calls that strace saw: the truth that recordings are measured by.

Counted is what the operation asked for. Left out is what the system and the interpreter do for themselves
(`SYSTEM`, the folders that the caller names, the listing of the current folder in search of modules);
files that could not be opened; folders that are opened to be emptied and removed; connections of UDP
sockets, by which the C library sorts addresses; and what programs do that are not Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acts import Act, Names
from subject import BEGIN, END

_FILES = "open,openat,openat2,creat,unlink,unlinkat,rmdir,mkdir,mkdirat,rename,renameat,renameat2,link,linkat"
_MORE = "symlink,symlinkat,mknod,mknodat,connect,bind,sendto,sendmsg,sendmmsg,execve,clone,clone3,fork,vfork"

# The C library, the loader, the kernel's own files: no program asks for them.
SYSTEM = (
    r"/(usr/)?lib(32|64)?/(.*\.so[.\d]*|locale/.*|.*/gconv/.*|.*/locale/.*|os-release)",
    r"/usr/local/lib/.*\.so[.\d]*",
    r"/usr/share/(zoneinfo|locale|i18n)(/.*)?",
    r"/etc/(ld\.so.*|localtime|nsswitch\.conf|resolv\.conf|host\.conf|gai\.conf|passwd|group|services)",
    r"/etc/(protocols|networks|locale\.alias|os-release)",
    r"/(etc|usr/lib)/ssl/openssl\.cnf|/etc/gss/.*",
    r"/(proc|sys)(/.*)?",
    r"/dev/(null|zero|full|tty|u?random)",
    r"/(var/)?run/(nscd|systemd)/.*",
)
_SYSTEM = re.compile("|".join(SYSTEM))
_HOSTS = "/etc/hosts"

_LINE = re.compile(r"(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+|\?)(.*)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_IP = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_UNIX = re.compile(r'sun_path=(@?)"((?:[^"\\]|\\.)*)"')
_REMOVED_FOLDER = "delete folder"
_REMOVES = ("unlink", "unlinkat")
_MAKES = ("mkdir", "mkdirat", "mknod", "mknodat")
_RENAMES = ("rename", "renameat", "renameat2")
_LINKS = ("link", "linkat", "symlink", "symlinkat")


@dataclass(frozen=True)
class Call:
    """One system call of one thread."""

    time: float
    name: str
    arguments: str
    result: int
    more: str

    @property
    def has_failed(self) -> bool:
        return self.result < 0


class Failed(Exception):
    """The operation itself did not work; the text has what it said."""


def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        raise SystemExit("cannot tell the truth: there is no strace\nhint: apt-get install strace")
    return found


def truth(
    argv: Sequence[str], place: Path, env: Mapping[str, str], traces: Path, own: Sequence[Path], names: Names
) -> set[Act]:
    """Runs the program below strace, and says what it did between its marks.

    Args:
        argv: The program, which sets the marks.
        place: The folder that it runs in.
        env: Its environment.
        traces: An empty folder for what strace writes.
        own: The folders of the interpreter and its libraries.
        names: What to call what differs from run to run.
    """
    options = ["-f", "-ff", "-ttt", "-yy", "-s", "4096", "--seccomp-bpf", "-qq", "-o", str(traces / "trace")]
    command = [strace(), *options, "-e", f"trace={_FILES},{_MORE}", "-e", "signal=none", *argv]
    done = subprocess.run(
        command, cwd=place, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise Failed(done.stderr.strip()[-600:])
    threads = {int(path.suffix[1:]): list(_calls(path)) for path in traces.iterdir()}
    begin, end = (_mark(threads, mark) for mark in (BEGIN, END))
    acts: set[Act] = set()
    for calls in _of_pythons(threads).values():
        for call in calls:
            if begin < call.time < end:
                acts.update(_acts(call, place, own, names))
    removed = {act.target for act in acts if act.kind == _REMOVED_FOLDER}
    opened = {Act(kind, folder) for kind in ("open", "list") for folder in removed}
    acts -= opened | {Act("list", ".")}
    return {Act("delete", act.target) if act.kind == _REMOVED_FOLDER else act for act in acts}


def _calls(path: Path) -> Iterator[Call]:
    for line in path.read_text(errors="surrogateescape").splitlines():
        found = _LINE.fullmatch(line)
        if found and found[4] != "?":
            yield Call(float(found[1]), found[2], found[3], int(found[4]), found[5])


def _mark(threads: dict[int, list[Call]], mark: str) -> float:
    times = [call.time for calls in threads.values() for call in calls if f'"{mark}"' in call.arguments]
    if len(times) != 1:
        raise Failed(f"strace saw the mark {mark} {len(times)} times")
    return times[0]


def _of_pythons(threads: dict[int, list[Call]]) -> dict[int, list[Call]]:
    """The threads, each up to where another program takes its place, without such programs' children."""
    kept: dict[int, list[Call]] = {}
    children = {call.result for calls in threads.values() for call in calls if _starts(call)}
    waiting = [thread for thread in threads if thread not in children]
    while waiting:
        thread = waiting.pop()
        calls = kept[thread] = list(_until_another_program(threads.get(thread, [])))
        waiting += [call.result for call in calls if _starts(call)]
    return kept


def _starts(call: Call) -> bool:
    return call.name in ("clone", "clone3", "fork", "vfork") and call.result > 0


def _until_another_program(calls: list[Call]) -> Iterator[Call]:
    for call in calls:
        yield call
        if call.name == "execve" and not call.has_failed and "python" not in _program(call):
            return


def _program(call: Call) -> str:
    found = _TEXT.search(call.arguments)
    return os.path.basename(_plain(found[1])) if found else ""


def _plain(text: str) -> str:
    """Text as strace escapes it."""
    return (
        text.encode("latin-1", "replace").decode("unicode_escape").encode("latin-1").decode(errors="replace")
    )


def _acts(call: Call, place: Path, own: Sequence[Path], names: Names) -> Iterator[Act]:
    if call.name == "execve":
        if not call.has_failed:
            yield Act("start", _program(call))
    elif call.name in ("connect", "bind", "sendto", "sendmsg", "sendmmsg"):
        yield from _peer(call, place, names)
    elif not call.has_failed:
        yield from _file(call, place, own, names)


def _file(call: Call, place: Path, own: Sequence[Path], names: Names) -> Iterator[Act]:
    paths = [
        os.path.normpath(place / (base or "") / _plain(text)) for base, text in _PATH.findall(call.arguments)
    ]
    if not paths:
        return
    if paths[0] == _HOSTS:
        yield Act("name", "")
        return
    if _SYSTEM.fullmatch(paths[0]) or any(Path(paths[0]).is_relative_to(folder) for folder in own):
        return
    if call.name in _LINKS:
        yield Act("link", names.path(paths[-1]))
        return
    yield Act(_kind(call), names.path(paths[0]))


def _kind(call: Call) -> str:
    if call.name == "rmdir" or "AT_REMOVEDIR" in call.arguments:
        return _REMOVED_FOLDER
    if call.name in _REMOVES:
        return "delete"
    if call.name in _RENAMES:
        return "rename"
    if call.name in _MAKES:
        return "make"
    return "list" if "O_DIRECTORY" in call.arguments else "open"


def _peer(call: Call, place: Path, names: Names) -> Iterator[Act]:
    kind = call.name if call.name in ("connect", "bind") else "send"
    local = _UNIX.search(call.arguments)
    if local and not local[1] and local[2]:
        path = os.path.normpath(place / _plain(local[2]))
        if not _SYSTEM.fullmatch(path) and (kind != "connect" or "ENOENT" not in call.more):
            yield Act(kind, names.path(path))
        return
    port, address = _PORT.search(call.arguments), _IP.search(call.arguments)
    if port and address and not (kind == "connect" and "<UDP" in call.arguments):
        yield Act(kind, names.address(address[1] or address[2], int(port[1])))
