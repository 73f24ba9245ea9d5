"""Text in the cells of a terminal: what a watched program chose must not move anything out of its place."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from ..text import printable

Span = tuple[str, str]
"""Text, and the name of its style."""
Line = list[Span]
MOVE = "\0move"
"""The style of a span that is no text: the column to go on at, where the terminal can do that."""


def safe(text: str, limit: int = 300) -> str:
    """`text` that takes the cells that it seems to: nothing in it is invisible, moves, or joins others."""
    shown = printable(text, limit)
    if shown.isascii():
        return shown
    return "".join(
        letter if letter.isascii() or cell_len(letter) else f"\\u{ord(letter):04x}" for letter in shown
    )


def width_of(text: str) -> int:
    """How many cells it takes."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: str = "left") -> str:
    """`text` in exactly `width` cells. `end` is as `left`, and where it is cut its end stays."""
    if width <= 0:
        return ""
    taken = width_of(text)
    if taken > width:
        return _end_of(text, width) if align == "end" else f"{set_cell_size(text, width - 1)}…"
    room = " " * (width - taken)
    return room + text if align == "right" else text + room


def _end_of(text: str, width: int) -> str:
    left = width - 1
    start = len(text)
    while start and left:
        taken = width_of(text[start - 1])
        if taken > left:
            break
        left -= taken
        start -= 1
    return "…" + text[start:] + " " * left


@dataclass(frozen=True)
class Column:
    """A column of a table: how wide it is, and where its text stands. 0 is what the others leave."""

    title: str
    width: int
    align: str = "left"


def laid_out(columns: list[Column], width: int) -> list[Column]:
    """The columns with their widths in a table of `width`."""
    fixed = sum(column.width + 1 for column in columns) - 1
    rest = max(0, width - fixed)
    return [column if column.width else Column(column.title, rest, column.align) for column in columns]


def row(columns: list[Column], cells: list[Span], width: int) -> Line:
    """A line of a table, `width` cells wide."""
    spans: Line = []
    used = 0
    for column, (text, style) in zip(columns, cells):
        room = min(column.width, width - used)
        if room <= 0:
            break
        gap = " " if used + room < width else ""
        spans += [(fit(text, room, column.align), style), (gap, "")]
        used += room + len(gap)
    return [*spans, (" " * (width - used), "")]


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(text for text, style in line if style != MOVE)


def is_simple(line: Line) -> bool:
    """Whether every terminal agrees on how wide it is."""
    return all(text.isascii() or set(text) <= _AGREED for text, style in line if style != MOVE)


_AGREED = {chr(number) for number in range(32, 127)} | set("─│╭╮╰╯├┤┬┴┼…·×▁▂▃▄▅▆▇█●‖▸⏎→↑↓")
