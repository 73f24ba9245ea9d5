"""Recording from within: a program, or a notebook, that asks for its own record.

Audit hooks cannot be removed: stopping only disarms the recorder, and what is left of the hook costs a few
nanoseconds an event.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from . import _native
from ._native import Process, Record, Spool
from .places import bootstrap, default_spool

if TYPE_CHECKING:
    from ._native import StrPath
    from .answer import Answer

Imports = Literal["top", "all"]
Mode = Literal["enforce", "observe"]
Native = Literal["auto", "off"]


@dataclass(frozen=True)
class Stats:
    """What this process has recorded so far.

    Attributes:
        process: The id it records under.
        spool: The directory of its segments.
        kept: Records by kind.
        lost: Records lost, by reason. Of what kind they would have been is not known.
        segments: The files, oldest first.
    """

    process: str
    spool: str
    kept: dict[str, int]
    lost: dict[str, int]
    segments: list[str]


class Recording:
    """What this process does from one moment to another, on all its threads, and what its children do.

    Made by `start`, `record` and `enforce`.

    Attributes:
        spool: The directory where the records are.
        process: The id that this process records under.
        is_shared: Somebody else recorded this process before (`gnomon run`): the records are theirs too,
            their spool and options hold, and they go on after the end of this one.
        began: Nanoseconds since 1970.
        ended: The same; `None` while it goes on.
    """

    def __init__(self, spool: str, process: str, run: str | None, *, is_shared: bool) -> None:
        self.spool = spool
        self.process = process
        self.is_shared = is_shared
        self._run = run
        # A policy of its own: its number, and whether children are told of it.
        self._policy: tuple[int, bool] | None = None
        self.began = _native.begin_part() or 0
        self.ended: int | None = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<gnomon.Recording of {self.process} in {self.spool}>"

    def stop(self) -> None:
        """Ends it. Does nothing the second time."""
        if self.ended is not None:
            return
        if self._policy is not None:
            ticket, tells_children = self._policy
            _native.release(ticket, children=tells_children)
        self.ended = _native.begin_part() or _now()
        if self in _going_on:
            _going_on.remove(self)
            if not _going_on:
                _native.stop()
                _restore(_environment)
        if self in _started:
            _started.remove(self)

    def records(
        self, *, kinds: Sequence[str] | None = None, verdicts: Sequence[str] | None = None
    ) -> Iterator[Record]:
        """Its records: those of this process, then those of children that started meanwhile, to their end.

        Args:
            kinds: Only these kinds of event.
            verdicts: Only those of which a policy said one of these, or would have said it were observed
                rules enforced: `allow`, `warn`, `justify`, `deny`.
        """
        processes = {process.id for process in self._processes()[0]}
        for record in self._open(kinds, verdicts).records():
            if record.process == self.process:
                if self.began <= record.time < (self.ended or _NEVER):
                    yield record
            elif record.process in processes:
                yield record

    def answer(self) -> Answer:
        """What was done, gathered; `print` shows it as `gnomon show` does."""
        from itertools import chain

        from .answer import Answer

        processes, faults = self._processes()
        records = chain(self._standing(), self.records())
        answer = Answer.gathered(processes, records, faults, folder=self.spool)
        running = [pid for pid in answer.coverage.running if pid != os.getpid()]
        coverage = replace(answer.coverage, running=running)
        return replace(answer, coverage=coverage, began=self.began, ended=self.ended)

    @property
    def denied(self) -> list[Record]:
        """What a policy stopped."""
        return [one for one in self.records(verdicts=("deny", "justify")) if one.outcome == "denied"]

    @property
    def warned(self) -> list[Record]:
        """What a policy warned of."""
        return [one for one in self.records(verdicts=("warn",)) if one.verdict == "warn"]

    def _open(self, kinds: Sequence[str] | None = None, verdicts: Sequence[str] | None = None) -> Spool:
        return Spool(self.spool, run=self._run, since=self.began, kinds=kinds, verdicts=verdicts)

    def _standing(self) -> Iterator[Record]:
        """What held when it began: the policies that this process was under, and what could act unseen."""
        kinds = ["policy", "blind"]
        for record in Spool(self.spool, run=self._run, process=self.process, kinds=kinds).records():
            if record.time < self.began:
                yield record

    def _processes(self) -> tuple[list[Process], list[_native.Fault]]:
        found, faults = self._open().processes()
        known = {self.process}
        for process in found:  # parents come before their children
            is_new = self.began <= process.started < (self.ended or _NEVER)
            if process.parent in known and (is_new or process.parent != self.process):
                known.add(process.id)
        return [process for process in found if process.id in known], faults


_NEVER = 1 << 63
# What `start` began and nobody has stopped yet, the latest last.
_started: list[Recording] = []
# All that go on, of a process that nobody else records: it is recorded until the last of them ends.
_going_on: list[Recording] = []
# What we changed in `os.environ` until then: what was there before, and what is there now.
_environment: dict[str, tuple[str | None, str]] = {}


def _now() -> int:
    import time

    return time.time_ns()


def start(
    spool: str | os.PathLike[str] | None = None,
    *,
    imports: Imports = "top",
    native: Native | None = None,
    children: bool = True,
) -> Recording:
    """Starts recording this process. Where it is recorded already, that recording goes on and is used.

    The modules that are loaded already are not seen, nor is what happened before.

    Args:
        spool: Where records go, a directory; by default the user's own (`default_spool`).
        imports: One record for each top-level package, or for each module.
        native: `auto` watches what native libraries do, where that works on this system; `off` does not. By
            default as `GNOMON_NATIVE` in the environment says, and else `auto`.
        children: Record Python children too. Their environment says so: `os.environ` has other values of
            `PYTHONPATH`, `GNOMON_SPOOL` and `GNOMON_RUN` until the end.

    Raises:
        OSError: Nothing can be recorded there, or another audit hook refuses gnomon's.
    """
    recording = _begin(spool, imports, native, children=children)
    _started.append(recording)
    return recording


def stop() -> Recording | None:
    """Ends what the last `start` began, and returns it; `None` where there is nothing to end.

    The audit hook stays, as CPython cannot remove it: it is disarmed. A recording of somebody else
    (`gnomon run`) goes on.
    """
    if not _started:
        return None
    recording = _started[-1]
    recording.stop()
    return recording


def record(
    spool: str | os.PathLike[str] | None = None,
    *,
    imports: Imports = "top",
    native: Native | None = None,
    children: bool = True,
) -> Recording:
    """Records what a `with` block does.

    It begins at once, and ends with the block. Arguments and errors are those of `start`.

    Example:
        >>> with gnomon.record() as recording:  # doctest: +SKIP
        ...     report()
        >>> print(recording.answer())  # doctest: +SKIP
    """
    return _begin(spool, imports, native, children=children)


def enforce(
    policy: StrPath | Sequence[StrPath] | None = None,
    *,
    text: str | None = None,
    mode: Mode = "enforce",
    justify: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    native: Native | None = None,
    children: bool = True,
) -> Recording:
    """Puts this process under a policy, on all its threads, and records it.

    It begins at once, and ends with the process or, as a context manager, with its block. It can only add to
    the policies that are in force already, those of the machine as well as those of an `enforce` around: the
    strictest verdict counts. What was opened, imported or connected before is not looked at.

    Args:
        policy: A policy file, or several.
        text: A policy as such a file would hold it; what it names relatively is in the current directory.
        mode: `observe` has no rule of it act: records say what each would have done.
        justify: The reason for what this policy wants a reason for. It does not reach children.
        spool: Where records go, as for `start`.
        native: As for `start`; a policy stops what native libraries do only where they are watched.
        children: Have Python children obey it too, as far as they are recorded. Their environment says so, as
            for `start`. A forked child is under it in any case, even after the block.

    Raises:
        PolicyError: A policy is wrong; the text of the error names every problem and its place.
        OSError: Nothing can be recorded, or another audit hook refuses gnomon's.

    Example:
        >>> with gnomon.enforce("policy.toml") as session:  # doctest: +SKIP
        ...     report()
        >>> print(session.denied)  # doctest: +SKIP
    """
    from .policy import compiled

    if mode not in ("enforce", "observe"):
        raise ValueError(f"mode is `enforce` or `observe`, and not {mode!r}")
    if policy is None and text is None:
        raise TypeError("enforce() needs a policy or a text")
    paths = [policy] if isinstance(policy, (str, os.PathLike)) else list(policy or ())
    data = compiled(paths, observe=mode == "observe", text=text)
    reason = justify.strip() if justify else None
    recording = _begin(spool, "top", native, children=children)
    try:
        ticket = _native.enforce(data, justification=reason or None, script=_script(), children=children)
    except BaseException:
        recording.stop()
        raise
    recording._policy = ticket, children
    return recording


def _script() -> tuple[str, str, str | None] | None:
    """What this process runs: its form, its name and its file; for rules about scripts."""
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if isinstance(file, str):
        form = "module" if spec is not None else "file"
        return form, str(spec.name).removesuffix(".__main__") if spec is not None else file, file
    if sys.argv[:1] == ["-c"]:
        return "command", "-c", None
    return None


def _begin(
    spool: str | os.PathLike[str] | None, imports: Imports, native: Native | None, *, children: bool
) -> Recording:
    if native not in (None, "auto", "off"):
        raise ValueError(f"native is `auto` or `off`, and not {native!r}")
    is_shared = _native.recording() is not None
    place = os.path.abspath(os.fspath(spool) if spool is not None else default_spool())
    before: dict[str, tuple[str | None, str]] = {}
    is_watched = None if native is None else native == "auto"
    if not is_shared:
        if not os.path.isdir(place):
            os.makedirs(place, mode=0o700, exist_ok=True)
        # Another copy of gnomon may record this process: that is known only now.
        is_shared = not _native.start(place, every_import=imports == "all", native=is_watched)
    found, process = _native.recording(), _native.process_id()
    if found is None or process is None:  # pragma: no cover
        raise OSError(f"cannot record into `{place}`")
    if children and not is_shared:
        # What we change in the environment is not the program's doing: it is not recorded meanwhile.
        _native.stop()
        before = _tell_children(place, imports, native)
        _set(before, "GNOMON_RUN", found[1] or process)
        _native.start(place, every_import=imports == "all", native=is_watched)
    recording = Recording(os.fspath(found[0]), process, found[1], is_shared=is_shared)
    _environment.update(before)
    if not is_shared or found[2]:
        _going_on.append(recording)
    return recording


def flush() -> None:
    """Asks the operating system to bring the records to the disk.

    For a sudden power cut only: a record is in the page cache as soon as it is made, where a crash, a kill
    or `os._exit` of this process cannot reach it.

    Raises:
        OSError: The disk reports an error.
    """
    for path in _own_segments():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def stats() -> Stats | None:
    """What this process has recorded so far; `None` where it is not recorded. Reads its segments."""
    found, process = _native.recording(), _native.process_id()
    if found is None or process is None:
        return None
    spool = Spool(found[0], process=process)
    kept: dict[str, int] = {}
    for one in spool.records():
        kept[one.kind] = kept.get(one.kind, 0) + 1
    (own,) = (one for one in spool.processes()[0] if one.id == process)
    return Stats(process, os.fspath(found[0]), dict(sorted(kept.items())), own.lost, _own_segments())


def _own_segments() -> list[str]:
    found, process = _native.recording(), _native.process_id()
    if found is None or process is None:
        return []
    start_of_name = process.replace("-", "")
    folder = os.fspath(found[0])
    # Not listed with `os.listdir`: that would be an event of its own.
    segments = map(os.fspath, Spool(folder, process=process).segments())
    return [path for path in segments if os.path.basename(path).startswith(start_of_name)]


def _tell_children(spool: str, imports: Imports, native: Native | None) -> dict[str, tuple[str | None, str]]:
    """Arms the Pythons that inherit our environment, as `gnomon run` does. Returns what was there before."""
    before: dict[str, tuple[str | None, str]] = {}
    ours = bootstrap()
    others = [
        entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry not in ("", ours)
    ]
    _set(before, "PYTHONPATH", os.pathsep.join([ours, *others]))
    _set(before, "GNOMON_SPOOL", spool)
    if imports == "all":
        _set(before, "GNOMON_IMPORTS", "all")
    if native is not None:
        _set(before, "GNOMON_NATIVE", native)
    return before


def _set(before: dict[str, tuple[str | None, str]], name: str, value: str) -> None:
    before[name] = os.environ.get(name), value
    os.environ[name] = value


def _restore(before: dict[str, tuple[str | None, str]]) -> None:
    """Puts the environment back, but for what the program has changed itself meanwhile."""
    for name, (old, ours) in before.items():
        if os.environ.get(name) != ours:
            continue
        if old is None:
            del os.environ[name]
        else:
            os.environ[name] = old
    before.clear()
