"""Bytes of a keyboard to the names of keys. Knows no terminal."""

from __future__ import annotations

import codecs
import re

_SEQUENCE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[@-~]|\x1b[^\[O\x1b]", re.DOTALL)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|O)?")
_MAX_SEQUENCE = 64
_SEQUENCES = {
    b"A": "up",
    b"B": "down",
    b"C": "right",
    b"D": "left",
    b"H": "home",
    b"F": "end",
    b"Z": "shift-tab",
    b"1~": "home",
    b"7~": "home",
    b"4~": "end",
    b"8~": "end",
    b"5~": "page-up",
    b"6~": "page-down",
    b"3~": "delete",
}
_CONTROLS = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x0c": "redraw",
    "\x15": "clear",
}


class Keys:
    """Turns bytes into keys, as they come. A sequence may come in pieces; a lone escape is a key."""

    def __init__(self) -> None:
        self._rest = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @property
    def is_waiting(self) -> bool:
        """Whether an escape came of which nobody knows yet whether more follows."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[str]:
        """The keys in what came."""
        data = self._rest + data
        self._rest = b""
        found: list[str] = []
        while data:
            if data[:1] != b"\x1b":
                plain, escape, data = data.partition(b"\x1b")
                found += self._letters(plain)
                data = escape + data
                continue
            match = _SEQUENCE.match(data)
            if match:
                key = _SEQUENCES.get(match[0][2:])
                found += [key] if key else []
                data = data[match.end() :]
            elif len(data) <= _MAX_SEQUENCE and _UNFINISHED.fullmatch(data):
                self._rest, data = data, b""
            else:
                found.append("escape")
                data = data[1:]
        return found

    def flush(self) -> list[str]:
        """What is to be made of an escape after which nothing came."""
        rest, self._rest = self._rest, b""
        return ["escape"] if rest else []

    def _letters(self, data: bytes) -> list[str]:
        letters = self._decoder.decode(data)
        return [
            _CONTROLS.get(letter, letter) for letter in letters if letter in _CONTROLS or letter.isprintable()
        ]
