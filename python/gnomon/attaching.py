"""Has a running Python begin to record itself: by `sys.remote_exec` (PEP 768) in another of the same version.

The program executes a script of ours (`attached.py`) in its own name, which does nothing that the program
could not do. As root nothing is executed that anybody else could have written, unless as the program's user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .places import bootstrap, machine_spool, spool_of
from .rollout.asking import who_may_ask
from .target import Closed, Gone, Target, is_alive, look_at

# CPython's Include/cpython/pystate.h: what the path of the script may be long, with its NUL.
_MAX_PATH = 512
_MAX_ANSWER = 4096
_SECONDS_TO_ASK = 30
_PLACES = ("tmp", "var/tmp", "dev/shm")
_NAME = "gnomon-attach"
_ASK = """
import sys
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except BaseException as error:
    said = []
    while error is not None:
        said.append(type(error).__name__ + ": " + str(error))
        error = error.__cause__ or error.__context__
    sys.stdout.write("; ".join(said))
    sys.exit(1)
"""

State = Literal["recorded", "pending", "failed", "interrupted", "ended"]


class Refused(Exception):
    """It cannot be attached to. `hint` says what would help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Attached:
    """What came of it.

    Attributes:
        state: `pending` where the program has not come to execute our script yet, but will.
        reason: Why it failed.
        spool: Where its records go.
        process: The id that it records under.
    """

    state: State
    reason: str | None = None
    spool: str | None = None
    process: str | None = None


@dataclass(frozen=True)
class Wish:
    """What is wanted of the recording.

    Attributes:
        spool: The directory; `None` for the user's own. The machine's settings win over it.
        policies: Compiled policies.
        children: Have the Pythons that it starts recorded, too.
    """

    spool: str | None = None
    policies: Sequence[bytes] = ()
    children: bool = True


def attach(target: Target, wish: Wish, *, seconds: float) -> Attached:
    """Begins the recording of `target`, and waits for it.

    Args:
        target: The process.
        wish: What is wanted.
        seconds: How long to wait for the program to come to it.

    Raises:
        Refused: It cannot be.
    """
    check(target)
    interpreters = list(_interpreters(target))
    if not interpreters:
        raise _no_interpreter(target)
    with _Letter(target, wish) as letter:
        problem = _ask(target, interpreters, letter.script)
        if problem and not is_alive(target):
            return Attached("ended")
        if problem:
            raise _refusal(target, problem)
        letter.forget_others()
        said = letter.wait(seconds)
        if said is None:
            state: State = "pending" if is_alive(target) else "ended"
            letter.is_pending = state == "pending"
            return Attached(state, spool=letter.spool)
    word, _, reason = said.partition("\n")[0].partition(" ")
    if word == "recorded":
        try:
            now = look_at(target.pid)
        except (Gone, Closed):
            return Attached("recorded", spool=letter.spool)  # it has ended meanwhile
        spool = os.path.dirname(now.segment) if now.segment else letter.spool
        return Attached("recorded", spool=spool, process=now.process)
    if word == "interrupted":
        return Attached("interrupted", "the program handled a signal at that moment")
    return Attached("failed", reason or "it said nothing")


def check(target: Target) -> None:
    """Finds out what is against it, as far as can be known without asking the interpreter.

    Raises:
        Refused: Something is.
    """
    number, version = target.pid, target.version
    run = "start it with `gnomon run`, or install gnomon for the whole machine"
    if version is None:
        raise Refused(f"process {number} is no Python", "`ps -ef` shows what it is")
    if target.recorder and target.segment:
        where = os.path.dirname(target.segment)
        raise Refused(
            f"process {number} is recorded already, into `{where}`", f"see `gnomon show --all {where}`"
        )
    if (version.major, version.minor) < (3, 14):
        known = f"Python {version}" if version.minor else "an old Python"
        raise Refused(f"process {number} runs {known}: only 3.14 and later can be attached to", run)
    _check_place(target)
    me = os.geteuid()
    if me not in (0, target.uid):
        raise Refused(
            f"process {number} belongs to {target.user}",
            f"say `sudo gnomon attach {number}`, or ask {target.user}",
        )
    if target.is_traced:
        raise Refused(f"process {number} is held by a debugger", "end that one first")


def _check_place(target: Target) -> None:
    if target.is_other_root or target.namespaces & {"pid", "user"}:
        inside = "`docker exec` or `nsenter`" if target.namespaces else "`chroot`"
        raise Refused(
            f"process {target.pid} sees other files: it is in a container, or in another root directory",
            f"install gnomon there, and say `gnomon attach` inside of it, by {inside}",
        )


def _no_interpreter(target: Target) -> Refused:
    assert target.version is not None
    if target.is_replaced:
        why = "its program file was replaced since it started"
    elif target.is_python_named:
        why = "its own may be written by others than root, and root executes no such file"
    else:
        why = f"`{target.executable}` only embeds one"
    return Refused(
        f"there is no interpreter to ask process {target.pid} with: {why}",
        f"install {target.version.name}, or say it with a gnomon that is installed for {target.version.name}",
    )


@dataclass(frozen=True)
class _Interpreter:
    """An executable that may ask, and as whom it is run: `None` for as we are."""

    path: str
    user: tuple[int, int] | None = None


def _interpreters(target: Target) -> Iterator[_Interpreter]:
    """Those of the target's version, the best first."""
    version = target.version
    assert version is not None
    is_same = sys.version_info[:2] == (version.major, version.minor)
    if is_same and sys.hexversion == version.hexadecimal and _is_free_threaded() == version.is_free_threaded:
        yield _Interpreter(sys.executable)
    is_usable = target.is_python_named and not target.is_replaced
    places = [target.executable] if is_usable else []
    found = shutil.which(version.name, path="/usr/local/bin:/usr/bin:/bin" if os.geteuid() == 0 else None)
    places += [os.path.realpath(found)] if found else []
    for path in filter(os.path.isfile, places):
        if os.geteuid() in who_may_ask(path):
            yield _Interpreter(path)
    if os.geteuid() == 0 and target.uid != 0 and is_usable:
        yield _Interpreter(target.executable, (target.uid, target.gid))


def _is_free_threaded() -> bool:
    return "t" in getattr(sys, "abiflags", "")


def _ask(target: Target, interpreters: Sequence[_Interpreter], script: str) -> str:
    """Asks by the first interpreter that can. Returns what was wrong with the last, if none could."""
    problem = ""
    for interpreter in interpreters:
        problem = _ask_by(interpreter, target, script)
        if not problem:
            break
    return problem


def _ask_by(interpreter: _Interpreter, target: Target, script: str) -> str:
    """Asks. Returns what was wrong, empty text for nothing."""
    kept = {} if os.geteuid() == 0 else {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    command = [interpreter.path, "-I", "-S", "-c", _ASK, str(target.pid), script]
    user, group = interpreter.user or (None, None)
    try:
        done = subprocess.run(
            command,
            env=kept,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS_TO_ASK,
            check=False,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    if done.returncode == 0:
        return ""
    said = done.stdout[:_MAX_ANSWER].decode("utf-8", "replace")
    return said or f"`{interpreter.path}` ended with status {done.returncode}"


def _refusal(target: Target, problem: str) -> Refused:
    number = target.pid
    run = "start it with `gnomon run`, or install gnomon for the whole machine"
    if "not enabled" in problem or "disable" in problem:
        return Refused(f"process {number} was started with remote debugging disabled", run)
    if "not supported" in problem or "not been compiled" in problem:
        return Refused(f"the Python of process {number} was built without remote debugging", run)
    if "PermissionError" in problem or "not permitted" in problem:
        scope = _ptrace_scope()
        if scope and os.geteuid() != 0:
            hint = f"kernel.yama.ptrace_scope is {scope} here: say `sudo gnomon attach {number}`"
        elif os.geteuid() != 0:
            hint = f"say `sudo gnomon attach {number}`"
        else:
            hint = "it takes CAP_SYS_PTRACE, which containers are often without"
        return Refused(f"the kernel does not let us into process {number}", hint)
    return Refused(f"process {number} cannot be asked: {problem}", run)


def _ptrace_scope() -> int:
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


class _Letter:
    """The private directory with the script, what it needs, and the file for its answer.

    The script removes it all as soon as it runs, and so do we, unless it is still to run.
    """

    def __init__(self, target: Target, wish: Wish) -> None:
        self.is_pending = False
        self._target = target
        # A service may have a /tmp of its own; this way it is the same for both of us.
        self._root = f"/proc/{target.pid}/root" if "mnt" in target.namespaces else ""
        self._names: list[str] = []
        self._parent, self._place = self._open_place()
        try:
            self._fill(wish)
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> _Letter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_pending:
            self.remove()
        for descriptor in (self._answer, self._directory, self._parent):
            os.close(descriptor)

    def _open_place(self) -> tuple[int, str]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        name = f"{_NAME}-{self._target.pid}-{self._target.started}-{os.urandom(8).hex()}"
        for place in _PLACES:
            try:
                parent = os.open(f"{self._root}/{place}", flags)
            except OSError:
                continue
            try:
                os.mkdir(name, 0o700, dir_fd=parent)
            except OSError:
                os.close(parent)
                continue
            self._name = name
            self._directory = os.open(name, flags, dir_fd=parent)
            return parent, f"{self._root}/{place}/{name}"
        raise Refused("there is no directory for temporary files", "look at /tmp")

    def _fill(self, wish: Wish) -> None:
        """Writes all files, and gives them to the target's user at the end."""
        target = self._target
        self._answer = self._file("answer", b"")
        environment, directories = self._environment(wish)
        policies = []
        for data in wish.policies:
            path = _policy_path(self.spool or "", data)
            name = os.path.basename(path)
            os.close(self._file(name, data))
            policies.append((path, f"{self._place}/{name}"))
            environment["GNOMON_POLICY"] = os.pathsep.join(
                filter(None, (environment.get("GNOMON_POLICY"), path))
            )
        self.script = f"{self._place}/attach.py"
        order = {
            "answer": f"{self._place}/answer",
            "directory": self._place,
            "files": [self.script, *(f"{self._place}/{name}" for name in self._names)],
            "package": os.path.dirname(bootstrap()),
            "directories": directories,
            "policies": policies,
            "environment": environment,
            "lists": ["PYTHONPATH", "GNOMON_POLICY"],
            "children": wish.children,
            "later": [],
        }
        os.close(self._file("attach.py", _script(order)))
        if len(os.fsencode(self.script)) >= _MAX_PATH:
            raise Refused(f"the path `{self.script}` is too long", None)
        if os.geteuid() != target.uid:
            os.fchown(self._directory, target.uid, target.gid)

    def _file(self, name: str, data: bytes) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self._directory)
        self._names.append(name)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if os.geteuid() != self._target.uid:
            os.fchown(descriptor, self._target.uid, self._target.gid)
        return descriptor

    def _environment(self, wish: Wish) -> tuple[dict[str, str], list[str]]:
        """What the recorder and the children are to be told, and the directories to make for that."""
        self.spool: str | None = None
        if machine_spool():
            return {}, []
        target = self._target
        home = _home(target)
        self.spool = os.path.abspath(wish.spool) if wish.spool else spool_of(target.environment, home)
        directories: list[str] = []
        above = self.spool
        while above != "/" and not os.path.lexists(f"{self._root}{above}"):
            directories.insert(0, above)
            above = os.path.dirname(above)
        return {"PYTHONPATH": bootstrap(), "GNOMON_SPOOL": self.spool}, directories

    def wait(self, seconds: float) -> str | None:
        """What the script says, or nothing within that time."""
        end = time.monotonic() + seconds
        pause = 0.002
        while True:
            is_last = time.monotonic() >= end or not is_alive(self._target)
            said = os.pread(self._answer, _MAX_ANSWER, 0)
            if said.endswith(b"\n"):
                return said[:-1].decode("utf-8", "replace")
            if is_last:
                return None
            time.sleep(min(pause, max(0.0, end - time.monotonic())))
            pause = min(pause * 1.5, 0.1)

    def forget_others(self) -> None:
        """Removes what earlier calls left and nobody will execute: this one has taken their place."""
        target = self._target
        for name in os.listdir(self._parent):
            words = name.split("-")
            if not name.startswith(f"{_NAME}-") or len(words) != 5 or name == self._name:
                continue
            if words[2:4] == [str(target.pid), str(target.started)]:
                self._remove(name)

    def remove(self) -> None:
        """Removes it, as far as the script has not."""
        self._remove(self._name)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            directory = os.open(name, flags, dir_fd=self._parent)
            try:
                if os.fstat(directory).st_uid not in (os.geteuid(), self._target.uid):
                    return
                for entry in os.listdir(directory):
                    os.unlink(entry, dir_fd=directory)
            finally:
                os.close(directory)
            os.rmdir(name, dir_fd=self._parent)


def _script(order: dict[str, object]) -> bytes:
    """`attached.py`, and a call of it.

    The last line raises a signal where that is due. Nothing after it looks for signals, so that it is the
    program's code that handles it: iteration in C does not look, as the call of a function would.
    """
    path = f"{os.path.dirname(os.path.abspath(__file__))}/attached.py"
    with open(path, encoding="utf-8") as file:
        body = file.read()
    end = (
        f"_order = {order!r}\n"
        "while 'is_said' not in _order:\n"
        "    try:\n        _begin(_order)\n"
        "    except BaseException as _error:\n        _interrupted(_order, _error)\n"
        "import _thread\n"
        "[*map(_thread.interrupt_main, _order['later'])]\n"
    )
    return (body + "\n" + end).encode("utf-8", "backslashreplace")


def _home(target: Target) -> str:
    import pwd

    home = target.environment.get("HOME")
    if home and os.path.isabs(home):
        return home
    try:
        return pwd.getpwuid(target.uid).pw_dir
    except KeyError:
        return "/"


def _policy_path(spool: str, data: bytes) -> str:
    import hashlib

    from .policy import SUFFIX

    return f"{spool}/policy-{hashlib.sha256(data).hexdigest()[:32]}{SUFFIX}"
