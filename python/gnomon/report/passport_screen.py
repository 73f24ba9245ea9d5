"""A script's passport in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..text import bytes_in_words, printable
from .terminal import Column, Screen, severity_style, styled
from .words import counted, day, judged, minute, period, some

if TYPE_CHECKING:
    from rich.text import Text

    from .model import FindingRow, ProcessNode, ScriptPage

_SHOWN = 12
_STATES = {
    "silent": "left no record",
    "failed": "could not be started",
    "denied": "was stopped by policy",
    "other": "no Python",
}


def page_as_text(
    page: ScriptPage, findings: Sequence[FindingRow], *, width: int = 100, colour: bool = False
) -> str:
    """The whole passport.

    Args:
        page: What is known of the script.
        findings: Those about it, the accepted ones too.
        width: Columns of the screen.
        colour: Whether escape sequences may be used.
    """
    screen = Screen(width, colour=colour)
    screen.line((printable(page.name, 80), "bold"), ("  ", ""), *_risk(page))
    seen = period(page.first_seen, page.last_seen)
    screen.line((f"script {page.script} · {_form(page.form)} · seen {seen}", "dim"))
    screen.console.print()
    screen.facts(facts(page))
    _points(screen, page)
    _findings(screen, findings)
    _changes(screen, page)
    _hosts(screen, page)
    _files(screen, page)
    _libraries(screen, page)
    _programs(screen, page)
    _verdicts(screen, page)
    return screen.text()


def _risk(page: ScriptPage) -> list[tuple[str, str]]:
    if not page.risk:
        return [("no finding that adds to its risk", "dim")]
    return [(f"risk {page.risk} of 100, {page.severity}", severity_style(page.severity))]


def _form(form: str) -> str:
    return {
        "command": "code on the command line",
        "kernel": "notebook",
        "stdin": "code from standard input",
    }.get(form, form)


def facts(page: ScriptPage) -> list[tuple[str, str]]:
    """Labels, and what is to be said of each."""
    return [
        ("where", f"{some(page.paths, 4, 200) or 'no file'}, on {some(page.machines, 6)}"),
        ("who", some(page.users, 8)),
        ("owner", _owner(page)),
        ("how often", _often(page)),
        ("started", printable(page.schedule or "by hand, as far as its starts tell", 120)),
        ("repository", _repository(page)),
        ("content", _content(page)),
        ("sent", f"{bytes_in_words(page.bytes_out)}, received {bytes_in_words(page.bytes_in)}"),
    ]


def _owner(page: ScriptPage) -> str:
    if page.owner_exists is None and page.owner is None:
        return "not known"
    name = printable(page.owner, 60) if page.owner else "an account that is gone"
    if page.is_owner_leaver:
        return f"{name}, on the list of leavers"
    if page.owner and page.owner_exists is False:
        return f"{name}, whose account is gone"
    return f"{name}; everybody who ran it is on the list of leavers" if page.is_leaver else name


def _often(page: ScriptPage) -> str:
    failed = f", {page.failed_runs:,} of them failed" if page.failed_runs else ""
    said = f"{counted(page.runs, 'run')} on {counted(page.days, 'day')}{failed}"
    if page.runs_by_day:
        busiest, runs = max(page.runs_by_day.items(), key=lambda item: (item[1], item[0]))
        said += f", most on {day(busiest)} ({runs:,})" if page.days > 1 and runs > 1 else ""
    return said


def _repository(page: ScriptPage) -> str:
    if page.repository:
        return printable(page.repository, 200)
    return "in none" if page.is_in_repository is False else "not known, as the file is not here"


def _content(page: ScriptPage) -> str:
    digest = f"sha256 {page.sha256[:16]}…" if page.sha256 else "no hash"
    return f"{digest}, {counted(page.versions, 'version')} seen" if page.sha256 else digest


def _points(screen: Screen, page: ScriptPage) -> None:
    if not page.points:
        return
    screen.section("Why this risk")
    rows: list[tuple[str | Text, ...]] = [
        (f"{point.points:+}", printable(point.because, 200)) for point in page.points
    ]
    rows.append((styled(str(page.risk), "bold"), "the score"))
    screen.table((Column("points", is_number=True), Column("because", can_wrap=True)), rows)


def _findings(screen: Screen, findings: Sequence[FindingRow]) -> None:
    if not findings:
        return
    screen.section("Findings")
    for finding in findings:
        accepted = f" {_accepted(finding)}" if finding.is_suppressed else ""
        style = "dim" if finding.is_suppressed else severity_style(finding.severity)
        screen.sentences([f"{finding.sentence} {finding.remedy}{accepted}"], mark="●", style=style)


def _accepted(finding: FindingRow) -> str:
    who, until = finding.suppressed_by or "somebody", finding.suppressed_until or "further notice"
    because = (finding.suppressed_because or "no reason given").rstrip(". ")
    return f"Accepted by {who} until {until}: {because}."


def _changes(screen: Screen, page: ScriptPage) -> None:
    if page.changes:
        screen.section("New in the last seven days")
        screen.sentences(page.changes)


def _hosts(screen: Screen, page: ScriptPage) -> None:
    if not page.hosts:
        return
    screen.section("Hosts")
    columns = (
        Column("host"),
        Column("by"),
        Column("what", can_wrap=True),
        Column("calls", is_number=True),
        Column("sent", is_number=True),
        Column("line", from_width=90),
        Column("last", from_width=110),
    )
    screen.table(columns, map(_host, page.hosts[:_SHOWN]))
    screen.more(len(page.hosts) - _SHOWN + page.more_hosts, "host")


def _host(host: dict[str, Any]) -> tuple[str | Text, ...]:
    what = [host["service"] or host["category"] or "", "this machine" if host["is_local"] else ""]
    what += ["inside" if host["is_internal"] and not host["is_local"] else ""]
    what += [
        f"{host['denied']:,} denied" if host["denied"] else "",
        f"{host['failed']:,} failed" if host["failed"] else "",
    ]
    return (
        printable(host["host"], 44),
        printable(host["protocol"] or str(host["port"] or ""), 12),
        printable(", ".join(filter(None, what)), 80),
        f"{host['requests'] or host['connects']:,}",
        bytes_in_words(host["bytes_out"]),
        line_of(host["caused_by"]),
        minute(host["last_seen"]),
    )


def line_of(cause: dict[str, Any] | None) -> str:
    """The line that caused something."""
    if not cause or not cause.get("file"):
        return ""
    name = cause["file"].rpartition("/")[2]
    return printable(f"{name}:{cause['line']}" if cause.get("line") else name, 40)


def _files(screen: Screen, page: ScriptPage) -> None:
    if not page.files:
        return
    screen.section("Files")
    columns = (
        Column("file", can_wrap=True),
        Column("may hold", can_wrap=True),
        Column("read", is_number=True),
        Column("written", is_number=True),
        Column("deleted", is_number=True, from_width=90),
        Column("last", from_width=110),
    )
    rows = (
        (
            printable(file["path"], 200),
            styled(printable(file["label"] or "", 60), severity_style(file["severity"])),
            f"{file['reads']:,}",
            f"{file['writes']:,}",
            f"{file['deletes']:,}",
            minute(file["last_seen"]),
        )
        for file in page.files[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(page.files[_SHOWN:]) + page.more_files, "file")


def _libraries(screen: Screen, page: ScriptPage) -> None:
    if not page.libraries:
        return
    screen.section("Libraries")
    columns = (
        Column("library"),
        Column("vulnerabilities", can_wrap=True),
        Column("fixed in"),
        Column("runs", is_number=True),
    )
    rows = (
        (
            printable(f"{library['distribution']} {library['version'] or ''}", 50),
            _known(library),
            printable(library["fixed"] or "", 20),
            f"{library['runs']:,}",
        )
        for library in page.libraries[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(page.libraries[_SHOWN:]) + page.more_libraries, "library", "libraries")


def _known(library: dict[str, Any]) -> str | Text:
    if library["state"] != "vulnerable":
        return styled("none known" if library["state"] == "no known vulnerability" else "not checked", "dim")
    said = f"{library['severity'] or 'not rated'}: {some(library['advisories'], 3)}"
    return styled(said, severity_style(library["severity"]))


def _programs(screen: Screen, page: ScriptPage) -> None:
    if page.tree:
        screen.section("Programs of its last run that had any")
        for depth, node in _walk(page.tree):
            state = _STATES.get(node.state, f"exit status {node.status}" if node.status else "")
            style = "yellow" if node.state == "silent" else ""
            told = f"  {state}" if state else ""
            screen.line(
                (printable(node.command or node.name, screen.width - 30), style),
                (told, "dim"),
                margin=2 + 2 * depth,
            )
    if page.children:
        screen.section("Programs started")
        columns = (
            Column("command", can_wrap=True),
            Column("times", is_number=True),
            Column("", can_wrap=True),
        )
        rows = (
            (
                printable(child["command"], 300),
                f"{child['count']:,}",
                printable(
                    f"left no record: {child['silent_because']}" if child["silent_because"] else "", 120
                ),
            )
            for child in page.children[:_SHOWN]
        )
        screen.table(columns, rows)
        screen.more(len(page.children[_SHOWN:]) + page.more_children, "program")


def _walk(nodes: Iterable[ProcessNode], depth: int = 0) -> Iterator[tuple[int, ProcessNode]]:
    for node in nodes:
        yield depth, node
        yield from _walk(node.children, depth + 1)


def _verdicts(screen: Screen, page: ScriptPage) -> None:
    if not page.verdicts:
        return
    screen.section("What policy said")
    columns = (
        Column("verdict"),
        Column("of", can_wrap=True),
        Column("rule", can_wrap=True),
        Column("times", is_number=True),
        Column("reason given", can_wrap=True, from_width=90),
    )
    screen.table(columns, map(_verdict, page.verdicts[:_SHOWN]))
    screen.more(len(page.verdicts) - _SHOWN, "verdict")


def _verdict(said: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{judged(said)}{', stopped' if said['is_stopped'] else ''}",
        printable(f"{said['kind']} {said['target'] or ''}", 120),
        printable(said["rule"] or "", 60),
        f"{said['count']:,}",
        printable(said["reason"] or "", 120),
    )
