"""A terminal for a program under test: keys go in, and what a person would see comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

_PATIENCE_SECONDS = 60


class Screen(pyte.Screen):
    """As pyte's, with the private modes and the alternate screen told apart."""

    def __init__(self, columns: int, lines: int) -> None:
        self.private: set[int] = set()
        super().__init__(columns, lines)

    def set_mode(self, *modes: int, **options: bool) -> None:
        if options.get("private"):
            self.private.update(modes)
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes: int, **options: bool) -> None:
        if options.get("private"):
            self.private.difference_update(modes)
        super().reset_mode(*modes, **options)


class Seat:
    """A program in a terminal of its own, with the person before it. Use it as a context manager."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], columns: int = 120, lines: int = 36
    ) -> None:
        self.screen = Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.keyboard, self.terminal = pty.openpty()
        self.resize(columns, lines)
        self.mode_before = termios.tcgetattr(self.terminal)
        self.program = subprocess.Popen(
            argv,
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            env={"TERM": "xterm-256color", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509
        )

    def __enter__(self) -> Seat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self.keyboard)
        os.close(self.terminal)

    def resize(self, columns: int, lines: int) -> None:
        """Gives the terminal another size, and tells the program."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self.keyboard, keys.encode())

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def read(self, seconds: float = 0.05) -> bool:
        """Takes in what the program writes now. Returns whether it wrote anything."""
        if not select.select([self.keyboard], [], [], seconds)[0]:
            return False
        data = os.read(self.keyboard, 1 << 16)
        self.written += data
        self._stream.feed(data)
        return True

    def until(self, fact: Callable[[str], bool], what: str = "what was expected") -> str:
        """Waits until `fact` holds of the text on the screen, and returns that."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not fact(self.text):
            self.read()
            assert time.monotonic() < end, f"{what} did not come:\n{self.text}"
        return self.text

    def until_shown(self, *texts: str) -> str:
        """Waits until all of these are on the screen."""
        return self.until(lambda text: all(wanted in text for wanted in texts), repr(texts))

    def ended(self) -> int:
        """Waits for the end of the program, and returns its status."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while self.program.poll() is None:
            self.read()
            assert time.monotonic() < end, f"it goes on:\n{self.text}"
        while self.read(0):
            pass
        return self.program.returncode

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal is as it was before the program began."""
        is_main = not {1049, 1049 << 5} & self.screen.private
        has_cursor = not self.screen.cursor.hidden
        return is_main and has_cursor and termios.tcgetattr(self.terminal) == self.mode_before

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.program.send_signal(number)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
