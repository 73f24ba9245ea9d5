"""Whether a machine is as installing left it: ordered checks, each with a fact and what to do about it.

Nothing is believed that can be tried: each interpreter is started as an ordinary user, and has to be found in
the spool afterwards. Only looks; what it leaves behind are the records of those starts.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
import uuid
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..text import printable
from . import covering, files, here, interpreters, payload, preloading, running, settings, tools
from .asking import group_of, who_may_ask
from .errors import RolloutError
from .interpreters import Interpreter
from .layout import Layout
from .ledger import Ledger
from .settings import read_lines, skips

DESCRIPTION = (
    "Looks whether this machine is as installing left it: what is covered, what is not, and what to do. It "
    "starts each covered interpreter as an ordinary user, and looks for it in the spool. Exit code 1 when "
    "something is not right."
)

# States, worst first.
PROBLEM, WARNING, FINE, FACT = "problem", "warning", "ok", "fact"
_MARKS = {PROBLEM: "✗", WARNING: "!", FINE: "✓", FACT: "·"}
_CANARY_SECONDS = 30
# All canaries of one user together may take as long as this many that hang.
_PATIENCE = 2
# Environments start as their base does: of thousands, some tell enough.
_MAX_ENVIRONMENTS = 200
_SHOWN = 8


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What, in a word or two that do not change: for IT's inventory.
        state: `ok`; `problem`, something is not right; `warning`, somebody should know; `fact`.
        fact: What was found.
        remedy: What to do about it; empty where nothing is to be done.
    """

    name: str
    state: str
    fact: str
    remedy: str = ""


def examine(layout: Layout, *, canaries: bool = True) -> list[Check]:
    """Looks at everything, in the order in which one thing depends on another.

    Args:
        layout: Where gnomon's things are.
        canaries: Start each interpreter, and look for it in the spool.
    """
    if not _is_installed(layout):
        return [*_versions(layout), *_here(), *_not_installed(layout)]
    known = _Machine(layout)
    checks: list[Callable[[_Machine], Iterator[Check]]] = [
        _payload,
        _settings,
        _policies,
        _spool,
        _space,
        _timer,
        _coverage,
    ]
    if canaries:
        checks.append(_canaries)
    checks += [_running, _blind, _preload]
    found = list(_versions(layout))
    for check in checks:
        try:
            found += check(known)
        except (OSError, ValueError, KeyError, RolloutError) as error:
            # The rest is looked at all the same.
            fact = f"cannot be looked at: {printable(str(error))}"
            found.append(Check(check.__name__.strip("_"), PROBLEM, fact, _AS_ROOT))
    return [*found, *_here()]


def _is_installed(layout: Layout) -> bool:
    """Whether something is there, or may be, where it cannot be looked into."""
    for path in (layout.settings, layout.current):
        try:
            os.lstat(path)
            return True
        except FileNotFoundError:
            continue
        except OSError:
            return True
    return False


def _here() -> Iterator[Check]:
    """What `gnomon install --here` made."""
    directory = here.installed()
    if directory is not None:
        fact = f"this environment is recorded for itself ({printable(directory)})"
        yield Check("here", FACT, fact)


_AS_ROOT = "" if os.geteuid() == 0 else "run `gnomon doctor` as root"
_INSTALL = "run `gnomon install --all` as root"


class _Machine:
    """What several checks ask for, looked up once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.settings = read_lines(layout.settings)
        self.spool = (self.settings.get("spool") or [layout.spool])[0]
        # Who is not root reads the own records there, and no others.
        self.readable = self.spool if os.geteuid() == 0 else f"{self.spool}/{os.geteuid()}"
        search = interpreters.search()
        self.interpreters = search.interpreters
        self.skipped = search.skipped
        self.bases = [one for one in self.interpreters if not one.is_environment]
        self.running = running.running(self.interpreters)


def _versions(layout: Layout) -> Iterator[Check]:
    own = payload.version()
    try:
        with open(f"{layout.current}/{payload.VERSION}", encoding="utf-8") as file:
            installed = str(json.load(file)["version"])
    except (OSError, ValueError, KeyError):
        yield Check("version", FACT, f"this is gnomon {own}")
        return
    name = os.path.basename(os.path.realpath(layout.current))
    if installed == own:
        yield Check("version", FINE, f"gnomon {installed} is installed ({name})")
    else:
        yield Check("version", WARNING, f"gnomon {installed} is installed, this is {own}", _INSTALL)


def _not_installed(layout: Layout) -> Iterator[Check]:
    yield Check(
        "installation",
        PROBLEM,
        f"gnomon is not installed for this machine ({printable(layout.root)})",
        _INSTALL,
    )


def _payload(machine: _Machine) -> Iterator[Check]:
    current = machine.layout.current
    if not os.path.isdir(current):
        yield Check("payload", PROBLEM, f"`{current}` leads nowhere", _INSTALL)
        return
    wrong = [path for path in _parts(current) if not _is_for_all(path)]
    if wrong:
        place = printable(wrong[0])
        yield Check(
            "payload", PROBLEM, f"not everybody can read `{place}`", f"chmod a+rX {shlex.quote(place)}"
        )
        return
    library = next((name for name in os.listdir(current) if name.startswith("_native.")), None)
    if library is None:
        yield Check("payload", PROBLEM, f"there is no library in `{current}`", _INSTALL)
        return
    with open(f"{current}/{library}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    said = os.path.basename(os.path.realpath(current)).split("-")[-1].split(".")[0]
    if not digest.startswith(said):
        yield Check("payload", PROBLEM, "the library is not the one that was installed", _INSTALL)
    elif not zipfile.is_zipfile(f"{current}/{payload.PROGRAM}"):
        fact = f"`{payload.PROGRAM}`, which runs `keep`, is not there or not whole"
        yield Check("payload", PROBLEM, fact, _INSTALL)
    else:
        yield Check("payload", FINE, f"its library is whole (sha256 {digest[:16]}…)")


def _parts(directory: str) -> list[str]:
    """What has to be readable: all that is in it, and all directories above."""
    real = os.path.realpath(directory)
    above = [real]
    while above[0] != "/":
        above.insert(0, os.path.dirname(above[0]))
    return [*above, *(f"{real}/{name}" for name in sorted(os.listdir(real)))]


def _is_for_all(path: str) -> bool:
    mode = os.stat(path).st_mode
    wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
    return mode & wanted == wanted


def _settings(machine: _Machine) -> Iterator[Check]:
    path = printable(machine.layout.settings)
    if not machine.settings.get("spool"):
        yield Check("settings", PROBLEM, f"`{path}` names no spool", _AS_ROOT or _INSTALL)
    elif not _is_for_all(machine.layout.settings):
        yield Check("settings", PROBLEM, f"not everybody can read `{path}`", f"chmod 644 {shlex.quote(path)}")
    else:
        change = _changed(machine)
        if change:
            yield Check("settings", PROBLEM, change, _INSTALL)
        else:
            yield Check("settings", FINE, f"records go to {printable(machine.spool)}")


def _changed(machine: _Machine) -> str | None:
    """What the owner wrote since it was installed."""
    config = machine.layout.config
    installed = os.stat(machine.layout.settings).st_mtime
    try:
        decided = settings.read(config, machine.layout.spool)
    except RolloutError as error:
        return f"what would be installed next cannot be: {printable(str(error))}"
    for path in (config, *decided.policies):
        try:
            if os.stat(path).st_mtime > installed:
                return f"`{printable(path)}` was changed since it was installed"
        except FileNotFoundError:
            if path != config:
                return f"`{printable(path)}` is gone, which `{printable(config)}` names"
    return None


def _policies(machine: _Machine) -> Iterator[Check]:
    paths = machine.settings.get("policy", [])
    if not paths:
        yield Check("policy", FACT, "there is none: everything is allowed and recorded")
    for path in paths:
        from .. import _native

        try:
            if not _is_for_all(path):
                raise PermissionError("not everybody can read it")
            digest, rules = _native.policy_rules(path)
        except (OSError, ValueError) as error:
            fact = f"`{printable(path)}` cannot be used: {printable(str(error))}"
            yield Check("policy", PROBLEM, fact, _AS_ROOT or _INSTALL)
            continue
        fact = f"{printable(os.path.basename(path))}: {_count(len(rules), 'rule')}, sha256 {digest[:16]}…"
        yield Check("policy", FINE, fact)


def _spool(machine: _Machine) -> Iterator[Check]:
    path = machine.spool
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        yield Check("spool", PROBLEM, f"`{printable(path)}` is not there", _INSTALL)
        return
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
        yield Check("spool", PROBLEM, f"`{printable(path)}` is not a directory of root's", _INSTALL)
    elif mode & 0o3733 != 0o3733:
        yield Check(
            "spool",
            PROBLEM,
            f"`{printable(path)}` has mode {mode:o}: not everybody can record",
            f"chmod 3773 {shlex.quote(printable(path))}",
        )
    else:
        yield Check("spool", FINE, f"every user can record to {printable(path)} (mode {mode:o})")
    squatted = list(_squatted(path))
    if squatted:
        names = _some(squatted)
        remedy = "look who made it, then run `gnomon keep`"
        yield Check(
            "spool names",
            WARNING,
            f"directories that belong to another user than their name: {names}",
            remedy,
        )


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN:,} more" if len(words) > _SHOWN else "")


def _squatted(path: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(path))
    except PermissionError:
        return
    for name in names:
        named = re.fullmatch(r"([0-9]{1,10})(?:-[0-9a-f]+)?", name)
        if named:
            try:
                found = os.lstat(f"{path}/{name}")
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != int(named[1]):
                yield printable(name)


def _space(machine: _Machine) -> Iterator[Check]:
    try:
        found = os.statvfs(machine.spool)
    except FileNotFoundError:
        return  # said already
    free = found.f_bavail * found.f_frsize
    reserve = int((machine.settings.get("reserve") or ["0"])[0] or 0)
    said = f"{free / 1e9:,.1f} GB are free on the spool's disk"
    if free < reserve:
        yield Check(
            "space",
            PROBLEM,
            f"{said}, {reserve / 1e9:,.1f} GB have to stay free: nothing is recorded",
            "make room, or lower `reserve` in gnomon.toml and install again",
        )
    elif free < 2 * reserve or (found.f_files and found.f_favail < 1000):  # some file systems count none
        yield Check("space", WARNING, f"{said} ({found.f_favail:,} files)", "make room")
    else:
        yield Check("space", FINE, said)


def _timer(machine: _Machine) -> Iterator[Check]:
    ledger = Ledger.read(machine.layout.ledger)
    made = ledger.of_kind("timer")
    remedy = "run `gnomon keep` each hour by other means"
    if not made:
        yield Check(
            "timer", WARNING, "nothing here runs `gnomon keep`: records are not kept in bounds", remedy
        )
        return
    missing = [path for change in made for path in change["files"] if not os.path.exists(path)]
    if missing:
        yield Check("timer", PROBLEM, f"`{missing[0]}` is gone", _INSTALL)
        return
    python = _runs_keep(made[-1]["files"])
    if python and not os.access(python, os.X_OK):
        yield Check("timer", PROBLEM, f"`{printable(python)}`, which is to run `keep`, is gone", _INSTALL)
    elif made[-1].get("systemd"):
        yield _systemd_timer()
    else:
        yield Check("timer", FINE, f"cron runs `gnomon keep` each hour ({made[-1]['files'][0]})")


def _runs_keep(paths: Sequence[str]) -> str | None:
    """The interpreter that the files of a timer name."""
    for path in paths:
        text = (files.read_regular(path) or b"").decode("utf-8", "surrogateescape")
        named = re.search(r"""^(?:ExecStart="([^"]+)"|[^#\n].* root ('[^']+'|\S+) -I )""", text, re.MULTILINE)
        if named:
            return (named[1] or named[2].strip("'")).replace("%%", "%")
    return None


def _systemd_timer() -> Check:
    done = subprocess.run(
        [tools.find("systemctl") or "systemctl", "show", "gnomon-keep.timer", "--property=ActiveState"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "ActiveState=active" in done.stdout:
        return Check("timer", FINE, "systemd runs `gnomon keep` each hour")
    return Check(
        "timer", PROBLEM, "gnomon-keep.timer is not active", "systemctl enable --now gnomon-keep.timer"
    )


def _coverage(machine: _Machine) -> Iterator[Check]:
    covered = [one for one in machine.bases if interpreters.covered(one)]
    missing = [one for one in machine.bases if not one.obstacle and one not in covered]
    changed = [one for one in covered if _is_changed(machine, one.library)]
    never = [one for one in machine.interpreters if one.obstacle and not one.is_environment]
    environments = sum(1 for one in machine.interpreters if one.is_environment and interpreters.covered(one))
    if covered:
        fact = f"{_count(len(covered), 'interpreter')} and {_count(environments, 'environment')} are covered"
        yield Check("interpreters", FINE, fact)
    elif not missing:
        yield Check("interpreters", PROBLEM, "no interpreter is covered", _INSTALL)
    for one in changed:
        fact = f"what starts gnomon in {_named(one)} is not what was installed"
        yield Check("interpreters", PROBLEM, fact, f"look at {printable(one.library)}/sitecustomize.py")
    for one in missing:
        yield Check("interpreters", PROBLEM, f"{_named(one)} is not covered", _INSTALL)
    for one in never:
        yield Check("interpreters", FACT, f"{_named(one)} cannot be covered: {printable(str(one.obstacle))}")
    for sentence in machine.skipped:
        yield Check("interpreters", FACT, f"not searched: {printable(sentence)}")


def _is_changed(machine: _Machine, library: str) -> bool:
    """Whether somebody else wrote the loader, or another installation did."""
    source = files.read_regular(f"{machine.layout.current}/{payload.LOADER}")
    there = files.read_regular(f"{library}/sitecustomize.py")
    if source is None or there is None:
        return False
    return there != covering.loader_text(source, machine.layout.root).encode()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _named(one: Interpreter) -> str:
    return f"{printable(one.executable)} ({one.version or 'unknown version'})"


def _canaries(machine: _Machine) -> Iterator[Check]:
    """Covered interpreters and environments are started, and looked for in the spool."""
    wanted = [one for one in machine.interpreters if interpreters.covered(one) and not one.obstacle]
    left_alone = [one for one in wanted if _is_skipped(machine, one)]
    wanted = [one for one in wanted if one not in left_alone]
    environments = [one for one in wanted if one.is_environment]
    omitted = {id(one) for one in environments[_MAX_ENVIRONMENTS:]}
    spent: defaultdict[int, float] = defaultdict(float)
    started = []
    for one in wanted:
        if id(one) not in omitted:
            run = str(uuid.uuid4())
            started.append((one, run, _start(one, run, spent)))
    recorded = _recorded(machine.readable, {run for _, run, _ in started})
    yield from _seen(started, recorded)
    for one in left_alone:
        yield Check("canary", FACT, f"{_named(one)} is left alone, as the settings say")
    if omitted:
        yield Check("canary", FACT, f"{len(omitted):,} more environments were not started")


def _is_skipped(machine: _Machine, one: Interpreter) -> bool:
    patterns = machine.settings.get("skip", [])
    return any(skips(pattern, path) for pattern in patterns for path in (one.executable, *one.names))


def _seen(
    started: Sequence[tuple[Interpreter, str, str | None]], recorded: dict[str, tuple[bool, str]]
) -> Iterator[Check]:
    """What the spool says of those that were started."""
    seen: list[Interpreter] = []
    for one, run, problem in started:
        found = recorded.get(run)
        if problem:
            yield Check("canary", WARNING, f"{_named(one)} could not be started: {problem}", _AS_ROOT)
        elif found is None:
            yield Check("canary", PROBLEM, f"{_named(one)} runs unrecorded", _why(one))
        elif not found[0]:
            yield Check("canary", PROBLEM, f"{_named(one)} is recorded, but its audit hook was refused")
        else:
            seen.append(one)
            if found[1] in ("failed", "unsupported"):
                yield Check("canary", WARNING, f"{_named(one)} is recorded without native code ({found[1]})")
    if seen:
        number = _count(len(seen), "start")
        yield Check(
            "canary", FINE, f"{number} of interpreters and environments found in the spool, hook proven"
        )


def _start(one: Interpreter, run: str, spent: defaultdict[int, float]) -> str | None:
    """Starts the interpreter as whoever may, ordinary users first; says why that did not work."""
    problem = "somebody else could change what root would run"
    for user in who_may_ask(one.executable):
        if spent[user] >= _PATIENCE * _CANARY_SECONDS:
            return "others of its user took too long"
        begun = time.monotonic()
        status = _ended(one.executable, run, user)
        spent[user] += time.monotonic() - begun
        if status == 0:
            return None
        problem = status if isinstance(status, str) else f"it ended with {status}"
    return problem


def _ended(executable: str, run: str, user: int) -> int | str:
    """How a start ended, or why there was none. What it prints, which may be without end, is not read."""
    identity = {"user": user, "group": group_of(user), "extra_groups": []} if user != os.geteuid() else {}
    try:
        process = subprocess.Popen(
            # Without bytecode: what somebody imports at start shall stay as it is.
            [executable, "-I", "-B", "-c", "pass"],
            env={"GNOMON_RUN": run},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **identity,  # type: ignore[call-overload]
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return printable(str(error))
    try:
        return int(process.wait(_CANARY_SECONDS))
    except subprocess.TimeoutExpired:
        return f"it did not end within {_CANARY_SECONDS} seconds"
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)


def _why(one: Interpreter) -> str:
    return f"see `env GNOMON_DEBUG=1 {printable(one.executable)} -I -c pass`"


def _recorded(spool: str, runs: set[str]) -> dict[str, tuple[bool, str]]:
    """Of the runs that are in the spool: whether their hook was proven, and how native code is watched."""
    from .. import Spool

    if not os.path.isdir(spool):
        return {}
    # Only what was started just now is of interest.
    since = time.time_ns() - 10 * 60 * 10**9
    processes, _ = Spool(spool, since=since).processes()
    return {
        one.run: (bool(one.hook_proven), one.native or "") for one in processes if one.run and one.run in runs
    }


def _running(machine: _Machine) -> Iterator[Check]:
    recorded = [one for one in machine.running if one.is_recorded]
    others = [one for one in machine.running if not one.is_recorded and one.pid != os.getpid()]
    if recorded or not others:
        yield Check("running", FINE, f"{_count(len(recorded), 'running Python')} recorded")
    reasons = Counter(one.reason or "unknown" for one in others)
    for reason, number in reasons.most_common(_SHOWN):
        pids = _some([str(one.pid) for one in others if (one.reason or "unknown") == reason])
        remedy = "restart it" if "before" in reason else "see `gnomon pythons --running`"
        verb = "is" if number == 1 else "are"
        fact = f"{_count(number, 'running Python')} {verb} not recorded: {printable(reason)} (pid {pids})"
        yield Check("running", WARNING, fact, remedy)


def _blind(machine: _Machine) -> Iterator[Check]:
    """What the records of the last day say of themselves."""
    from .. import Spool

    if not os.path.isdir(machine.readable):
        return
    since = time.time_ns() - 86_400 * 10**9
    processes, faults = Spool(machine.readable, since=since).processes()
    lost: Counter[str] = Counter()
    for one in processes:
        lost.update(one.lost)
    blind = [one for one in processes if one.hook_proven is False]
    native = [one for one in processes if one.native in ("failed", "unsupported")]
    forged = [one for one in processes if one.is_forged]
    fact = f"{_count(len(processes), 'process')} recorded in the last day".replace("processs", "processes")
    yield Check("records", FACT, fact)
    for found, what in ((blind, "saw no audit event"), (native, "did not watch native code")):
        if found:
            yield Check("blind", WARNING, f"{len(found)} of them {what}", "see `gnomon show`")
    if forged:
        users = _some(sorted({str(one.owner_uid) for one in forged}))
        yield Check(
            "forged",
            PROBLEM,
            f"{len(forged)} claim another user than owns them (uid {users})",
            "see `gnomon verify`",
        )
    for reason, number in sorted(lost.items()):
        yield Check("lost", WARNING, f"{number:,} records were lost: {reason}", "see `gnomon show`")
    if faults:
        yield Check("faults", WARNING, f"{len(faults)} files or places cannot be read", "run `gnomon verify`")


def _preload(machine: _Machine) -> Iterator[Check]:
    library = preloading.line(machine.layout)
    try:
        with open(machine.layout.preload, encoding="utf-8", errors="replace") as file:
            is_on = library in file.read().split()
    except FileNotFoundError:
        is_on = False
    was_on = bool(Ledger.read(machine.layout.ledger).of_kind(preloading.KIND))
    if was_on and not is_on:
        fact = f"`{machine.layout.preload}` no longer names gnomon's library"
        yield Check("strong mode", PROBLEM, fact, f"{_INSTALL}, with --strong=system")
    elif is_on and not os.path.exists(library):
        yield Check("strong mode", PROBLEM, f"`{library}` is preloaded, and is not there", _INSTALL)
    elif is_on:
        yield Check("strong mode", FINE, "every Python is recorded from before its start on")


def is_well(checks: Sequence[Check]) -> bool:
    """Whether nothing is wrong."""
    return all(check.state != PROBLEM for check in checks)


def as_text(checks: Sequence[Check], columns: int = 0) -> str:
    """The checks for a person; broken to fit a terminal of so many columns, if that is said."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines += _fitted(f"{_MARKS[check.state]} {check.name:<{width}}  ", check.fact, columns)
        if check.remedy and check.state in (PROBLEM, WARNING):
            lines += _fitted(f"  {'':<{width}}  → ", check.remedy, columns)
    counted = Counter(check.state for check in checks)
    told = [] if counted[PROBLEM] else ["all is well"]
    told += [_count(counted[state], state) for state in (PROBLEM, WARNING) if counted[state]]
    return "\n".join([*lines, ", ".join(told)])


def _fitted(head: str, text: str, columns: int) -> list[str]:
    if columns < len(head) + 20:
        return [head + text]
    import textwrap

    # Paths and commands stay whole, to be copied.
    return textwrap.wrap(
        text,
        columns,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--json", action="store_true", help="the checks as JSON, for IT's inventory")
    parser.add_argument("--no-canary", action="store_true", help="do not start interpreters")
    parser.add_argument("--prefix", metavar="DIR", help="where gnomon's own files are (default: /opt/gnomon)")


def run(options: argparse.Namespace) -> int:
    """Looks, says what was found, and returns 1 where something is not right."""
    checks = examine(Layout.at(options.prefix), canaries=not options.no_canary)
    if options.json:
        found = {"is_well": is_well(checks), "checks": [dataclasses.asdict(check) for check in checks]}
        print(json.dumps(found, indent=1))
    else:
        print(as_text(checks, shutil.get_terminal_size().columns if sys.stdout.isatty() else 0))
    return 0 if is_well(checks) else 1


def main(argv: Sequence[str]) -> int:
    """The verb of the payload's own program."""
    parser = argparse.ArgumentParser(prog="doctor", description=DESCRIPTION)
    configure(parser)
    return run(parser.parse_args(argv))
