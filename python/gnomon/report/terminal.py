"""The report in the terminal, and as plain text: what can be pasted into a mail."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..text import bytes_in_words, printable
from .words import (
    SEVERITIES,
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
    from rich.console import Console, JustifyMethod, RenderableType
    from rich.text import Text

    from .model import AiRow, DataRow, FindingRow, Flow, HostRow, LibraryRow, Report, ScriptPage

MIN_WIDTH, MAX_WIDTH = 60, 200
_SHOWN = 15
_GUTTER = 2  # between two columns
_LEAST = 12  # a narrower column of names is hard to read
_STYLES = {"high": "bold red", "medium": "yellow", "low": "cyan", "": "dim"}
_MARGIN = (0, 0, 0, 2)
# A space at which no line ends: rich ends lines at every space that Unicode has.
_FIRM = "\ue000"


@dataclass(frozen=True)
class Column:
    """A column of a table; left out where the screen is narrower than `from_width`."""

    name: str
    is_number: bool = False
    can_wrap: bool = False
    from_width: int = 0
    min_width: int = 0


def as_text(report: Report, *, width: int = 100, colour: bool = False) -> str:
    """The whole report.

    Args:
        report: What to tell.
        width: Columns of the screen.
        colour: Whether escape sequences may be used.
    """
    screen = Screen(width, colour=colour)
    names = Names(report.scripts)
    _head(screen, report)
    _headlines(screen, report)
    _scripts(screen, report)
    _ai(screen, report.ai, names)
    _flows(screen, report.flows, names)
    _data(screen, report.data, names)
    _libraries(screen, report.libraries, names)
    _hosts(screen, report.hosts, names)
    _stopped(screen, report.scripts, names)
    _suppressed(screen, report.suppressed)
    screen.section("What this cannot tell")
    screen.sentences([gap.sentence for gap in report.gaps] or ["Nothing is known to be missing."])
    screen.section("How it was checked")
    screen.sentences(checked(report))
    return screen.text()


class Screen:
    """Gathers what is printed: sections of tables and sentences."""

    def __init__(self, width: int, *, colour: bool, margin: int = 2) -> None:
        from rich.console import Console

        self.margin = (0, 0, 0, margin)

        self.width = max(MIN_WIDTH, min(width, MAX_WIDTH))
        self.console: Console = Console(
            file=io.StringIO(),
            width=self.width,
            color_system="standard" if colour else None,
            force_terminal=colour,
            no_color=not colour,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def line(self, *parts: tuple[str, str], margin: int = 0) -> None:
        """A paragraph of parts, each with its style."""
        from rich.padding import Padding
        from rich.text import Text

        text = Text.assemble(*parts)
        self.print(Padding(text, (0, 0, 0, margin)) if margin else text)

    def print(self, what: RenderableType) -> None:
        """Anything of rich's."""
        self.console.print(what)

    def section(self, title: str, more: str = "") -> None:
        """A heading."""
        self.console.print()
        self.line((title, "bold"), (f"  {more}" if more else "", "dim"))

    def sentences(self, said: Iterable[str], *, mark: str = "", style: str = "") -> None:
        """One paragraph each, hanging below its first letter."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(width=3)
        table.add_column(overflow="fold")
        for sentence in said:
            table.add_row(Text(f"  {mark or '·'}", style=style or "dim"), Text(printable(sentence, 2000)))
        self.print(table)

    def facts(self, rows: Iterable[tuple[str, str | Text]]) -> None:
        """Labels, and what is to be said of each."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for label, said in rows:
            table.add_row(Text(label, style="dim"), said if isinstance(said, Text) else Text(said))
        self.print(Padding(table, self.margin))

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> None:
        """A table without lines, of the columns that the screen has room for. Nothing in it is cut."""
        from rich.padding import Padding
        from rich.table import Table

        kept = [at for at, column in enumerate(columns) if column.from_width <= self.width]
        shown = [columns[at] for at in kept]
        cells = [[_as_text(row[at]) for at in kept] for row in rows]
        widths = _widths(shown, cells, self.width - self.margin[3])
        if widths is None:
            self._blocks(shown, cells)
            return
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for column, width in zip(shown, widths):
            justify: JustifyMethod = "right" if column.is_number else "left"
            table.add_column(column.name, justify=justify, width=width, overflow="fold")
        for row in cells:
            table.add_row(*row)
        self.print(Padding(table, self.margin))

    def _blocks(self, columns: Sequence[Column], rows: Iterable[Sequence[Text]]) -> None:
        """The rows one below the other, each cell on a line of its own: where a table would not fit."""
        for number, row in enumerate(rows):
            if number:
                self.console.print()
            self.facts((column.name, cell) for column, cell in zip(columns, row) if cell.plain)

    def more(self, count: int, what: str, many: str | None = None) -> None:
        """How many were left out."""
        if count > 0:
            self.line(
                (f"and {counted(count, f'more {what}', f'more {many or what + chr(115)}')}", "dim"), margin=2
            )

    def text(self) -> str:
        """All of it, without blanks at the ends of lines."""
        file = self.console.file
        assert isinstance(file, io.StringIO)
        lines = file.getvalue().replace(_FIRM, " ").split("\n")
        return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"


def _as_text(cell: str | Text) -> Text:
    return styled(cell, "") if isinstance(cell, str) else cell


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int) -> list[int] | None:
    """How wide each column is: the widest give way first, and numbers never. `None` where they do not fit."""
    widths = [len(column.name) for column in columns]
    for row in rows:
        widths = [max(width, cell.cell_len) for width, cell in zip(widths, row)]
    room -= _GUTTER * (len(columns) - 1)
    for can_all_wrap in (False, True):
        least = [_least(column, width, can_all_wrap) for column, width in zip(columns, widths)]
        if sum(least) <= room:
            return _narrowed(widths, least, room)
    return None


def _least(column: Column, width: int, can_all_wrap: bool) -> int:
    if column.is_number or not (column.can_wrap or can_all_wrap):
        return width
    return min(width, max(column.min_width, len(column.name), _LEAST if can_all_wrap else 0))


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    narrowed = list(widths)
    while sum(narrowed) > room:
        _, widest = max((width, at) for at, width in enumerate(narrowed) if width > least[at])
        narrowed[widest] -= 1
    return narrowed


def styled(text: str, style: str) -> Text:
    """A cell in a style."""
    from rich.text import Text

    return Text(text, style=style)


def severity_style(severity: str | None) -> str:
    """How something of that severity is shown."""
    return _STYLES.get(severity or "", "")


def _head(screen: Screen, report: Report) -> None:
    summary = report.summary
    screen.line((printable(report.title), "bold"))
    screen.line((f"{period(report.first, report.last)} · {looked_at(report)}", ""))
    screen.line(
        (f"gnomon {report.gnomon} · made {minute(report.made)} UTC · {some(report.spools, 2)}", "dim")
    )
    screen.console.print()
    counts = [(getattr(summary, severity), severity) for severity in SEVERITIES]
    parts = [
        (f"{count:,} {severity}", severity_style(severity) if count else "dim") for count, severity in counts
    ]
    parts.append((f"{summary.suppressed:,} suppressed", "dim"))
    rows = [("findings", _between(parts))]
    vulnerable = f" ({summary.vulnerable_libraries:,} vulnerable)" if report.vulnerability_database else ""
    facts = (
        counted(summary.ai_services, "AI service"),
        counted(summary.hosts, "host"),
        f"{bytes_in_words(summary.bytes_out)} sent",
        counted(summary.libraries, "library", "libraries") + vulnerable,
        counted(summary.sensitive_files, "sensitive file"),
    )
    rows.append(("seen", _between([(fact, "") for fact in facts])))
    if summary.denied or summary.warned or summary.justified:
        said = (
            f"{summary.denied:,} denied",
            f"{summary.warned:,} warned",
            f"{summary.justified:,} asked for a reason",
        )
        rows.append(("policy", _between([(word, "") for word in said])))
    screen.facts(rows)


def _between(parts: Iterable[tuple[str, str]]) -> Text:
    from rich.text import Text

    # Within one of them no line ends.
    return Text("   ").join(Text(word.replace(" ", _FIRM), style=style) for word, style in parts)


def _headlines(screen: Screen, report: Report) -> None:
    screen.section("What matters most")
    if not report.headlines:
        screen.sentences([nothing_found(report)])
        return
    grave = {finding.rule: finding.severity for finding in reversed(report.findings)}
    order = list(dict.fromkeys(finding.rule for finding in report.findings))
    for rule, sentence in zip(order, report.headlines):
        screen.sentences([sentence], mark="●", style=severity_style(grave[rule]))


def _scripts(screen: Screen, report: Report) -> None:
    risky = [page for page in report.scripts if page.risk] or report.scripts
    if not risky:
        return
    screen.section("Scripts by risk")
    columns = (
        Column("risk", is_number=True),
        Column("script"),
        Column("why", can_wrap=True),
        Column("who", from_width=80),
        Column("runs", is_number=True, from_width=80),
        Column("where", from_width=110),
        Column("started", from_width=130),
    )
    screen.table(columns, (_script(page, report) for page in risky[:_SHOWN]))
    screen.more(len(report.scripts) - len(risky[:_SHOWN]), "script")


def _script(page: ScriptPage, report: Report) -> tuple[str | Text, ...]:
    return (
        styled(str(page.risk), severity_style(page.severity)),
        printable(page.name, 32),
        why(page, report.findings),
        some(page.users, 2, 20),
        f"{page.runs:,}",
        some(page.machines, 1, 24),
        printable(page.schedule or "by hand", 60),
    )


def why(page: ScriptPage, findings: Sequence[FindingRow]) -> str:
    """Why a script is risky: its findings in a few words."""
    titles: dict[str, int] = {}
    for finding in findings:
        if finding.script == page.script:
            titles[finding.title] = titles.get(finding.title, 0) + 1
    said = [title if count == 1 else f"{title} (×{count})" for title, count in titles.items()]
    return printable("; ".join(said), 400) or "nothing found"


def _ai(screen: Screen, lines: Sequence[AiRow], names: Names) -> None:
    if not lines:
        return
    screen.section("AI services and models")
    columns = (
        Column("service"),
        Column("approved"),
        Column("calls", is_number=True, from_width=100),
        Column("sent", is_number=True, from_width=90),
        Column("scripts", can_wrap=True, min_width=18),
        Column("who", from_width=110),
        Column("data read before", can_wrap=True, from_width=80),
    )
    rows = (
        (
            printable(line.name, 34),
            _approved(line),
            f"{line.calls:,}",
            bytes_in_words(line.bytes_out) if line.hosts else "",
            names.some(line.scripts),
            some(line.users, 2, 20),
            styled(some(line.data_before, 4), "bold red" if line.data_before else ""),
        )
        for line in lines[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(lines) - _SHOWN, "service")


def _approved(line: AiRow) -> Text:
    return styled(approved(line), "bold red" if line.is_sanctioned is False else "")


def _flows(screen: Screen, flows: Sequence[Flow], names: Names) -> None:
    if not flows:
        return
    screen.section("Data read, then something sent", "in one run; no proof that it was this data")
    columns = (
        Column("data"),
        Column("files", is_number=True),
        Column("script"),
        Column("sent to", can_wrap=True),
        Column("sent", is_number=True),
        Column("who", from_width=90),
        Column("last", from_width=110),
    )
    rows = (
        (
            styled(printable(flow.label, 30), severity_style(flow.severity)),
            f"{flow.files:,}",
            names.of(flow.script, 32),
            printable(flow.service or flow.host, 50) + (" (inside)" if flow.is_internal else ""),
            bytes_in_words(flow.bytes_out),
            some(flow.users, 2, 20),
            minute(flow.last_seen),
        )
        for flow in flows[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(flows) - _SHOWN, "pair")


def _libraries(screen: Screen, libraries: Sequence[LibraryRow], names: Names) -> None:
    found = [library for library in libraries if library.state == "vulnerable"]
    if not found:
        return
    screen.section("Vulnerable libraries", "imported, not merely installed")
    columns = (
        Column("library"),
        Column("severity"),
        Column("fixed in"),
        Column("advisories", can_wrap=True),
        Column("scripts", can_wrap=True),
    )
    rows = (
        (
            printable(f"{library.distribution} {library.version or ''}", 40),
            styled(library.severity or "not rated", severity_style(library.severity)),
            printable(library.fixed or "no version yet", 20),
            some(library.advisories, 2),
            names.some(library.scripts),
        )
        for library in found[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(found) - _SHOWN, "library", "libraries")


def _data(screen: Screen, rows: Sequence[DataRow], names: Names) -> None:
    if not rows:
        return
    screen.section("Sensitive data that was used", "by paths and names; no content was read")
    columns = (
        Column("data"),
        Column("folder", can_wrap=True),
        Column("files", is_number=True),
        Column("read", is_number=True),
        Column("written", is_number=True),
        Column("scripts", can_wrap=True, min_width=18),
        Column("who", from_width=110),
    )
    told = (
        (
            styled(printable(row.label, 30), severity_style(row.severity)),
            printable(row.folder, 50),
            f"{row.files:,}",
            f"{row.reads:,}",
            f"{row.writes:,}",
            names.some(row.scripts, 2),
            some(row.users, 2, 20),
        )
        for row in rows[:_SHOWN]
    )
    screen.table(columns, told)
    screen.more(len(rows) - _SHOWN, "folder")


def _hosts(screen: Screen, hosts: Sequence[HostRow], names: Names) -> None:
    if not hosts:
        return
    screen.section("Hosts")
    columns = (
        Column("host"),
        Column("by", from_width=100),
        Column("what", can_wrap=True),
        Column("sent", is_number=True),
        Column("received", is_number=True, from_width=110),
        Column("scripts", can_wrap=True, min_width=18),
    )
    rows = (
        (
            printable(host.host, 44),
            printable(host.protocol or str(host.port or ""), 12),
            _of_host(host),
            bytes_in_words(host.bytes_out),
            bytes_in_words(host.bytes_in),
            names.some(host.scripts, 2),
        )
        for host in hosts[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(hosts) - _SHOWN, "host")


def _stopped(screen: Screen, pages: Sequence[ScriptPage], names: Names) -> None:
    found = stopped(pages)
    if not found:
        return
    screen.section("What policy stopped, or asked a reason for")
    columns = (
        Column("verdict"),
        Column("rule", can_wrap=True),
        Column("of", can_wrap=True, min_width=16),
        Column("script"),
        Column("who", from_width=90),
        Column("times", is_number=True),
    )
    rows = (
        (
            judged(said),
            printable(said["rule"] or "", 60),
            printable(f"{said['kind']} {said['target'] or ''}", 120),
            names.of(page.script, 40),
            some(page.users, 2, 20),
            f"{said['count']:,}",
        )
        for page, said in found[:_SHOWN]
    )
    screen.table(columns, rows)
    screen.more(len(found) - _SHOWN, "verdict")


def _of_host(host: HostRow) -> Text:
    from rich.text import Text

    words = [(printable(host.service or host.category or "", 40), severity_style(host.severity))]
    words.append(("inside" if host.is_internal else "", "dim"))
    words.append(("not encrypted" if host.is_plain else "", "yellow"))
    words.append((f"{host.denied:,} denied" if host.denied else "", ""))
    words.append((f"{host.failed:,} failed" if host.failed else "", "dim"))
    said = [word for word in words if word[0]]
    return Text(", ").join(Text(*word) for word in said)


def _suppressed(screen: Screen, findings: Sequence[FindingRow]) -> None:
    if not findings:
        return
    screen.section("Accepted for now")
    screen.sentences(
        f"{finding.title}, {finding.script_name or finding.subject}: "
        f"{(finding.suppressed_because or 'no reason given').rstrip('. ')}"
        f" ({finding.suppressed_by or '?'}, until {finding.suppressed_until or 'further notice'})."
        for finding in findings[:_SHOWN]
    )
    screen.more(len(findings) - _SHOWN, "finding")
