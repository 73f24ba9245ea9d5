"""What a watched program chose, made safe for a person's terminal."""

from __future__ import annotations

import os

MAX_LENGTH = 300


def printable(text: str, limit: int = MAX_LENGTH) -> str:
    r"""`text` with everything that could move a cursor, hide or reorder letters written out.

    Control characters, escape sequences, bidirectional overrides and lone surrogates (undecodable bytes)
    appear as `\\xNN` or `\\uNNNN`. Longer text is cut in the middle.
    """
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _spelled(letter) for letter in text)


def _spelled(letter: str) -> str:
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that was no UTF-8 (PEP 383)
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def short_path(path: str, directory: str | None = None) -> str:
    """`path` as a person would say it: relative to `directory` below it, with `~` for the home directory."""
    for base, prefix in ((directory, ""), (os.path.expanduser("~"), "~/")):
        if base and base != "/" and path.startswith(base.rstrip("/") + "/"):
            return prefix + path[len(base.rstrip("/")) + 1 :]
    return path


def command_line(argv: list[str]) -> str:
    """`argv` as a shell would take it."""
    return " ".join(map(_quoted, argv))


def _quoted(word: str) -> str:
    import shlex

    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'  # shlex would write every ' as '"'"'
    return shlex.quote(word)


def bytes_in_words(count: int) -> str:
    """As in `281 bytes`, `12.3 kB`, `4.1 MB`: thousands, as network and disk makers count.

    Halves are rounded up in whole numbers: the HTML report's own script does the same, and says the same.
    """
    if count < 1000:
        return f"{count} byte{'s' if count != 1 else ''}"
    unit, names = 1000, ["kB", "MB", "GB", "TB"]
    while (tenths := (10 * count + unit // 2) // unit) >= 10_000 and len(names) > 1:
        unit, names = 1000 * unit, names[1:]
    return f"{tenths / 10:,.1f} {names[0]}"
