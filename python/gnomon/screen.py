"""The answer on one screen, for a person who is no programmer."""

from __future__ import annotations

import os
import re
import signal
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from . import Process
from .answer import CHANGES, Act, Answer, Contact, Failure, Request, prefix
from .causes import Cause, in_words, whole_of
from .descent import Node, walk
from .startup import sentence as startup_sentence
from .text import bytes_in_words, command_line, printable, short_path
from .verdicts import MAX_MESSAGE, NO_POLICY, Decision, counted, outcome_of, policy_of

_SHOWN = 8
_MISSING_SHOWN = 3
_LABEL = 11
_MARGIN = "  " + " " * _LABEL
_SYSTEM = ("/etc/", "/usr/", "/lib", "/proc/", "/sys/", "/dev/", "/run/", "/bin/", "/sbin/", "/var/lib/")


_SILENT, _RECORDED = "— not recorded", "— recorded"


@dataclass(frozen=True)
class Row:
    """One thing that was done, and by which line.

    Attributes:
        hang: Columns by which further lines are indented, where `what` takes several.
        mark: How `what` begins, where that shall stand out.
    """

    what: str
    by: str = ""
    indent: int = 0
    hang: int = 2
    mark: str = ""

    @property
    def length(self) -> int:
        """Columns that `what` takes."""
        return 2 * self.indent + len(self.what)


@dataclass(frozen=True)
class Part:
    """Sections that belong together: each a label and its rows. The mark is one letter before each row."""

    sections: list[tuple[str, list[Row]]]
    title: str = ""
    mark: str = " "


@dataclass
class _Style:
    width: int
    colour: bool

    def bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def outcome(self, text: str, mark: str = "") -> str:
        """The usual outcome steps back, the unusual one stands out."""
        if mark:
            return text.replace(mark, self.bold(mark), 1)
        for outcome, style in ((_SILENT, self.bold), (_RECORDED, self.dim)):
            if outcome in text:
                return text.replace(outcome, style(outcome))
        return text

    def dim(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.colour and text else text


def as_text(
    answer: Answer, *, colour: bool = False, width: int | None = None, title: str | None = None
) -> str:
    """The answer as a screen of text. What the program chose is escaped.

    Args:
        answer: What to show.
        colour: Whether to use bold and dim letters.
        width: Columns; by default those of the terminal, from 60 to 140.
        title: What it is about, if not what the records say.
    """
    parts = [Part(list(_sections(answer)))]
    return page(title or _headline(answer), parts, colour=colour, width=width)


def page(headline: str, parts: list[Part], *, colour: bool = False, width: int | None = None) -> str:
    """A screen of text: a line that says what it is about, and the sections of each part in one column."""
    style = _Style(width or _width(), colour)
    lines = [f"gnomon: {headline}"]
    column = _column([row for part in parts for _, rows in part.sections for row in rows], style)
    for part in parts:
        lines += ["", *([f"  {style.bold(part.title)}"] if part.title else [])]
        for label, rows in part.sections:
            for at, (mark, line) in enumerate(_marked_lines(rows, column, style, part.mark)):
                name = style.bold(f"{label:<{_LABEL}}") if at == 0 else " " * _LABEL
                lines.append(f"{mark} {name}{line}")
    return "\n".join(lines)


def _marked_lines(rows: list[Row], column: int, style: _Style, mark: str) -> Iterator[tuple[str, str]]:
    """The mark stands where something begins, so that lines can be searched for."""
    for row in rows:
        for at, line in enumerate(_section_lines([row], column, style)):
            yield (mark if at == 0 else " "), line


def _width() -> int:
    import shutil

    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))


def _column(rows: list[Row], style: _Style) -> int:
    """Where the second column starts: one for all, so that what did something can be read downwards."""
    room = style.width - len(_MARGIN)
    fitting = [row for row in rows if row.by and row.length + len(row.by) + 2 <= room]
    # A few long rows may stick out; they shall not push all others to the right.
    widths = [row.length for row in fitting if row.length <= room * 0.6]
    longest = max((len(row.by) for row in fitting), default=0)
    return min(max(widths, default=0), room - longest - 2)


def _section_lines(rows: list[Row], column: int, style: _Style) -> Iterator[str]:
    """Two columns where both fit; what does not fit is wrapped, and its cause stands below."""
    room = style.width - len(_MARGIN)
    for row in rows:
        lead = "  " * row.indent
        if row.by and max(row.length, column) + len(row.by) + 2 <= room:
            yield f"{style.outcome(f'{lead + row.what:<{column}}', row.mark)}  {style.dim(row.by)}"
            continue
        *lines, last = _wrapped(lead, row.what, room, row.hang)
        if row.mark:
            lines, last = _marked([*lines, last], row.mark, style)
        yield from lines
        if row.by and max(len(last), column) + len(row.by) + 2 <= room:
            yield f"{style.outcome(f'{last:<{column}}')}  {style.dim(row.by)}"
            continue
        yield style.outcome(last)
        if row.by:
            for line in _wrapped(" " * min(column + 2, max(4, room - len(row.by))), row.by, room):
                yield style.dim(line)


def _wrapped(lead: str, text: str, room: int, hang: int = 2) -> Iterator[str]:
    lines = textwrap.wrap(
        text,
        max(20, room - len(lead)),
        subsequent_indent=" " * hang,
        break_on_hyphens=False,
        break_long_words=False,
        drop_whitespace=True,
    )
    yield from (lead + line for line in lines or [""])


def _marked(lines: list[str], mark: str, style: _Style) -> tuple[list[str], str]:
    *lines, last = style.outcome("\n".join(lines), mark).split("\n")
    return lines, last


def _headline(answer: Answer) -> str:
    if answer.run is not None:
        return f"what `{printable(command_line(answer.run.argv), 80)}` did"
    if answer.began is not None:
        return "what was done while it recorded"
    if len(answer.processes) == 1:
        return f"what `{printable(command_line(answer.processes[0].argv), 80)}` did"
    return f"what {len(answer.processes)} recorded processes did"


def _sections(answer: Answer) -> Iterable[tuple[str, list[Row]]]:
    main = answer.processes[0] if answer.processes else None
    directory = main.directory if main else None
    scripts = _scripts(answer.processes, _stopped_scripts(answer.verdicts))
    if scripts:
        yield "Script", _rows(_some(scripts, "gnomon events --kind script"))
    yield "Run", _rows(_circumstances(answer))
    if main is not None:
        yield "Python", _rows(_pythons(answer.processes))
    yield "Libraries", _rows(_library_lines(answer))
    if answer.verdicts:
        yield "Policy", _policy_rows(answer, directory)
    yield from _file_sections(answer, directory)
    yield from _network_sections(answer)
    yield from _act_sections(answer, directory)
    yield "Started", _started(answer)
    before = startup_sentence(answer.coverage.startup)
    if before:
        yield "Startup", [Row(before)]
    yield "Coverage", _rows(answer.coverage.sentences())


def _rows(items: list[str]) -> list[Row]:
    return [Row(item) for item in items]


def _some(items: list[str], command: str) -> list[str]:
    if len(items) <= _SHOWN:
        return items
    return [*items[: _SHOWN - 1], f"… and {len(items) - _SHOWN + 1} more: {command}"]


def _some_rows(rows: list[Row], command: str, shown: int = _SHOWN) -> list[Row]:
    if len(rows) <= shown:
        return rows
    return [*rows[: shown - 1], Row(f"… and {len(rows) - shown + 1} more: {command}")]


def _by(causes: Iterable[Cause]) -> str:
    return printable(in_words(causes), 120)


def _stopped_scripts(decisions: Iterable[Decision]) -> set[str]:
    """Ids of the processes that policy let run nothing."""
    stopped = [found for found in decisions if found.kind == "script" and found.is_stopped]
    return {process for found in stopped for process in found.processes}


def _scripts(processes: list[Process], stopped: set[str]) -> list[str]:
    lines: list[str] = []
    for process in processes:
        if process.script is None or process.forked:
            continue
        if process.script_form == "command" and process is not processes[0]:
            continue  # it stands among what was started
        name = short_path(process.script, process.directory)
        words = {"command": f"-c {process.script.splitlines()[0] if process.script else ''!r}"}
        text = words.get(process.script_form or "", name)
        if process.script_form == "module":
            text = f"-m {process.script}"
        facts = ["denied: it did not run"] if process.id in stopped else []
        if process.script_sha256:
            facts.append(f"sha256 {process.script_sha256[:12]}…")
        if process.script_owner:
            facts.append(f"owner {process.script_owner}")
        if process.script_modified:
            facts.append(f"changed {_local(process.script_modified)}")
        line = printable(text, 120) + (f"  ({', '.join(facts)})" if facts else "")
        if line not in lines:
            lines.append(line)
    return lines


def _circumstances(answer: Answer) -> list[str]:
    first = answer.run or (answer.processes[0] if answer.processes else None)
    if first is None:
        return ["nothing"]
    who = first.user or f"uid {first.uid}"
    if first.is_forged:
        who += f" (forged: the records belong to uid {first.owner_uid})"
    began = answer.began or first.started
    ended = answer.ended or first.ended or (answer.processes[-1].last_seen if answer.processes else None)
    words = [f"by {printable(who)} on {printable(first.host)}"]
    if first.parent_name:
        words.append(f"from {printable(first.parent_name)}")
    words.append(_local(began))
    if ended:
        words.append(f"for {_duration(ended - began)}")
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
    known = {library.name for library in answer.libraries}
    names = [
        printable(f"{library.name} {library.version}".rstrip())
        for library in answer.libraries
        if whole_of(library.name) == library.name or whole_of(library.name) not in known
    ]
    shown = ", ".join(names[:40]) + (f" … and {len(names) - 40} more" if len(names) > 40 else "")
    lines = [shown] if names else []
    if answer.own_modules:
        own = [printable(name) for name in answer.own_modules]
        lines.append(f"its own modules: {', '.join(own[:12])}{' …' if len(own) > 12 else ''}")
    if answer.standard_modules:
        also = "and " if lines else ""
        lines.append(f"{also}{len(answer.standard_modules)} modules of the standard library")
    return lines or ["none"]


_RULES_SHOWN, _THINGS_SHOWN = 10, 3


def _policy_rows(answer: Answer, directory: str | None) -> list[Row]:
    """What each rule said: how often, of what, at which line, and why."""
    by_rule: dict[tuple[str, str | None, str | None], list[Decision]] = {}
    by_policy: dict[str, list[Decision]] = {}
    for found in answer.verdicts:
        by_rule.setdefault((outcome_of(found), found.rule, found.reason), []).append(found)
        by_policy.setdefault(policy_of(found.rule), []).append(found)
    rows = []
    for name, all_found in by_policy.items():
        words = [f"{count:,} {word}" for word, count in counted(all_found).items()]
        rows.append(Row(f"{printable(name or 'no policy')}: {', '.join(words)}"))
    width = max(len(word) for word, _, _ in by_rule)
    width += width % 2  # indents are even
    for (word, rule, _), things in list(by_rule.items())[:_RULES_SHOWN]:
        rows += _rule_rows(answer, word, things, directory, width)
        rows.append(Row(_said(answer, rule, things[0]), indent=(width + 2) // 2))
    if len(by_rule) > _RULES_SHOWN:
        more = len(by_rule) - _RULES_SHOWN
        rows.append(Row(f"… and {more} more rules: gnomon events --verdict deny,justify,warn"))
    return rows


def _rule_rows(
    answer: Answer, word: str, things: list[Decision], directory: str | None, width: int
) -> Iterator[Row]:
    """What one rule spoke of; things of one folder, done by the same lines, are put together."""
    rows: list[Row] = []
    by_verb: dict[str, list[Decision]] = {}
    for found in things:
        by_verb.setdefault(found.doing.verb, []).append(found)
    for verb, same in by_verb.items():
        uses = [(found.doing.what, found.count, [cause for cause in found.places if cause]) for found in same]
        rows += [Row(f"{verb} {row.what}", row.by) for row in _thing_rows(uses, directory)]
    rows = _some_rows(rows, f"gnomon events --rule {printable(things[0].rule or '')}", _THINGS_SHOWN)
    for at, row in enumerate(rows):
        lead = word if at == 0 else ""
        yield Row(f"{lead:<{width}}  {row.what}", row.by, hang=width + 4, mark=lead)


def _said(answer: Answer, name: str | None, found: Decision) -> str:
    """What a rule says, and what the person said."""
    if name is None:
        return NO_POLICY
    rule = answer.rules.get(name)
    text = printable(name)
    if rule and rule.message:
        text += f": {printable(rule.message, MAX_MESSAGE)}"
    asked = [printable(word) for word in (rule and rule.owner, rule and rule.link) if word]
    if asked:
        text += f" ({', '.join(asked)})"
    if found.reason is not None:
        text += f" Reason given: {printable(found.reason)}"
    return text


def _times(count: int) -> str:
    return f"  ×{count:,}" if count > 1 else ""


@dataclass
class _Group:
    """Files of one directory with which the same lines did the same."""

    directory: str
    causes: tuple[Cause, ...]
    files: list[tuple[str, int]] = field(default_factory=list)

    def rows(self, directory: str | None) -> list[Row]:
        by = _by(self.causes)
        if len(self.files) <= 3:
            return [
                Row(printable(short_path(path, directory)) + _times(count), by) for path, count in self.files
            ]
        names = sorted((printable(os.path.basename(path), 40) for path, _ in self.files), key=_by_number)
        place = "." if self.directory == directory else printable(short_path(self.directory, directory))
        total = sum(count for _, count in self.files)
        times = f", {total:,} times" if total > len(self.files) else ""
        return [Row(f"{place}/  {len(names):,} files{times}: {names[0]}, {names[1]} … {names[-1]}", by)]


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts `d9` before `d10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d{1,18})", name)]


def _thing_rows(things: Iterable[tuple[str, int, list[Cause]]], directory: str | None) -> list[Row]:
    """Files as `_file_rows` has them; hosts and all else each by itself."""
    files, others = [], []
    for what, count, causes in things:
        if what.startswith("/") and " to " not in what:
            files.append((what, count, causes))
        else:
            others.append(Row(printable(what, 80) + _times(count), _by(causes)))
    return _file_rows(files, directory) + others


def _file_rows(uses: Iterable[tuple[str, int, list[Cause]]], directory: str | None) -> list[Row]:
    groups: dict[tuple[str, tuple[Cause, ...]], _Group] = {}
    for path, count, causes in uses:
        key = (os.path.dirname(path), tuple(sorted(causes)))
        groups.setdefault(key, _Group(*key)).files.append((path, count))
    if sum(len(group.files) for group in groups.values()) <= _SHOWN:
        every = [_Group(*key, [file]) for key, group in groups.items() for file in group.files]
        return [row for group in every for row in group.rows(directory)]
    return [row for group in groups.values() for row in group.rows(directory)]


def _file_sections(answer: Answer, directory: str | None) -> Iterable[tuple[str, list[Row]]]:
    folders = {os.path.dirname(use.path) for use in answer.files}
    shown = [use for use in answer.files if not use.is_part_of_database]  # that is told of by itself
    temporary = [use for use in shown if use.is_temporary]
    lasting = [use for use in shown if not use.is_temporary]
    read = [use for use in lasting if use.reads and use.path not in folders]
    places = _SYSTEM + tuple({place for process in answer.processes for place in _installation(process)})
    system = {use.path for use in read if use.path.startswith(places)}
    vague = [use for use in read if not use.path.startswith("/")]
    mine = [use for use in read if use.path.startswith("/") and not use.path.startswith(places)]
    failed = [one for one in answer.failed if one.kind == "open"]
    # What was there the next time is told already.
    known = {use.path for use in answer.files if use.reads or use.writes}
    in_vain = [
        one
        for one in failed
        if one.doing == "read" and one.target not in known and not one.target.startswith(places)
    ]

    reads = _file_rows(((use.path, use.reads, use.read_by) for use in mine), directory)
    reads = _some_rows(reads, "gnomon events --kind open")
    reads += _failed_rows(in_vain, directory)
    if system:
        reads.append(Row(f"and {_number(len(system), 'system file')}"))
    if vague:
        reads.append(Row(f"and {len(vague)} named relative to an open folder, which the event does not tell"))
    yield "Read", reads or [Row("no file")]
    writes = _file_rows(((use.path, use.writes, use.written_by) for use in lasting if use.writes), directory)
    writes = _some_rows(writes, "gnomon events --kind open,rename")
    writes += _failed_rows([one for one in failed if one.doing == "write"], directory)
    if temporary:
        writes.append(Row(f"and {_number(len(temporary), 'temporary file')}, gone again"))
    yield "Wrote", writes or [Row("no file")]
    changed = [
        Row(
            f"{', '.join(sorted(use.changes))} {printable(short_path(use.path, directory))}",
            _by(use.changed_by),
        )
        for use in lasting
        if use.changes
    ]
    kinds = {kind for use in lasting for kind in use.changes}
    changed = _some_rows(changed, f"gnomon events --kind {','.join(sorted(kinds))}")
    changed += _failed_rows([one for one in answer.failed if one.kind in CHANGES], directory)
    if changed:
        yield "Changed", changed


# Why something failed, in words that need no manual; others by their name.
_REASONS = {
    "ENOENT": "not there",
    "ENOTDIR": "not there",
    "EEXIST": "there already",
    "EACCES": "refused",
    "EPERM": "refused",
    "EROFS": "refused: read-only",
    "EISDIR": "failed: it is a folder",
    "ENOTEMPTY": "failed: not empty",
    "ENOSPC": "failed: no space",
    "EDQUOT": "failed: no space",
    "ECONNREFUSED": "refused",
    "ECONNRESET": "failed: cut off",
    "ETIMEDOUT": "no answer",
    "EHOSTUNREACH": "not reachable",
    "ENETUNREACH": "not reachable",
    "EADDRINUSE": "failed: in use",
    "EAI_NONAME": "no such name",
    "EAI_NODATA": "no such name",
    "EAI_AGAIN": "name not found: no answer",
}
_MISSING = ("ENOENT", "ENOTDIR")


def _reason(failure: Failure) -> str:
    if failure.errno == "ENOENT" and failure.doing in ("write", "mkdir"):
        return "failed: there is no such folder"
    return _REASONS.get(failure.errno, f"failed: {failure.errno}")


def _failed_rows(failures: list[Failure], directory: str | None) -> list[Row]:
    """What was asked of files in vain: the few by name, and the many that are not there by their number."""
    missing = sum(failure.errno in _MISSING for failure in failures)
    if missing > _MISSING_SHOWN:
        failures = [failure for failure in failures if failure.errno not in _MISSING]
    rows = []
    for failure in failures:
        verb = f"{failure.kind} " if failure.kind in CHANGES else ""
        what = f"{verb}{printable(short_path(failure.target, directory))}  {_reason(failure)}"
        rows.append(Row(what + _times(failure.count), _by(failure.by)))
    rows = _some_rows(rows, "gnomon events --kind open")
    if missing > _MISSING_SHOWN:
        rows.append(Row(f"and looked for {missing:,} files that are not there"))
    return rows


def _number(count: int, name: str) -> str:
    return f"{count:,} {name}{'s' if count > 1 else ''}"


def _network_sections(answer: Answer) -> Iterable[tuple[str, list[Row]]]:
    if answer.requests:
        called = [Row(_request(request), _by(request.by)) for request in answer.requests]
        called = _some_rows(called, "gnomon events --kind http,request")
        ends = {(request.host, request.port) for request in answer.requests}
        moved = [contact for contact in answer.contacts if (contact.host, contact.port) in ends]
        yield "Called", called + _volume_rows(moved)
    ends = {(request.host, request.port) for request in answer.requests}
    failed = [one for one in answer.failed if one.kind in ("connect", "resolve", "send")]
    # A name that was looked up for a connection which failed is told with that.
    in_vain = {one.host for one in failed if one.kind == "connect"}
    others = [
        contact
        for contact in answer.contacts
        if (contact.host, contact.port) not in ends and (contact.connects or contact.host not in in_vain)
    ]
    contacts = _some_rows(
        [
            *(Row(_contact(contact), _by(contact.by)) for contact in others),
            *(Row(_failed_contact(one), _by(one.by)) for one in failed),
        ],
        "gnomon events --kind connect,resolve",
    )
    if contacts or not answer.requests:
        yield "Contacted", contacts or [Row("no host")]
    not_listened = [one for one in answer.failed if one.kind == "bind"]
    if answer.listens or not_listened:
        listens = [
            printable(target.removesuffix(":0") + " (a free port)" if target.endswith(":0") else target)
            for target in answer.listens
        ]
        listens += [f"{printable(one.target)}  {_reason(one)}{_times(one.count)}" for one in not_listened]
        yield "Listened", _rows(_some(listens, "gnomon events --kind bind"))


def _volume_rows(contacts: list[Contact]) -> list[Row]:
    """What went to and fro in all requests to a host."""
    moved = [contact for contact in contacts if contact.bytes_out or contact.bytes_in]
    rows = [Row(f"{_end(contact.host, contact.port)}: in all {_volume(contact)}") for contact in moved]
    return _some_rows(rows, "gnomon show --format json", 4)


def _volume(contact: Contact) -> str:
    return f"{bytes_in_words(contact.bytes_out)} out, {bytes_in_words(contact.bytes_in)} in"


def _end(host: str | None, port: int | None) -> str:
    name = host or "?"
    if port is not None:
        name = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    return printable(name)


def _failed_contact(failure: Failure) -> str:
    end = failure.host if failure.kind == "resolve" else failure.target
    return f"{printable(end or '?')}  ({_reason(failure)}){_times(failure.count)}"


def _request(request: Request) -> str:
    size = f" ({request.size:,} bytes)" if request.size else ""
    return f"{printable(request.method)} {printable(request.url)}{size}".strip() + _times(request.count)


def _contact(contact: Contact) -> str:
    others = [address for address in contact.addresses if address != contact.host]
    facts = [*others[:3], *(["…"] if len(others) > 3 else [])]
    if contact.is_this_machine:
        facts.append("this machine")
    if not contact.connects:
        facts.append("only looked up")
    if contact.bytes_out or contact.bytes_in:
        facts.append(_volume(contact))
    return (
        _end(contact.host, contact.port)
        + (f"  ({', '.join(facts)})" if facts else "")
        + _times(contact.connects)
    )


# What a person may want to know besides files, hosts and programs; the rest is for `gnomon events`.
_ACT_LABELS = {
    "database": "Database",
    "code": "Ran code",
    "unpickle": "Unpickled",
    "native": "Native",
    "send": "Sent to",
    "kill": "Signalled",
    "setenv": "Set",
    "registry": "Registry",
    "tamper": "Tampered",
}


# Code that is the program itself, and no news.
_ITSELF = frozenset(("command", "stdin", "interactive", "cell"))


def _act_sections(answer: Answer, directory: str | None) -> Iterable[tuple[str, list[Row]]]:
    for kind, label in _ACT_LABELS.items():
        # A library's own doing is for `gnomon events`, unless it hides something or holds data.
        shown = [act for act in answer.acts if act.kind == kind and _is_worth_showing(act)]
        rows = [Row(_act(act, directory), _by(act.by)) for act in shown]
        rows = _some_rows(rows, f"gnomon events --kind {kind}")
        if kind == "database":
            rows += _failed_rows([one for one in answer.failed if one.kind == kind], directory)
        if rows:
            yield label, rows


# Modules with functions that a pickle of data has no use for.
_ACTING = frozenset(
    (
        "asyncio",
        "code",
        "ctypes",
        "importlib",
        "marshal",
        "multiprocessing",
        "nt",
        "os",
        "pip",
        "platform",
        "posix",
        "pty",
        "runpy",
        "shutil",
        "socket",
        "subprocess",
        "sys",
        "timeit",
        "urllib",
        "webbrowser",
    )
)
_ACTING_BUILTINS = frozenset(
    f"{module}.{name}"
    for module in ("builtins", "__builtin__")
    for name in ("__import__", "compile", "eval", "exec", "execfile", "open")
)


def _is_worth_showing(act: Act) -> bool:
    if act.kind == "unpickle" and (act.target.partition(".")[0] in _ACTING or act.target in _ACTING_BUILTINS):
        return True  # whoever unpickles: this is how a model from elsewhere takes over
    if act.kind == "code" and act.detail in _ITSELF:
        return False
    if act.kind in ("database", "send", "kill", "registry"):
        return True
    return not act.by or any(cause.file and not cause.distribution for cause in act.by)


def _act(act: Act, directory: str | None) -> str:
    words = [printable(short_path(act.target, directory), 120)]
    if act.detail:
        words.append(printable(act.detail, 80))
    if act.size is not None:
        words.append(f"{act.size:,} bytes")
    if act.sha256:
        words.append(f"sha256 {act.sha256[:12]}…")
    return "  ".join(filter(None, words)) + _times(act.count)


def _started(answer: Answer) -> list[Row]:
    nodes = answer.tree
    if len(nodes) == 1 and nodes[0].state == "recorded" and nodes[0].process is answer.processes[0]:
        nodes = nodes[0].children
    rows = list(_node_rows(nodes, 0))
    rows = _some_rows(rows, "gnomon show --format json", 12) or [Row("no program")]
    copies = sum(node.how == "fork" for node in walk(answer.tree))
    if copies:
        rows.append(Row(f"and {copies} cop{'ies' if copies > 1 else 'y'} of itself, by fork"))
    return rows


def _node_rows(nodes: list[Node], depth: int) -> Iterator[Row]:
    """The nodes line by line; those that look the same and started nothing are one line."""
    lines: dict[tuple[str, str, int], list[Node]] = {}
    for at, node in enumerate(_without_forks(nodes)):
        by = _by([node.cause] if node.cause else [])
        lines.setdefault((_node(node), by, at if node.children else -1), []).append(node)
    for (text, by, _), same in lines.items():
        yield Row(text + _times(sum(node.count for node in same)), by, depth)
        yield from _node_rows(same[0].children, depth + 1)


def _without_forks(nodes: list[Node]) -> Iterator[Node]:
    """A copy of a program is no program of its own; what it started is."""
    for node in nodes:
        if node.how == "fork":
            yield from _without_forks(node.children)
        else:
            yield node


def _node(node: Node) -> str:
    argv = node.argv
    name = os.path.basename(argv[0]) if argv else ""
    if node.state in ("recorded", "silent") or name.startswith("python"):
        argv = [name, *argv[1:]]
    line = printable(command_line(argv), 160)
    return f"{line}{_outcome(node)}"


def _outcome(node: Node) -> str:
    if node.state == "silent":
        return f"  {_SILENT}"
    if node.state == "failed":
        return "  — could not be started"
    if node.process is None:
        return ""
    status = node.process.status
    return f"  {_RECORDED}, {_status(status)}" if status else f"  {_RECORDED}"


def _installation(process: Process) -> list[str]:
    """Where the interpreter and its environment are installed: what is read there is nobody's data."""
    places = [prefix(process), process.environment or ""]
    return [f"{place}/" for place in places if place not in ("", "/", "/usr")]
