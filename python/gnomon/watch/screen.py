"""State and choices to the lines of a screen, each exactly as wide as that. Knows no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cells import MOVE, Line, Span, fit, is_simple, safe, width_of
from .details import details, help_lines
from .tables import count, script_of, table
from .view import PANES

if TYPE_CHECKING:
    from .state import State
    from .view import View

_NAMES = {"processes": "Processes", "events": "Newest events", "verdicts": "Verdicts", "hosts": "Hosts"}
_BARS = " ▁▂▃▄▅▆▇█"
_FULL_WIDTH, _FULL_HEIGHT = 110, 22
_HALF_WIDTH, _HALF_HEIGHT = 60, 18
_KEYS = (
    ("tab", "pane"),
    ("/", "text"),
    ("k", "kind"),
    ("v", "verdict"),
    ("⏎", "only this"),
    ("s", "sort"),
    ("space", "pause"),
    ("?", "help"),
    ("q", "quit"),
)
_DROPPED_FIRST = ("s", "⏎", "v", "k", "/", "space", "tab")


def draw(state: State, view: View, spool: str, width: int, height: int) -> list[Line]:
    """The whole screen."""
    shown = view.paused or state
    header = _header(state, shown, view, spool, width, is_short=height < _HALF_HEIGHT)
    footer = [_footer(view, width)]
    room = max(1, height - len(header) - len(footer))
    lines = [*header, *_body(state, view, width, room), *footer]
    overlay = _overlay(state, view, width, height)
    if overlay:
        lines = _laid_over(lines, overlay, width, height)
    return [*lines[: height - 1], *lines[-1:]] if height > 1 else lines[:1]


def _header(state: State, shown: State, view: View, spool: str, width: int, *, is_short: bool) -> list[Line]:
    lines = [
        _spread(
            [(" gnomon watch ", "brand"), (" ", ""), (safe(spool), "name")], [*_mode(state, view)], width
        ),
        _spread(_figures(shown, width), [] if is_short else _total(shown), width),
    ]
    gaps = _gaps(shown)
    if not is_short or gaps[0][1] == "warn":
        lines.append(_spread(gaps, [], width))
    if view.wanted:
        lines.append(_spread(_chosen(shown, view), [], width))
    return lines


def _mode(state: State, view: View) -> Line:
    if state.problem:
        return [(" spool not readable ", "deny"), (" ", "")]
    if view.paused:
        more = state.events - view.paused.events
        return [(f" paused: {count(more)} events since ", "selected"), (" ", "")]
    if state.waiting:
        share = 1 - state.waiting / max(1, state.files)
        return [(f"reading what was before: {share:.0%} ", "warn")]
    return [("● live ", "good")]


def _figures(state: State, width: int) -> Line:
    elsewhere = sum(watched.is_elsewhere for watched in state.processes.values())
    running = sum(watched.may_run for watched in state.processes.values()) - elsewhere
    all_of_them = f"{len(state.processes) + state.others:,}"
    others = f", {elsewhere:,} elsewhere" if elsewhere else ""
    rate: Line = [(f" {count(state.event_rate.value(state.now))}", "big"), (" events/s  ", "")]
    style = "good" if running else "dim"
    if width < _HALF_WIDTH:
        return [*rate, (f"{running:,}", style), (f" of {all_of_them} running{others}", "")]
    return [
        *rate,
        (_bars(list(state.seconds)[-20:]), "bars"),
        (f"  {count(state.record_rate.value(state.now))} records/s", "dim"),
        (f"  {running:,}", style),
        (f" of {all_of_them} processes running{others}", ""),
    ]


def _total(state: State) -> Line:
    return [(f"{state.events:,} events in {state.files:,} files ", "dim")]


def _bars(numbers: list[int]) -> str:
    most = max(numbers, default=0) or 1
    return "".join(_BARS[-(-number * (len(_BARS) - 1) // most)] for number in numbers)


def _gaps(state: State) -> Line:
    if state.problem:
        return [(f" {safe(state.problem)}; waiting for it", "warn")]
    words = [f"{number:,} records lost ({safe(reason)})" for reason, number in state.lost.items() if number]
    evicted = state.kinds.get("evict", 0)
    if evicted:
        words.append(f"{evicted:,} files removed by gnomon keep")
    forged = sum(watched.process.is_forged for watched in state.processes.values())
    if forged:
        words.append(f"{forged:,} processes of a forged user (marked !)")
    if state.fault_count:
        fault = state.faults[0]
        why = safe(fault.detail or fault.kind)
        words.append(f"{state.fault_count:,} not readable: {safe(str(fault.path))} ({why})")
    if not words:
        return [(" no gaps known", "dim")]
    return [(f" gaps: {'; '.join(words)}", "warn")]


def _chosen(state: State, view: View) -> Line:
    wanted = view.wanted
    words = []
    if wanted.process is not None:
        watched = state.processes.get(wanted.process)
        process = watched.process if watched else None
        words.append(f"process {process.pid if process else '?'} {safe(script_of(process), 60)}")
    if wanted.kind:
        words.append(f"kind {wanted.kind}")
    if wanted.verdict:
        words.append("what policy spoke of" if wanted.verdict == "any" else f"verdict {wanted.verdict}")
    if wanted.text:
        words.append(f"text “{safe(wanted.text, 60)}”")
    return [(" only ", "selected"), (f" {' · '.join(words)} ", "filter"), ("  esc: everything", "dim")]


def _spread(left: Line, right: Line, width: int) -> Line:
    """One to the left, the other to the right; the left is cut where there is not room for both."""
    right_width = sum(width_of(text) for text, _ in right)
    if right_width > width // 2:
        right = [(fit("".join(text for text, _ in right), width // 2), right[0][1])]
        right_width = width // 2
    room = width - right_width
    line: Line = []
    for text, style in left:
        taken = min(width_of(text), room)
        line.append((fit(text, taken), style))
        room -= taken
    return [*line, (" " * room, ""), *_moved(line, width - right_width), *right]


def _moved(line: Line, column: int) -> Line:
    return [] if is_simple(line) else [(str(column + 1), MOVE)]


def _footer(view: View, width: int) -> Line:
    if view.prompt is not None:
        prompt = safe(view.prompt)
        room = max(1, width - 9)
        shown = fit(prompt, room - 1, "end") if width_of(prompt) >= room else prompt
        line: Line = [(" text: ", "selected"), (shown, "name"), ("▏", "good")]
        return _spread(line, [("enter esc ", "dim")] if width >= 60 else [], width)
    keys = [*_KEYS]
    for dropped in _DROPPED_FIRST:
        if sum(len(key) + len(meaning) + 3 for key, meaning in keys) <= width:
            break
        keys = [(key, meaning) for key, meaning in keys if key != dropped]
    spans = [span for key, meaning in keys for span in ((f" {key}", "key"), (f" {meaning} ", "dim"))]
    return _spread(spans, [], width)


def _body(state: State, view: View, width: int, height: int) -> list[Line]:
    if width >= _FULL_WIDTH and height >= _FULL_HEIGHT - 5:
        return _four(state, view, width, height)
    if width >= _HALF_WIDTH and height >= _HALF_HEIGHT - 5:
        other = view.pane if view.pane != "events" else "processes"
        top = max(6, height * 2 // 5)
        return [
            *_pane(other, state, view, 0, width, top),
            *_pane("events", state, view, 0, width, height - top),
        ]
    return [_tabs(view, width), *_listing(view.pane, state, view, width, height - 1)]


def _four(state: State, view: View, width: int, height: int) -> list[Line]:
    top = max(9, height * 9 // 20)
    left = width * 3 // 5
    upper = max(4, top // 2)
    processes = _pane("processes", state, view, 0, left, top)
    verdicts = _pane("verdicts", state, view, left, width - left, upper)
    hosts = _pane("hosts", state, view, left, width - left, top - upper)
    beside = [[*one, *other] for one, other in zip(processes, [*verdicts, *hosts])]
    return [*beside, *_pane("events", state, view, 0, width, height - top)]


def _tabs(view: View, width: int) -> Line:
    spans: Line = []
    for number, pane in enumerate(PANES, 1):
        is_named = pane == view.pane or width >= _HALF_WIDTH
        words = f" {number} {_NAMES[pane]} " if is_named else f" {number} "
        spans.append((words, "selected" if pane == view.pane else "dim"))
    return _spread(spans, [], width)


def _pane(pane: str, state: State, view: View, x: int, width: int, height: int) -> list[Line]:
    """A table in a frame, whose left edge is in column `x`."""
    style = "focus" if pane == view.pane else "frame"
    title = f" {PANES.index(pane) + 1} {_NAMES[pane]} "
    about = f" by {view.order(pane)} " if pane == view.pane else ""
    if pane == "events" and view.pane == "events":
        about = " enter: all of it "
    filled = max(0, width - 4 - len(title) - len(about))
    top: Line = [
        ("╭─", style),
        (title, f"{style} title"),
        ("─" * filled, style),
        (about, "dim"),
        ("─╮", style),
    ]
    lines = [_cut(top, width)]
    for line in _listing(pane, state, view, width - 2, height - 2):
        lines.append([("│", style), *line, *_moved(line, x + width - 1), ("│", style)])
    return [*lines, [(f"╰{'─' * (width - 2)}╯", style)]]


def _cut(line: Line, width: int) -> Line:
    text = "".join(text for text, _ in line)
    return line if width_of(text) == width else [(fit(text, width), line[0][1])]


def _listing(pane: str, state: State, view: View, width: int, height: int) -> list[Line]:
    """The heading, and as many rows as fit around the selected one."""
    shown = view.paused or state
    rows = view.rows(pane, state)
    position = view.position(pane, rows)
    room = max(0, height - 1)
    first = max(0, min(position - room // 2, len(rows) - room))
    heading, lines = table(pane, rows[first : first + room], shown, width)
    if pane == view.pane and lines:
        index = position - first
        lines[index] = [(text, f"{style} selected") for text, style in lines[index]]
    if not lines and room:
        lines = [[(fit(f" {_nothing(pane, view)}", width), "dim")]]
    blank: Line = [(" " * width, "")]
    return [heading, *lines, *([blank] * (room - len(lines)))][:height]


def _nothing(pane: str, view: View) -> str:
    if view.wanted:
        return "nothing like that"
    return {
        "processes": "no process has recorded anything yet",
        "events": "no events yet",
        "verdicts": "policy said nothing",
        "hosts": "no connections",
    }[pane]


def _overlay(state: State, view: View, width: int, height: int) -> list[Line]:
    inner = max(10, min(width - 4, 100))
    room = max(1, height - 4)
    if view.is_help_shown:
        return _box("Help", help_lines(inner), inner, room)
    if view.shown_event:
        watched = (view.paused or state).processes.get(view.shown_event.key)
        return _box("Event", details(view.shown_event, watched, inner), inner, room)
    if view.chooser:
        chooser = view.chooser
        inner = max(10, min(width - 4, 44))
        first = max(0, min(chooser.index - room // 2, len(chooser.options) - room))
        lines: list[Line] = []
        for index, (_, words) in enumerate(chooser.options[first : first + room], first):
            style = "selected" if index == chooser.index else ""
            lines.append([(fit(f" {safe(words)}", inner), style)])
        return _box(chooser.title, lines, inner, room)
    return []


def _box(title: str, lines: list[Line], inner: int, room: int) -> list[Line]:
    title = fit(f" {title} ", min(inner, len(title) + 2))
    top: Line = [("╭", "focus"), (title, "focus title"), ("─" * (inner - len(title)) + "╮", "focus")]
    body: list[Line] = [[("│", "focus"), *line, ("│", "focus")] for line in lines[:room]]
    return [top, *body, [(f"╰{'─' * inner}╯", "focus")]]


def _laid_over(lines: list[Line], overlay: list[Line], width: int, height: int) -> list[Line]:
    """`overlay` in the middle, above dimmed blanks: nothing shines through that moves."""
    top = max(0, (height - len(overlay)) // 2)
    result = [*lines]
    for index, line in enumerate(overlay):
        if top + index >= len(result) - 1:
            break
        taken = sum(width_of(text) for text, style in line if style != MOVE)
        left = max(0, (width - taken) // 2)
        rest: Span = (" " * max(0, width - left - taken), "")
        edge = [(str(left + taken), MOVE), line[-1]] if not is_simple(line) else [line[-1]]
        result[top + index] = [(" " * left, ""), *line[:-1], *edge, rest]
    return result
