"""What runs before programs do, and how that changed.

That is the `.pth` and `.start` files, `sitecustomize` and `usercustomize` of each environment, from the
inventories in a spool. An inventory says what an interpreter found when it started. Here they follow each
other: what was there at first, what is new, changed or gone since, and who saw it first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field

from . import Hook, HookFile, Process, Spool, Startup
from .finding import Finding, Severity
from .text import printable

KNOWN, NEW, CHANGED, GONE = "known", "new", "changed", "gone"
HOOK_NEW, HOOK_CHANGED = "startup-hook-new", "startup-hook-changed"
HOOK_UNOWNED, HOOK_DIFFERS = "startup-hook-unowned", "startup-hook-differs"
HOOKS_UNSEEN = "startup-hooks-unseen"

SYSTEM = "the system"
# What tools put into each environment that they make, and list nowhere: name and lines.
_OF_TOOLS: dict[tuple[str, tuple[str, ...]], str] = {
    ("_virtualenv.pth", ("import _virtualenv",)): "virtualenv"
}
_SHOWN = 3


@dataclass(frozen=True)
class Sighting:
    """Who saw something first.

    Attributes:
        time: When that process started, in nanoseconds since 1970.
        process: Its id; empty where it is not known.
        script: What it ran.
        user: Whose it was.
        uid: The same as a number.
    """

    time: int
    process: str = ""
    script: str = ""
    user: str = ""
    uid: int = -1

    @classmethod
    def by(cls, process: Process) -> Sighting:
        """That of a process."""
        script = process.script_file or process.script or ""
        return cls(process.started, process.id, script, process.user or str(process.uid), process.uid)


@dataclass(frozen=True)
class Look:
    """An interpreter that looked at what would run at its start.

    Attributes:
        startup: The file of the inventory of what it found.
        machine: The machine's id, or its name where it has none.
        host: The machine's name.
        python: The version of the interpreter.
        seen: Which process it was.
    """

    startup: str
    machine: str
    host: str
    python: str
    seen: Sighting

    @classmethod
    def by(cls, process: Process) -> Look:
        """That of a process, which is no fork."""
        machine = process.machine or process.host
        return cls(process.startup or "", machine, process.host, process.python, Sighting.by(process))


@dataclass(frozen=True)
class HookFinding(Finding):
    """Something about a hook that somebody should look at.

    Attributes:
        id: `startup-hook-new`, `startup-hook-changed`, `startup-hook-unowned` (it executes code, and no
            installed distribution lists it), `startup-hook-differs` (it is not what its distribution
            installed), `startup-hooks-unseen` (there are more than were looked at).
        prefix: The environment.
        path: The hook, or the directory.
        seen: Who saw it first.
        is_change: Whether it came after the first inventory of the environment.
    """

    prefix: str = ""
    path: str = ""
    seen: Sighting = field(default_factory=lambda: Sighting(0))
    is_change: bool = False


@dataclass
class State:
    """A hook over time.

    Attributes:
        hook: As it was seen last.
        status: `known` (there at first, and the same since), `new`, `changed`, `gone`.
        first: Who saw it first.
        last: Who saw it become what it is.
    """

    hook: Hook
    status: str
    first: Sighting
    last: Sighting


@dataclass
class Environment:
    """The hooks of one `sys.prefix` on one machine, one inventory after the other."""

    prefix: str
    host: str = ""
    python: str = ""
    hooks: dict[str, State] = field(default_factory=dict)
    findings: list[HookFinding] = field(default_factory=list)
    inventories: int = 0
    first: Sighting | None = None
    last: Sighting | None = None
    _latest: str = ""
    _users: set[int] = field(default_factory=set)

    def add(self, startup: Startup, seen: Sighting, name: str = "") -> list[HookFinding]:
        """Takes the next inventory, called `name`; returns what was not said of the hooks before."""
        is_first, is_same = self.inventories == 0, bool(name) and name == self._latest
        self.first, self.last = self.first or seen, seen
        # A user's own site directory is the environment's for that user alone.
        is_first_of_user = startup.has_user_site and seen.uid not in self._users
        if startup.has_user_site:
            self._users.add(seen.uid)
        if is_same and not is_first_of_user:
            return []
        self._latest, self.inventories = name, self.inventories + 1
        found: list[HookFinding] = []
        for hook in startup.hooks:
            path = hook.file.path
            is_base = is_first or (is_first_of_user and not self._is_inside(path))
            found += self._see(hook, seen, is_base=is_base)
        if not startup.unseen:
            self._miss(startup, seen)
        else:
            found.append(self._flood(startup, seen, is_change=not is_first))
        self.findings += found
        return found

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self.prefix.rstrip("/") + "/")

    def _see(self, hook: Hook, seen: Sighting, *, is_base: bool) -> Iterator[HookFinding]:
        path, state = hook.file.path, self.hooks.get(hook.file.path)
        if state is None or state.status == GONE:
            status = KNOWN if is_base and state is None else NEW
            self.hooks[path] = State(hook, status, state.first if state else seen, seen)
            if status == NEW:
                yield self._finding(HOOK_NEW, hook, seen, f"is new: it {described(hook)}", is_change=True)
            else:
                yield from self._standing(hook, seen)
            return
        changes = list(_changes(state.hook, hook))
        if changes:
            status = NEW if state.status == NEW else CHANGED
            self.hooks[path] = State(hook, status, state.first, seen)
            what = f"changed ({_and(changes)}): it {described(hook)}"
            yield self._finding(HOOK_CHANGED, hook, seen, what, is_change=True)

    def _standing(self, hook: Hook, seen: Sighting) -> Iterator[HookFinding]:
        """What is to be said of a hook that was there at first."""
        differing = differs(hook)
        if differing:
            what = f"is not as {owner(hook)} installed it: {differing}"
            yield self._finding(HOOK_DIFFERS, hook, seen, what, is_change=False)
        elif executes(hook) and owner(hook) is None and not hook.is_own:
            yield self._finding(HOOK_UNOWNED, hook, seen, described(hook), is_change=False)

    def _miss(self, startup: Startup, seen: Sighting) -> None:
        """Notes which hooks are gone from the directories that were looked at."""
        there = {hook.file.path for hook in startup.hooks}
        looked = {directory.rstrip("/") for directory in startup.directories}
        for path, state in self.hooks.items():
            if state.status != GONE and path not in there and folder(state.hook) in looked:
                self.hooks[path] = State(state.hook, GONE, state.first, seen)

    def _flood(self, startup: Startup, seen: Sighting, *, is_change: bool) -> HookFinding:
        sentence = (
            f"{self.prefix} has {startup.unseen:,} more .pth and .start files than the "
            f"{len(startup.hooks):,} that were looked at"
        )
        remedy = "look into " + ", ".join(startup.directories[:_SHOWN])
        place = self.prefix
        return HookFinding(
            HOOKS_UNSEEN, "high", sentence, remedy, (), place, place, seen=seen, is_change=is_change
        )

    def _finding(self, id: str, hook: Hook, seen: Sighting, what: str, *, is_change: bool) -> HookFinding:
        path = hook.file.path
        place, said = (self.prefix, path), (f"{path} {what}", _remedy(hook), ())
        return HookFinding(id, severity(hook), *said, *place, seen=seen, is_change=is_change)


def folder(hook: Hook) -> str:
    """The directory that it was found in."""
    path, name = os.path.split(hook.file.path)
    return os.path.dirname(path) if name == "__init__.py" else path


def executes(hook: Hook) -> bool:
    """Whether code runs at each start because of it, as far as that is known."""
    is_code = hook.kind in ("sitecustomize", "usercustomize")
    return is_code or hook.executed > 0 or bool(hook.file.problem and hook.file.size)


def owner(hook: Hook) -> str | None:
    """Whose it is: a distribution with its version, a tool, the system; `None` where nobody says."""
    file = hook.file
    if file.distribution:
        return f"{file.distribution} {file.version}" if file.version else file.distribution
    tool = _OF_TOOLS.get((os.path.basename(file.path), tuple(hook.lines)))
    if tool:
        return tool
    if hook.is_own:
        return "gnomon"
    return SYSTEM if file.owner_uid == 0 and _is_of_system(file.path) else None


def _is_of_system(path: str) -> bool:
    """Whether it lies where packages of the operating system put such things, and pip does not."""
    place = os.path.dirname(path)
    name = os.path.basename(place)
    return place.startswith("/usr/lib") and (name == "dist-packages" or name.startswith("python"))


def differs(hook: Hook) -> str:
    """Which of its files are not what their distribution installed; empty where none."""
    files = [file for file in (hook.file, *hook.modules) if file.is_as_installed is False]
    return ", ".join(os.path.basename(file.path) for file in files)


def severity(hook: Hook) -> Severity:
    """How much code of unknown origin it runs."""
    if not executes(hook):
        return "low"
    is_vouched = owner(hook) is not None and not differs(hook)
    return "medium" if is_vouched or hook.is_own else "high"


def described(hook: Hook) -> str:
    """What it does and whose it is, in a clause."""
    whose = owner(hook)
    is_whose = f"belongs to {whose}" if whose else "belongs to no installed distribution"
    if hook.file.problem:
        return f"could not be looked into ({hook.file.problem}) and {is_whose}"
    if not executes(hook):
        return f"executes nothing and {is_whose}"
    what = f"executes `{printable(hook.lines[0], 80)}`" if hook.lines else "executes code"
    return f"{what} at every start and {is_whose}"


def _remedy(hook: Hook) -> str:
    file = hook.file
    if file.distribution:
        pin = f"{file.distribution}=={file.version}" if file.version else file.distribution
        return f"ask who installed {pin}; `pip install --force-reinstall --no-deps {pin}` puts its files back"
    if hook.is_own:
        return "`gnomon doctor` says whether it is gnomon's"
    return f"find out who put {file.path} there, and remove it if nobody meant to"


def _content(file: HookFile) -> tuple[object, ...]:
    """What says that it is the same as before: its hash, or what the file system says where there is none."""
    if file.sha256:
        return (file.sha256,)
    return (file.size, file.modified, file.changed, file.inode)


def _changes(before: Hook, after: Hook) -> Iterator[str]:
    if _content(before.file) != _content(after.file):
        yield "its content"
    if before.target != after.target:
        yield f"it leads to {after.target}" if after.target else "it is no link any more"
    if before.file.owner_uid != after.file.owner_uid:
        yield f"its owner, from uid {before.file.owner_uid} to {after.file.owner_uid}"
    known = {file.path: _content(file) for file in before.modules}
    for file in after.modules:
        if known.get(file.path) != _content(file):
            yield f"{'/'.join(file.path.split('/')[-2:])}, which it imports"


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def history(spool: Spool) -> tuple[list[Environment], list[str]]:
    """The environments of `spool` with what happened to their hooks, and what could not be read."""
    startups, faults = spool.startups()
    problems = [f"{fault.path}:{fault.offset}: {fault.kind}" for fault in faults]
    looks = (Look.by(process) for process in spool.processes()[0] if not process.forked)
    found, missing = environments(looks, startups)
    problems += [f"{path}: it is not in the spool any more, or holds nothing" for path in missing]
    order = sorted(found.values(), key=lambda environment: (environment.prefix, environment.host))
    return order, problems


def environments(
    looks: Iterable[Look], startups: dict[str, Startup]
) -> tuple[dict[tuple[str, str], Environment], list[str]]:
    """The environments by machine and prefix, and the inventories that are missing."""
    missing: dict[str, None] = {}
    found: dict[tuple[str, str], Environment] = {}
    for look in sorted(looks, key=lambda look: look.seen.time):
        startup = startups.get(look.startup)
        if startup is None:
            missing.update({look.startup: None} if look.startup else {})
            continue
        key = (look.machine, startup.prefix)
        environment = found.setdefault(key, Environment(startup.prefix, look.host))
        environment.python = look.python
        environment.add(startup, look.seen, os.path.basename(look.startup))
    return found, list(missing)


def noted(processes: Iterable[Process], startups: dict[str, Startup]) -> list[HookFinding]:
    """What is to be said of the hooks of `processes`, which are those of one run.

    What is new or changed is told by the inventories alone, and in the run that saw it first: the processes
    of a whole spool are many, its inventories few.
    """
    began: dict[str, int] = {}
    for process in processes:
        if process.startup in startups:
            began[process.startup] = min(process.started, began.get(process.startup, process.started))
    earliest = min(began.values(), default=0)
    found: list[HookFinding] = []
    environments: dict[str, Environment] = {}
    # What other users' processes found says nothing here: they may have made it up.
    folders = {os.path.dirname(path) for path in began}
    seen = ((path, startup) for path, startup in startups.items() if os.path.dirname(path) in folders)
    for path, startup in sorted(seen, key=lambda item: item[1].created):
        environment = environments.setdefault(startup.prefix, Environment(startup.prefix))
        said = environment.add(startup, Sighting(startup.created), os.path.basename(path))
        if path not in began:
            continue
        if startup.created >= earliest:
            found += [finding for finding in said if finding.is_change]
        told = {finding.path for finding in found}
        for hook in startup.hooks:
            if hook.file.path not in told:
                found += environment._standing(hook, Sighting(startup.created))
    return list({(finding.id, finding.path): finding for finding in found}.values())


def sentence(findings: list[HookFinding]) -> str:
    """One line for all of them; empty where there are none."""
    words = {
        HOOK_NEW: "new",
        HOOK_CHANGED: "changed",
        HOOK_UNOWNED: "of no distribution",
        HOOK_DIFFERS: "not as installed",
        HOOKS_UNSEEN: "more than were looked at",
    }
    rows = [f"{printable(os.path.basename(finding.path), 60)} ({words[finding.id]})" for finding in findings]
    rows = list(dict.fromkeys(rows))
    if not rows:
        return ""
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"ran code before the program: {', '.join(rows[:_SHOWN])}{more}; see `gnomon startup`"


def as_dict(environment: Environment) -> dict[str, object]:
    """Plain data for JSON."""
    return {
        "prefix": environment.prefix,
        "host": environment.host,
        "python": environment.python,
        "inventories": environment.inventories,
        "first": asdict(environment.first) if environment.first else None,
        "last": asdict(environment.last) if environment.last else None,
        "hooks": [_state_as_dict(state) for _, state in sorted(environment.hooks.items())],
        "findings": [finding.as_dict() for finding in environment.findings],
    }


_FILE = (
    "path",
    "size",
    "modified",
    "changed",
    "mode",
    "owner_uid",
    "sha256",
    "distribution",
    "version",
    "is_as_installed",
    "problem",
)


def _state_as_dict(state: State) -> dict[str, object]:
    hook = state.hook
    return {
        "status": state.status,
        "kind": hook.kind,
        **_file_as_dict(hook.file),
        "owner": owner(hook),
        "target": hook.target,
        "executes": executes(hook),
        "executed": hook.executed,
        "lines": hook.lines,
        "modules": [_file_as_dict(file) for file in hook.modules],
        "is_own": hook.is_own,
        "first_seen": asdict(state.first),
        "last_changed": asdict(state.last),
    }


def _file_as_dict(file: HookFile) -> dict[str, object]:
    return {name: getattr(file, name) for name in _FILE}
