"""Reads, counts, draws and listens, in turn, in one thread.

Reading goes in bounded parts, and drawing at most ten times a second, whatever comes.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING

from .cells import plain
from .screen import draw
from .state import State
from .terminal import Left, Painter, Terminal
from .view import View

if TYPE_CHECKING:
    from .. import Live, Spool

FRAME_SECONDS = 0.1
_SHORTEST_SECONDS = 0.08
"""Between two frames; looks take longer now and then, and the next frame is to come in time all the same."""
_IDLE_SECONDS = 1.0
"""As long as nothing happens, only ages change."""
_LOOK_MS = 40
_LEAST_REST_SECONDS = 0.005
_ONCE_SECONDS = 1.0


def watch(spool: Spool) -> int:
    """Shows `spool` until a person leaves. Returns the exit code."""
    live, state, view = spool.live(), State(time.time()), View()
    try:
        with Terminal() as terminal:
            _run(live, state, view, terminal, str(spool.path))
    except Left as left:
        return 128 + left.number
    except EOFError:
        return 1
    return 0


def _run(live: Live, state: State, view: View, terminal: Terminal, name: str) -> None:
    drawn, wanted, size, is_touched = 0.0, view.wanted, (0, 0), False
    while not view.is_left:
        is_changed = _look(live, state) or is_touched or terminal.size != size
        now = time.monotonic()
        if now - drawn >= (_SHORTEST_SECONDS if is_changed else _IDLE_SECONDS):
            drawn, size, is_touched = now, terminal.size, False
            terminal.show(draw(state, view, name, *size))
        rest = 0.0 if state.waiting else now + FRAME_SECONDS - time.monotonic()
        for key in terminal.keys(max(rest, _LEAST_REST_SECONDS)):
            is_touched = True
            if key == "redraw":
                terminal.redraw()
            view.press(key, state)
        if view.wanted != wanted:
            wanted = view.wanted
            wanted.ask(live)
            state.ask(wanted)


def _look(live: Live, state: State) -> bool:
    """Counts what came. Returns whether anything is to be drawn anew."""
    try:
        look = live.look(_LOOK_MS)
    except OSError as error:
        is_new = state.problem is None
        state.fail(error.strerror or str(error), time.time())
        return is_new
    is_changed = state.problem is not None
    return state.feed(look, time.time()) or is_changed or state.event_rate.value(state.now) > 0


def show_once(spool: Spool) -> int:
    """Prints the screen once everything is read, and what came within a second."""
    live, state = spool.live(), State(time.time())
    began = time.monotonic()
    while True:
        state.feed(live.look(_LOOK_MS), time.time())
        if not state.waiting:
            rest = began + _ONCE_SECONDS - time.monotonic()
            if rest <= 0:
                break
            time.sleep(min(rest, FRAME_SECONDS))
    width, height = shutil.get_terminal_size((100, 40))
    lines = draw(state, View(pane="events"), str(spool.path), width, height)[:-1]
    painter = Painter(os.environ, is_terminal=sys.stdout.isatty())
    for line in lines:
        print(painter.line(line).rstrip() if sys.stdout.isatty() else plain(line).rstrip())
    return 0
