"""What the page says before, or without, its scripts: a mail preview runs none."""

from __future__ import annotations

from html import escape

from ...text import bytes_in_words, printable
from ..model import Report, ScriptPage
from ..words import nothing_found

MAX_SCRIPTS = 20


def static_title(report: Report) -> str:
    """The report's title, as HTML."""
    return _text(report.title)


def static_summary(report: Report) -> str:
    """The headlines, the figures and the scripts of most risk, as HTML."""
    return "\n".join(
        (
            f'<h1 tabindex="-1">{static_title(report)}</h1>',
            f'<p class="period">{_text(_period(report))}</p>',
            _headlines(report),
            "<h2>Figures</h2>",
            _figures(report),
            "<h2>Scripts of most risk</h2>",
            _scripts(report.scripts[:MAX_SCRIPTS]),
        )
    )


def _text(value: object) -> str:
    """`value` as HTML in ASCII, with nothing in it that hides or reorders letters."""
    return escape(printable(str(value), 1000)).encode("ascii", "xmlcharrefreplace").decode()


def _period(report: Report) -> str:
    if report.first is None or report.last is None:
        return f"No record. Made {report.made[:10]}."
    return f"{report.first[:10]} to {report.last[:10]}. Made {report.made[:10]} by gnomon {report.gnomon}."


def _headlines(report: Report) -> str:
    if not report.headlines:
        return f"<p>{_text(nothing_found(report))}</p>"
    items = "".join(f"<li>{_text(sentence)}</li>" for sentence in report.headlines)
    return f'<ol class="headlines">{items}</ol>'


def _figures(report: Report) -> str:
    summary = report.summary
    figures: dict[str, int | str] = {
        "Scripts": summary.scripts,
        "Runs": summary.runs,
        "Users": summary.users,
        "Machines": summary.machines,
        "Findings of high severity": summary.high,
        "Findings of medium severity": summary.medium,
        "Findings of low severity": summary.low,
        "AI services": summary.ai_services,
        "Libraries": summary.libraries,
        "Libraries with a known vulnerability": (
            summary.vulnerable_libraries if report.vulnerability_database else "not checked"
        ),
        "Hosts": summary.hosts,
        "Sensitive files": summary.sensitive_files,
        "Sent": bytes_in_words(summary.bytes_out),
        "Denied by policy": summary.denied,
    }
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td class="number">{_number(value)}</td></tr>'
        for name, value in figures.items()
    )
    return f'<table class="plain">{rows}</table>'


def _number(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _scripts(pages: list[ScriptPage]) -> str:
    if not pages:
        return "<p>No script was recorded.</p>"
    head = "<tr><th>Risk</th><th>Severity</th><th>Script</th><th>Users</th><th>Runs</th></tr>"
    return f'<table class="plain"><thead>{head}</thead><tbody>{"".join(map(_script, pages))}</tbody></table>'


def _script(page: ScriptPage) -> str:
    cells = (page.risk, page.severity or "none", page.name, ", ".join(page.users), f"{page.runs:,}")
    return f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"
