r"""Patterns as a catalogue writes them to regular expressions that Python's re and RE2 (DuckDB) read alike.

Letters are spelled out in both cases and no flag is used but `(?s)`: the engines fold case differently. What
an expression finds may be anywhere in a text; `^` and `\z` are its start and end (`as_python`: Python's).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

# What bounds a word: ASCII that is no letter, Latin and general punctuation, the scripts that have no spaces.
# Short on purpose: the letters of all of Unicode would make each expression many times as large.
_BOUNDARY = "[\\x00-@\\[-`{-\\x7f\u00a0-\u00bf\u2000-\u206f\u3000-\u9fff]"
_BEFORE = f"(?:^|{_BOUNDARY})"
_AFTER = f"(?:{_BOUNDARY}|\\z)"
_SEPARATOR = r"[/\\]"
_SPACE = "[ _.'\u2019-]?"
# Words so short that they are also met in capitals before another word: `HRReport`.
_SHORT = 4
_UMLAUTS = "\u00e4\u00f6\u00fc"
# What a file of data may be packed or put aside as.
_PACKED = ("gz", "bz2", "xz", "zst", "zip", "7z", "gpg", "enc", "bak", "old", "orig", "tmp", "part")


class PatternError(ValueError):
    """A pattern cannot be used; the text is a hint."""


def as_python(regex: str) -> str:
    """`regex` as Python's re reads it."""
    return regex.replace(r"\z", r"\Z")


def alternatives(regexes: Iterable[str]) -> str:
    """One expression that finds what any of `regexes` finds."""
    found = list(dict.fromkeys(regexes))
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def literal(text: str) -> str:
    """What finds `text` whatever its case, whether letters with accents are composed or not."""
    return "".join(_letter(letter) for letter in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=1024)
def _letter(letter: str) -> str:
    if letter in "/\\":
        return _SEPARATOR
    if letter.isascii():
        return _either(letter) if letter.isalpha() else _escaped(letter)
    if letter == "\u00df":
        return "(?:\u00df|[sS][sS])"
    base, *marks = list(unicodedata.normalize("NFD", letter.lower()))
    if not marks or not base.isascii():
        return alternatives([re.escape(letter.lower()), re.escape(letter.upper())])
    ending = f"(?:{''.join(marks)}|[eE])?" if letter.lower() in _UMLAUTS else f"{''.join(marks)}?"
    return f"(?:[{letter.lower()}{letter.upper()}]|{_either(base)}{ending})"


def _either(letter: str) -> str:
    return f"[{letter.lower()}{letter.upper()}]"


def _escaped(letter: str) -> str:
    return (
        letter
        if letter.isalnum() or letter in " _-,;:~%@'\"=!<>&#"
        else f"[{letter}]"
        if letter != "^"
        else r"\^"
    )


# ---- paths


def of_path(glob: str) -> str:
    """The expression for a path: `*` and `?` stay within a name, `**/` and `/**` do not, `{a,b}` is a choice.

    Raises:
        PatternError: It is no such pattern.
    """
    return of_paths([glob])


def of_paths(globs: Iterable[str]) -> str:
    """The expression for a path that one of `globs` means.

    Raises:
        PatternError: One is no such pattern.
    """
    anywhere, rooted = [], []
    for glob in globs:
        if glob.startswith("**/"):
            anywhere.append(_glob(glob[3:]))
        elif glob.startswith("/") or glob[1:3] == ":/":
            rooted.append(_glob(glob))
        else:
            raise PatternError(f"write `**/{glob}` for a name anywhere, or start with `/`")
    starts = [f"(?:^|{_SEPARATOR}){_either_of(anywhere)}"] if anywhere else []
    starts += [f"^{_either_of(rooted)}"] if rooted else []
    return alternatives(starts) + r"\z"


def _glob(glob: str) -> str:
    regex, depth, at, end = "", 0, 0, ""
    if glob.endswith("/**"):
        glob, end = glob[:-3], _SEPARATOR + "(?s:.)*"
    while at < len(glob):
        letter = glob[at]
        if glob.startswith("/**/", at):
            regex, at = regex + rf"{_SEPARATOR}(?:(?s:.)*{_SEPARATOR})?", at + 4
            continue
        depth += (letter == "{") - (letter == "}")
        if glob.startswith("**", at) or letter in "[]" or not 0 <= depth <= 1:
            raise PatternError("use `*`, `?`, `**/`, `/**` and `{one,other}`, nothing within one another")
        regex += _glob_letter(letter, depth)
        at += 1
    if depth:
        raise PatternError("close the `{`")
    return regex + end


def _glob_letter(letter: str, depth: int) -> str:
    if letter == "," and depth:
        return "|"
    special = {"{": "(?:", "}": ")", "*": r"[^/\\]*", "?": r"[^/\\]"}
    return special.get(letter) or literal(letter)


# ---- words


def of_words(words: Sequence[str]) -> str:
    """The expression for any of `words` in a path, bounded by what is no letter or as in `CustomerList`.

    A `*` at the start or end of a word stands for letters; a space for nothing or one of ` _.'-`.

    Raises:
        PatternError: One is no word.
    """
    for word in words:
        bare = word.strip("*")
        if len(bare) < 2 or "*" in bare or any(letter in "/\\{}[]?" for letter in bare):
            raise PatternError(f"{word!r} is no word: write letters, with a `*` at its start or end")
    starting = [word for word in words if not word.startswith("*")]
    closed = [word for word in starting if not word.endswith("*")]
    opened = [word[:-1] for word in starting if word.endswith("*")]
    within = [word[1:] for word in words if word.startswith("*")]
    camel = [_cased(word, first="upper") for word in closed]
    short = [re.escape(word.upper()) for word in closed if len(word) <= _SHORT]
    # Boundaries stand outside of the choices: within, they would make the expression too large to be quick.
    bounded = [
        _either_of(map(_spaced, closed), _AFTER),
        _either_of(map(_spaced, opened)),
        _either_of((_cased(word, first="either") for word in closed), "[A-Z]"),
        _either_of(short, "[A-Z][a-z]"),
    ]
    inner = [
        _either_of(camel, f"(?:[A-Z]|{_AFTER})"),
        _either_of(_cased(word, first="upper") for word in opened),
    ]
    ends = [_either_of((_spaced(word.rstrip("*")) for word in within if not word.endswith("*")), _AFTER)]
    ends.append(_either_of(_spaced(word.rstrip("*")) for word in within if word.endswith("*")))
    return _either_of([_after(_BEFORE, bounded), _after("[a-z]", inner), *ends])


def _after(before: str, choices: Iterable[str]) -> str:
    choice = _either_of(choices)
    return before + choice if choice else ""


def _either_of(regexes: Iterable[str], then: str = "") -> str:
    """What finds one of `regexes` with `then` after it; nothing where there are none."""
    found = [regex for regex in regexes if regex]
    return alternatives(found) + then if found else ""


def _spaced(word: str) -> str:
    return _SPACE.join(literal(part) for part in word.split(" "))


def _cased(word: str, *, first: str) -> str:
    """`word` in lower case but for its first letter, and the first of each further part."""
    start, *parts = word.split(" ")
    head = literal(start[0]) if first == "either" or not start[0].isascii() else start[0].upper()
    rest = [part[0] if not part[0].isascii() else _either(part[0]) for part in parts]
    tails = [_lower(part[1:]) for part in (start, *parts)]
    return _SPACE.join(one + tail for one, tail in zip((head, *rest), tails))


def _lower(text: str) -> str:
    return "".join(
        letter if letter.isascii() and letter.isalnum() else literal(letter) for letter in text.lower()
    )


def of_types(types: Iterable[str]) -> str:
    """The expression for the name of a file of one of these `types`, as it is or packed once more."""
    packed = alternatives(literal(one) for one in _PACKED)
    return rf"[.]{alternatives(literal(one) for one in types)}(?:[.]{packed}|~)*\z"


# ---- hosts


def of_host(pattern: str) -> str:
    """The expression for a host: `*.` is any subdomain, another `*` a part of one label.

    Raises:
        PatternError: It is no such pattern.
    """
    bare = pattern[2:] if pattern.startswith("*.") else pattern
    if not bare or "/" in bare or "**" in bare or bare.startswith(".") or " " in bare:
        raise PatternError(
            "write a host such as `api.example.com` or `*.example.com`, without scheme and path"
        )
    start = r"^(?:[^.]+[.])+" if pattern.startswith("*.") else "^"
    return start + "".join("[^.]+" if letter == "*" else literal(letter) for letter in bare) + r"[.]?\z"


def of_url_path(pattern: str) -> str:
    """The expression for the path of a URL that starts with `pattern`; a `*` is a part between slashes."""
    return "^" + "".join("[^/]+" if letter == "*" else literal(letter) for letter in pattern)
