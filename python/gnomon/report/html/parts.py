"""The files that a page is made of, joined in the order in which they need each other."""

from __future__ import annotations

from functools import cache
from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "assets"

STYLES = ("base.css", "tables.css", "charts.css", "screens.css", "print.css")

SCRIPTS = (
    "d3.min.js",
    "dom.js",
    "format.js",
    "store.js",
    "words.js",
    "table.js",
    "columns.js",
    "rows.js",
    "charts/frame.js",
    "charts/timeline.js",
    "charts/bars.js",
    "charts/sankey.js",
    "charts/tree.js",
    "screens/overview.js",
    "screens/lists.js",
    "screens/script.js",
    "screens/finding.js",
    "screens/about.js",
    "paper.js",
    "app.js",
)


@cache
def _text(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def template() -> str:
    """The page around its parts, which it names as `{{part}}`."""
    return _text("template.html")


def style() -> str:
    """All style sheets as one."""
    return _ascii("\n".join(map(_text, STYLES)), "\\{:x} ")


def script() -> str:
    """All scripts as one, the chart library first; the rest shares one scope of its own."""
    library, *own = map(_text, SCRIPTS)
    joined = "\n".join(own)
    return _ascii(f'{library}\n(() => {{\n"use strict";\n{joined}\n}})();\n', "\\u{{{:x}}}")


def licences() -> str:
    """What the chart library's licences ask to be kept with it."""
    return _text("d3.LICENSE.txt")


def _ascii(text: str, escape: str) -> str:
    """`text` in ASCII, so that no mail program's idea of an encoding changes what was hashed."""
    return "".join(letter if letter < "\x80" else escape.format(ord(letter)) for letter in text)
