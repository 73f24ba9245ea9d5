"""The answer on one screen, for a person who is no programmer."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Iterable
from datetime import datetime

from . import Process
from .answer import Answer, Contact, FileUse, prefix
from .text import command_line, printable, short_path

_SHOWN = 8
_SYSTEM = ("/etc/", "/usr/", "/lib", "/proc/", "/sys/", "/dev/", "/run/", "/bin/", "/sbin/", "/var/lib/")


def as_text(answer: Answer, *, colour: bool = False) -> str:
    """The answer as a screen of text. What the program chose is escaped."""
    lines = [f"gnomon: {_headline(answer)}", ""]
    for label, items in _sections(answer):
        for at, item in enumerate(items):
            name = f"{label:<10}" if at == 0 else " " * 10
            bold = f"\x1b[1m{name}\x1b[0m" if colour and at == 0 else name
            wrapped = textwrap.wrap(item, _width() - 13, break_on_hyphens=False, break_long_words=False) or [
                ""
            ]
            lines.append(f"  {bold} {wrapped[0]}")
            lines.extend(f"  {' ' * 10}   {rest}" for rest in wrapped[1:])
    return "\n".join(lines)


def _width() -> int:
    import shutil

    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))


def _headline(answer: Answer) -> str:
    if answer.run is not None:
        return f"what `{printable(command_line(answer.run.argv), 80)}` did"
    return f"what {len(answer.processes)} recorded processes did"


def _sections(answer: Answer) -> Iterable[tuple[str, list[str]]]:
    main = answer.processes[0] if answer.processes else None
    directory = main.directory if main else None
    if main is not None:
        scripts = _scripts(answer.processes)
        yield "Script", _some(scripts, "gnomon events --kind script")
    yield "Run", _circumstances(answer)
    if main is not None:
        yield "Python", _pythons(answer.processes)
    yield "Libraries", _library_lines(answer)
    yield from _file_sections(answer, directory)
    contacts = [_contact(contact) for contact in answer.contacts]
    yield "Contacted", _some(contacts, "gnomon events --kind connect,resolve") or ["no host"]
    if answer.listens:
        listens = [
            printable(target.removesuffix(":0") + " (a free port)" if target.endswith(":0") else target)
            for target in answer.listens
        ]
        yield "Listened", _some(listens, "gnomon events --kind bind")
    yield "Started", _started(answer)
    yield "Gaps", _some([printable(gap) for gap in _gaps(answer)], "gnomon verify")


def _gaps(answer: Answer) -> list[str]:
    gaps = list(answer.gaps)
    if not answer.processes:
        gaps.append(
            "no Python process was recorded: none was started, or with -I, -E, -S or an empty environment"
        )
    return gaps or ["none known; what native libraries do by themselves raises no event and is not seen"]


def _some(items: list[str], command: str) -> list[str]:
    if len(items) <= _SHOWN:
        return items
    return [*items[: _SHOWN - 1], f"… and {len(items) - _SHOWN + 1} more: {command}"]


def _scripts(processes: list[Process]) -> list[str]:
    lines: list[str] = []
    for process in processes:
        if process.script is None or process.forked:
            continue
        name = short_path(process.script, process.directory)
        words = {"command": f"-c {process.script.splitlines()[0] if process.script else ''!r}"}
        text = words.get(process.script_form or "", name)
        if process.script_form == "module":
            text = f"-m {process.script}"
        facts = []
        if process.script_sha256:
            facts.append(f"sha256 {process.script_sha256[:12]}…")
        if process.script_owner:
            facts.append(f"owner {process.script_owner}")
        if process.script_modified:
            facts.append(f"changed {_local(process.script_modified)}")
        line = printable(text, 120) + (f"  ({', '.join(facts)})" if facts else "")
        if line not in lines:
            lines.append(line)
    return lines or ["none"]


def _circumstances(answer: Answer) -> list[str]:
    first = answer.run or (answer.processes[0] if answer.processes else None)
    if first is None:
        return ["nothing"]
    who = first.user or f"uid {first.uid}"
    ended = first.ended or (answer.processes[-1].last_seen if answer.processes else None)
    words = [f"by {printable(who)} on {printable(first.host)}"]
    if first.parent_name:
        words.append(f"from {printable(first.parent_name)}")
    words.append(_local(first.started))
    if ended:
        words.append(f"for {_duration(ended - first.started)}")
    if answer.run is not None and answer.status is not None:
        words.append(_status(answer.status))
    return [", ".join(words)]


def _status(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"


def _duration(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    if seconds < 0.1:
        return f"{nanoseconds // 1_000_000} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _local(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds / 1e9):%Y-%m-%d %H:%M:%S}"


def _pythons(processes: list[Process]) -> list[str]:
    places = {
        (process.python, process.environment or process.executable): None
        for process in processes
        if not process.forked
    }
    return _some(
        [f"{version} ({printable(short_path(place, processes[0].directory))})" for version, place in places],
        "gnomon show",
    )


def _library_lines(answer: Answer) -> list[str]:
    names = [printable(f"{library.name} {library.version}".rstrip()) for library in answer.libraries]
    shown = ", ".join(names[:40]) + (f" … and {len(names) - 40} more" if len(names) > 40 else "")
    lines = [shown] if names else []
    if answer.own_modules:
        own = [printable(name) for name in answer.own_modules]
        lines.append(f"its own modules: {', '.join(own[:12])}{' …' if len(own) > 12 else ''}")
    if answer.standard_modules:
        also = "and " if lines else ""
        lines.append(f"{also}{len(answer.standard_modules)} modules of the standard library")
    return lines or ["none"]


def _file_sections(answer: Answer, directory: str | None) -> Iterable[tuple[str, list[str]]]:
    temporary = [use for use in answer.files if use.is_temporary]
    lasting = [use for use in answer.files if not use.is_temporary]
    read = [use for use in lasting if use.reads]
    places = _SYSTEM + tuple({place for process in answer.processes for place in _installation(process)})
    system = [use for use in read if use.path.startswith(places)]
    vague = [use for use in read if not use.path.startswith("/")]
    mine = [use for use in read if use.path.startswith("/") and not use.path.startswith(places)]

    def name(use: FileUse, count: int) -> str:
        times = f"  ×{count}" if count > 1 else ""
        return printable(short_path(use.path, directory)) + times

    reads = _some([name(use, use.reads) for use in mine], "gnomon events --kind open")
    if system:
        reads.append(f"and {len(system)} system file{'s' if len(system) > 1 else ''}")
    if vague:
        reads.append(f"and {len(vague)} named relative to an open folder, which the event does not tell")
    yield "Read", reads or ["no file"]
    writes = [name(use, use.writes) for use in lasting if use.writes]
    writes = _some(writes, "gnomon events --kind open,rename")
    if temporary:
        writes.append(f"and {len(temporary)} temporary file{'s' if len(temporary) > 1 else ''}, gone again")
    yield "Wrote", writes or ["no file"]
    changed = [f"{', '.join(sorted(use.changes))} {name(use, 1)}" for use in lasting if use.changes]
    if changed:
        yield "Changed", _some(changed, "gnomon events --kind delete,mkdir,link,symlink,chmod,truncate")


def _contact(contact: Contact) -> str:
    name = contact.host or "?"
    if contact.port is not None:
        name = f"[{name}]:{contact.port}" if ":" in name else f"{name}:{contact.port}"
    words = [printable(name)]
    others = [address for address in contact.addresses if address != contact.host]
    if others:
        words.append(f"({', '.join(others[:3])}{' …' if len(others) > 3 else ''})")
    if contact.is_this_machine:
        words.append("this machine")
    if not contact.connects:
        words.append("only looked up")
    elif contact.connects > 1:
        words.append(f"×{contact.connects}")
    return "  ".join(words)


def _started(answer: Answer) -> list[str]:
    lines = [
        printable(command_line(started.argv), 160) + (f"  ×{started.count}" if started.count > 1 else "")
        for started in answer.started
    ]
    lines = _some(lines, "gnomon events --kind spawn,exec")
    children = len(answer.processes) - 1
    if children > 0:
        forked = sum(process.forked for process in answer.processes)
        how = f", {forked} of them by fork" if forked else ""
        lines.append(f"{children} more Python process{'es' if children > 1 else ''} recorded{how}")
    return lines or ["no program"]


def _installation(process: Process) -> list[str]:
    """Where the interpreter and its environment are installed: what is read there is nobody's data."""
    places = [prefix(process), process.environment or ""]
    return [f"{place}/" for place in places if place not in ("", "/", "/usr")]
