"""The terminal: keys in, changed lines out, and everything as it was before on any way out."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from functools import lru_cache
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.style import Style

from .cells import MOVE, Line, is_simple
from .keys import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping

# The alternate screen, no cursor, no wrapping at the right edge: whatever a line does, it stays there.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
# Terminals that know it show a frame at once; others ignore it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ESCAPE_SECONDS = 0.05
_ENDING = (signal.SIGTERM, signal.SIGHUP)

STYLES = {
    "": Style.null(),
    "bars": Style.parse("cyan"),
    "big": Style.parse("bold"),
    "brand": Style.parse("bold reverse"),
    "deny": Style.parse("bold red"),
    "dim": Style.parse("dim"),
    "filter": Style.parse("bold"),
    "focus": Style.parse("cyan"),
    "frame": Style.parse("dim"),
    "good": Style.parse("green"),
    "heading": Style.parse("dim italic"),
    "justify": Style.parse("bold magenta"),
    "key": Style.parse("bold"),
    "kind": Style.parse("blue"),
    "name": Style.null(),
    "number": Style.null(),
    "selected": Style.parse("reverse"),
    "title": Style.parse("bold"),
    "warn": Style.parse("yellow"),
    "would": Style.parse("cyan"),
}


class Left(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        self.number = number


class Painter:
    """Lines to what a terminal understands."""

    def __init__(self, environment: Mapping[str, str], *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._colours = _colours(environment) if is_terminal else None
        self._has_colour = not environment.get("NO_COLOR")
        self.style = lru_cache(maxsize=256)(self._style)

    def _style(self, names: str) -> Style:
        found = Style.combine([STYLES[""], *(STYLES.get(name, STYLES[""]) for name in names.split())])
        return found if self._has_colour else found.without_color

    def line(self, line: Line) -> str:
        """A line, with its colours."""
        shown = []
        for text, names in line:
            if names == MOVE:
                shown.append(f"\x1b[{text}G" if self._is_terminal else "")
            elif text:
                shown.append(self.style(names).render(text, color_system=self._colours))
        return "".join(shown)


def _colours(environment: Mapping[str, str]) -> ColorSystem:
    if environment.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    return ColorSystem.EIGHT_BIT if "256" in environment.get("TERM", "") else ColorSystem.STANDARD


class Terminal:
    """The terminal while the screen is ours. Use it as a context manager."""

    def __init__(self) -> None:
        self._out = sys.stdout.fileno()
        self._in, self._is_in_ours = _keyboard()
        self._encoding = sys.stdout.encoding or "utf-8"
        self._painter = Painter(os.environ, is_terminal=True)
        self._keys = Keys()
        self._before: list[int | list[bytes | int]] | None = None
        self._handlers: dict[int, object] = {}
        self._shown: list[str] = []
        self._size = (0, 0)
        self._is_to_stop = False

    def __enter__(self) -> Terminal:
        try:
            for number in _ENDING:
                self._handlers[number] = signal.signal(number, _leave)
            self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop_soon)
            self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _ignore)
            self._take()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        try:
            found = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        return max(1, found.columns or 80), max(1, found.lines or 24)

    def keys(self, seconds: float) -> list[str]:
        """What was typed, waiting for it for so long.

        Raises:
            EOFError: The terminal is gone.
        """
        if self._is_to_stop:
            self._stop()
        found: list[str] = []
        wait = seconds
        while select.select([self._in], [], [], max(0.0, wait))[0]:
            data = os.read(self._in, 1024)
            if not data:
                raise EOFError
            found += self._keys.feed(data)
            wait = _ESCAPE_SECONDS if self._keys.is_waiting else 0.0
        if self._keys.is_waiting:
            found += self._keys.flush()
        return found

    def show(self, lines: list[Line]) -> None:
        """Writes the lines that changed."""
        size = self.size
        painted = [self._painter.line(line) for line in lines[: size[1]]]
        frame = []
        if size != self._size:
            self._shown, self._size = [], size
            frame.append("\x1b[0m\x1b[2J")
        for number, text in enumerate(painted):
            if number >= len(self._shown) or self._shown[number] != text:
                # Where terminals disagree on a width, something of the line before could stay.
                erase = "" if is_simple(lines[number]) else "\x1b[2K"
                frame.append(f"\x1b[{number + 1};1H{erase}{text}\x1b[0m")
        self._shown = painted
        if frame:
            self._write(f"{_BEGIN}{''.join(frame)}{_END}")

    def redraw(self) -> None:
        """Writes everything the next time."""
        self._size = (0, 0)

    def _take(self) -> None:
        self._before = termios.tcgetattr(self._in)
        tty.setcbreak(self._in)
        mode = termios.tcgetattr(self._in)
        mode[0] &= ~termios.IXON  # Ctrl-S must not make us wait for ever
        termios.tcsetattr(self._in, termios.TCSANOW, mode)
        self._write(_ENTER)
        self.redraw()

    def _give_back(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            self._write(_LEAVE)
        if self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self._in, termios.TCSANOW, self._before)

    def _restore(self) -> None:
        if self._before is not None:
            self._give_back()
            self._before = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers.clear()
        if self._is_in_ours:
            os.close(self._in)
            self._is_in_ours = False

    def _stop_soon(self, number: int, frame: FrameType | None) -> None:
        self._is_to_stop = True

    def _stop(self) -> None:
        """Stops as Ctrl-Z asks, with the terminal as the shell had it, and goes on when told to."""
        self._is_to_stop = False
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop_soon)
        self._take()

    def _write(self, text: str) -> None:
        data = memoryview(text.encode(self._encoding, "replace"))
        while data:
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:  # somebody else made it so
                select.select([], [self._out], [], 1.0)


def _keyboard() -> tuple[int, bool]:
    """A descriptor to read keys from, and whether it is ours to close."""
    if sys.stdin is not None and sys.stdin.isatty():
        return sys.stdin.fileno(), False
    return os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY), True


def _leave(number: int, frame: FrameType | None) -> None:
    raise Left(number)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Only so that waiting for keys ends."""
