"""The report as one HTML file that needs nothing else: it opens from a mail and never asks the network.

Everything that a watched program chose stays data. It travels as JSON whose `<`, `>` and `&` are escaped,
the page's scripts insert it as text only, and a Content-Security-Policy with the hashes of the page's own
script and style allows nothing else to run.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from ..model import Report
from .data import data_blocks
from .parts import licences, script, style, template
from .static import static_summary, static_title


def as_html(report: Report) -> str:
    """The whole report as one file's text, all of it ASCII."""
    styles, scripts = style(), script()
    parts = {
        "policy": _policy(scripts, styles),
        "title": static_title(report),
        "style": styles,
        "static": static_summary(report),
        "data": "\n".join(data_blocks(report)),
        "licences": licences(),
        "script": scripts,
    }
    return _filled(template(), parts)


def _policy(scripts: str, styles: str) -> str:
    rules = {
        "default-src": "'none'",
        "script-src": _hash(scripts),
        "style-src": _hash(styles),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{rule} {value}" for rule, value in rules.items())


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _filled(text: str, parts: dict[str, str]) -> str:
    """`text` with each `{{part}}` filled in, once: what a part says is never looked at again."""
    pieces = text.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        filled += [parts[name], rest]
    return "".join(filled)
