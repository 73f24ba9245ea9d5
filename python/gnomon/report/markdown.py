"""The report as Markdown, for tickets and wikis: what a watched program chose is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..text import bytes_in_words, printable
from .passport_screen import facts
from .terminal import why
from .words import (
    Names,
    approved,
    checked,
    counted,
    judged,
    looked_at,
    minute,
    nothing_found,
    period,
    some,
    stopped,
)

if TYPE_CHECKING:
    from .model import AiRow, DataRow, FindingRow, Flow, HostRow, LibraryRow, Report, ScriptPage

# What means something in Markdown wherever it stands, or in the HTML that Markdown may hold; what begins a
# list; what makes a link of what is around it, or tells a person of it.
_MEANT = re.compile(r"([\\`*_{}\[\]|~$#@]|^[-+!]|(?<=^\d)\.|:(?=//)|(?<=\bwww)\.)")
_SHOWN = 50


def escaped(text: object, limit: int = 300) -> str:
    """`text` as Markdown shows it literally, on one line."""
    return html.escape(_MEANT.sub(r"\\\1", printable(str(text), limit)), quote=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table (GitHub's); a column whose name ends in `:` holds numbers."""
    yield f"| {' | '.join(name.rstrip(':') for name in columns)} |"
    yield f"|{'|'.join('---:' if name.endswith(':') else '---' for name in columns)}|"
    for row in rows:
        yield f"| {' | '.join(escaped(cell) for cell in row)} |"


def as_markdown(report: Report) -> str:
    """The whole report."""
    names = Names(report.scripts)
    return (
        "\n".join(
            [
                *_head(report),
                *_findings(report),
                *_scripts(report),
                *_more(report, names),
                *_stopped(report, names),
                *_end(report),
            ]
        )
        + "\n"
    )


def _head(report: Report) -> Iterator[str]:
    summary = report.summary
    yield f"# {escaped(report.title)}"
    yield ""
    yield f"{escaped(period(report.first, report.last))}. {escaped(looked_at(report))}."
    yield f"Made by gnomon {escaped(report.gnomon)} on {minute(report.made)} UTC."
    yield ""
    yield from table(
        (
            "high:",
            "medium:",
            "low:",
            "suppressed:",
            "AI services:",
            "hosts:",
            "sent:",
            "vulnerable libraries:",
        ),
        [
            (
                summary.high,
                summary.medium,
                summary.low,
                summary.suppressed,
                summary.ai_services,
                summary.hosts,
                bytes_in_words(summary.bytes_out),
                summary.vulnerable_libraries if report.vulnerability_database else "not checked",
            )
        ],
    )
    yield ""
    yield "## What matters most"
    yield ""
    yield from (f"- {escaped(said, 2000)}" for said in report.headlines or [nothing_found(report)])
    yield ""


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        return
    yield "## Findings"
    yield ""
    yield from table(
        ("severity", "what", "script", "sentence", "remedy", "who"), map(_finding, report.findings[:_SHOWN])
    )
    yield from _left_out(len(report.findings) - _SHOWN, "finding")
    if report.suppressed:
        yield ""
        yield f"{counted(len(report.suppressed), 'finding')} {_is(len(report.suppressed))} accepted for now."
    yield ""


def _finding(finding: FindingRow) -> tuple[object, ...]:
    return (
        finding.severity,
        finding.title,
        finding.script_name or finding.subject,
        finding.sentence,
        finding.remedy,
        some(finding.users),
    )


def _scripts(report: Report) -> Iterator[str]:
    yield "## Scripts by risk"
    yield ""
    rows = (
        (
            page.risk,
            page.name,
            why(page, report.findings),
            some(page.users),
            page.runs,
            page.schedule or "by hand",
        )
        for page in report.scripts[:_SHOWN]
    )
    yield from table(("risk:", "script", "why", "who", "runs:", "started"), rows)
    yield from _left_out(len(report.scripts) - _SHOWN, "script")
    yield ""


def _more(report: Report, names: Names) -> Iterator[str]:
    vulnerable = [library for library in report.libraries if library.state == "vulnerable"]
    yield from _section(
        "AI services and models",
        ("service", "approved", "calls:", "sent:", "scripts", "who", "data read before"),
        [_ai(line, names) for line in report.ai],
        "service",
    )
    yield from _section(
        "Data read, then something sent",
        ("data", "severity", "files:", "script", "sent to", "sent:", "who"),
        [_flow(flow, names) for flow in report.flows],
        "pair",
    )
    yield from _section(
        "Sensitive data that was used",
        ("data", "severity", "folder", "files:", "read:", "written:", "scripts", "who"),
        [_data(row, names) for row in report.data],
        "folder",
    )
    yield from _section(
        "Vulnerable libraries",
        ("library", "severity", "fixed in", "advisories", "scripts"),
        [_library(library, names) for library in vulnerable],
        "library",
        "libraries",
    )
    yield from _section(
        "Hosts",
        ("host", "by", "what", "sent:", "received:", "scripts"),
        [_host(host, names) for host in report.hosts],
        "host",
    )


def _ai(line: AiRow, names: Names) -> tuple[object, ...]:
    return (
        line.name,
        approved(line),
        line.calls,
        bytes_in_words(line.bytes_out) if line.hosts else "",
        names.some(line.scripts),
        some(line.users),
        some(line.data_before, 5),
    )


def _flow(flow: Flow, names: Names) -> tuple[object, ...]:
    return (
        flow.label,
        flow.severity,
        flow.files,
        names.of(flow.script),
        flow.service or flow.host,
        bytes_in_words(flow.bytes_out),
        some(flow.users),
    )


def _data(row: DataRow, names: Names) -> tuple[object, ...]:
    return (
        row.label,
        row.severity,
        row.folder,
        row.files,
        row.reads,
        row.writes,
        names.some(row.scripts),
        some(row.users),
    )


def _library(library: LibraryRow, names: Names) -> tuple[object, ...]:
    return (
        f"{library.distribution} {library.version or ''}",
        library.severity or "not rated",
        library.fixed or "no version yet",
        some(library.advisories),
        names.some(library.scripts),
    )


def _host(host: HostRow, names: Names) -> tuple[object, ...]:
    said = (
        host.service or host.category,
        "inside" if host.is_internal else None,
        "not encrypted" if host.is_plain else None,
    )
    return (
        host.host,
        host.protocol or host.port or "",
        ", ".join(filter(None, said)),
        bytes_in_words(host.bytes_out),
        bytes_in_words(host.bytes_in),
        names.some(host.scripts),
    )


def _stopped(report: Report, names: Names) -> Iterator[str]:
    columns = ("verdict", "rule", "of", "script", "who", "times:")
    rows = [
        (
            judged(said),
            said["rule"] or "",
            f"{said['kind']} {said['target'] or ''}",
            names.of(page.script),
            some(page.users),
            said["count"],
        )
        for page, said in stopped(report.scripts)
    ]
    yield from _section("What policy stopped, or asked a reason for", columns, rows, "verdict")


def _section(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    what: str,
    many: str | None = None,
    *,
    more: int = 0,
) -> Iterator[str]:
    """A table with the first of `rows`, and how many were left out: those, and `more` that are not here."""
    if not rows:
        return
    yield f"## {title}"
    yield ""
    yield from table(columns, rows[:_SHOWN])
    yield from _left_out(len(rows[_SHOWN:]) + more, what, many)
    yield ""


def _end(report: Report) -> Iterator[str]:
    yield "## What this cannot tell"
    yield ""
    gaps = [gap.sentence for gap in report.gaps] or ["Nothing is known to be missing."]
    yield from (f"- {escaped(said, 2000)}" for said in gaps)
    yield ""
    yield "## How it was checked"
    yield ""
    yield from (f"- {escaped(said, 2000)}" for said in checked(report))


def _left_out(count: int, what: str, many: str | None = None) -> Iterator[str]:
    if count > 0:
        yield ""
        yield f"And {counted(count, f'more {what}', f'more {many}' if many else None)}."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def page_as_markdown(page: ScriptPage, findings: Sequence[FindingRow]) -> str:
    """One passport."""
    return "\n".join([*_page_head(page, findings), *_page_lists(page)]) + "\n"


def _page_head(page: ScriptPage, findings: Sequence[FindingRow]) -> Iterator[str]:
    yield f"# {escaped(page.name)}"
    yield ""
    said = f"Risk {page.risk} of 100 ({page.severity})." if page.risk else "No finding."
    yield f"{said} Script `{page.script}`, seen {period(page.first_seen, page.last_seen)}."
    yield ""
    yield from table(("", ""), facts(page))
    yield ""
    points = [(f"{point.points:+}", point.because) for point in page.points]
    yield from _section("Why this risk", ("points:", "because"), points, "line")
    if findings:
        yield "## Findings"
        yield ""
        for finding in findings:
            accepted = " (accepted)" if finding.is_suppressed else ""
            said = escaped(f"{finding.sentence} {finding.remedy}", 2000)
            yield f"- **{finding.severity}**{accepted} {said}"
        yield ""
    if page.changes:
        yield "## New in the last seven days"
        yield ""
        yield from (f"- {escaped(said, 2000)}" for said in page.changes)
        yield ""


def _page_lists(page: ScriptPage) -> Iterator[str]:
    hosts = [
        (
            host["host"],
            host["protocol"] or host["port"] or "",
            host["service"] or host["category"] or "",
            bytes_in_words(host["bytes_out"]),
            minute(host["last_seen"]),
        )
        for host in page.hosts
    ]
    yield from _section("Hosts", ("host", "by", "what", "sent:", "last"), hosts, "host", more=page.more_hosts)
    files = [
        (file["path"], file["label"] or "", file["reads"], file["writes"], file["deletes"])
        for file in page.files
    ]
    columns: tuple[str, ...] = ("file", "may hold", "read:", "written:", "deleted:")
    yield from _section("Files", columns, files, "file", more=page.more_files)
    libraries = [
        (library["distribution"], library["version"] or "", library["state"], some(library["advisories"], 5))
        for library in page.libraries
    ]
    columns = ("library", "version", "state", "advisories")
    yield from _section("Libraries", columns, libraries, "library", "libraries", more=page.more_libraries)
    children = [(child["command"], child["count"], child["silent_because"] or "") for child in page.children]
    columns = ("command", "times:", "left no record")
    yield from _section("Programs started", columns, children, "program", more=page.more_children)
    yield from _section(
        "What policy said", ("verdict", "of", "rule", "times:"), list(map(_verdict, page.verdicts)), "verdict"
    )


def _verdict(said: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        judged(said),
        f"{said['kind']} {said['target'] or ''}",
        said["rule"] or "",
        said["count"],
    )
