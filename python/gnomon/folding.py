"""Names without what differs from run to run: pure functions of text.

Temporary names, dates, times, process ids, digests and ports that the system chose become `*`, so that two
runs of one program are seen to do the same. A number of up to three digits stays, and so does one that is a
part of a word (`v2`, `python3.11`): these tell things apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

HOLE = "*"
# Linux gives out 32768 to 60999, and IANA names 49152 and above.
_FIRST_FREE_PORT = 32768

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
# Dates, times, addresses, fractions: the longest first.
_SHAPES = re.compile(
    r"""
    # 2026-11-22, 20261122, with or without a time: T09:30:00.123Z, _093000
    (?<!\d)(?:19|20)\d\d(?P<date>[-_.]?)(?:0[1-9]|1[0-2])(?P=date)(?:0[1-9]|[12]\d|3[01])
      (?:[T\ _.-]*(?:[01]\d|2[0-4])(?P<time>[:._h-]?)[0-5]\d(?:(?P=time)[0-5]\d(?:[.,_]\d+)?)?
      (?:Z|[+-]\d\d:?\d\d)?)?(?!\d)
    | (?<!\d)\d{1,2}(?P<day>[-_.])\d{1,2}(?P=day)(?:19|20)\d\d(?!\d)
    | (?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2]|W\d\d|Q[1-4])(?!\d)
    | (?<![A-Za-z\d])(?:\d{1,2}[-_\ ]?)?
      (?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t|tember)?
        |oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)
      [-_\ ]?(?:19|20)?\d\d(?![A-Za-z\d])
    | (?<!\d)[0-2]\d(?P<clock>[:_-])[0-5]\d(?P=clock)[0-5]\d(?:[.,]\d+)?(?!\d)
    | (?<![A-Za-z\d])0x[0-9a-fA-F]+(?![A-Za-z\d])
    | (?<![A-Za-z\d])\d{4,}[.,]\d+
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z0-9]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DIGEST_LENGTHS = frozenset((32, 40, 56, 64, 96, 128))
# Python's tempfile: eight of these letters, by default after `tmp`.
_TMP = re.compile(r"(?<![A-Za-z0-9])tmp[a-z0-9_]{8}(?![A-Za-z0-9_])")
_EIGHT = re.compile(r"(?<![A-Za-z0-9])[a-z0-9_]{8}(?![A-Za-z0-9_])")
_NO_WORD = re.compile(r"\d[a-z]|\d{4}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,}")  # token_urlsafe and the like
_CAMEL = re.compile(r"[A-Z][a-z]{2,}")
_LONG_NUMBER = re.compile(r"\d{6,}")
_SHORT_NUMBER = re.compile(r"(?<![A-Za-z0-9._])\d{1,3}(?![A-Za-z0-9_])")
_NUMBER = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")

_TEMPORARY = re.compile(
    r"(/tmp|/var/tmp|/private/tmp|/dev/shm|(?:/private)?/var/folders/[^/]+/[^/]+/T)/(.+)", re.DOTALL
)
_MKTEMP = re.compile(r"tmp\.[A-Za-z0-9]{6,12}")
# pytest keeps its last directories, and numbers them.
_OF_PYTEST = re.compile(r"pytest-of-.+")
_DATED = re.compile(r"/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(?:/\d{1,2}){0,2}(?=/|$)")
_PARTITION = re.compile(r"(?<==)\d+(?=/|$)")  # month=11
_OF_KERNEL = re.compile(r"(?<=/)\d+(?=/|$)")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """`text` with a `*` for each part that is random, a date, a time, a digest or a long number."""
    if "tmp" not in text and not _DIGIT.search(text) and (len(text) < 12 or text.islower()):
        return text  # nearly all names
    text = _UUID.sub(HOLE, text)
    text = _TOKEN.sub(_fold_token, text)
    text = _TMP.sub(f"tmp{HOLE}", text)
    text = _EIGHT.sub(_fold_eight, text)
    text = _WORD.sub(_fold_random, text)  # before a date is seen in the middle of it
    text = _SHAPES.sub(HOLE, text)
    return _WORD.sub(_fold_number, text)


def fold_numbers(text: str) -> str:
    """`fold`, and all numbers too."""
    return _NUMBER.sub(HOLE, fold(text))


@lru_cache(maxsize=1 << 14)
def fold_path(path: str) -> str:
    """`fold` for each part of a path; in a directory for temporary files, short numbers too."""
    if path.startswith(("/proc/", "/dev/pts/", "/dev/fd/")):
        return _OF_KERNEL.sub(HOLE, path)
    temporary = _TEMPORARY.fullmatch(path)
    if temporary:
        parts = temporary[2].split("/")
        folded = [*map(_fold_temporary, parts[:2]), *map(fold, parts[2:])]
        return f"{temporary[1]}/{'/'.join(folded)}"
    if _DIGIT.search(path):
        path = _PARTITION.sub(HOLE, _DATED.sub(f"/{HOLE}", path))
    return "/".join(map(fold, path.split("/")))


def is_temporary(path: str) -> bool:
    """Whether `path` lies in a directory for temporary files."""
    return _TEMPORARY.fullmatch(path) is not None


def fold_port(port: int | None) -> str:
    """The port, or `*` for one that the system chose."""
    return HOLE if port is None or port == 0 or port >= _FIRST_FREE_PORT else str(port)


def series(text: str) -> str | None:
    """What members of one numbered series have in common; `None` for a name without a number."""
    folded = _NUMBER.sub(HOLE, text)
    return folded if folded != text else None


def guesses(text: str) -> Iterator[tuple[str, str]]:
    """`text` with a `*` for each word that tempfile could have made up, and that word.

    Of its random names, one in five looks like any other word: that it was random shows beside another
    run's name only.
    """
    for found in _EIGHT.finditer(text):
        yield f"{text[: found.start()]}{HOLE}{text[found.end() :]}", found[0]
    for found in _TMP.finditer(text):
        yield f"{text[: found.start() + 3]}{HOLE}{text[found.end() :]}", found[0][3:]


def are_random(one: str, other: str) -> bool:
    """Whether two words of tempfile's letters have nothing in common but by chance."""
    differing = sum(left != right for left, right in zip(one, other))
    return len(one) == len(other) and differing >= len(one) - 2


def _fold_temporary(part: str) -> str:
    if _EIGHT.fullmatch(part):
        return HOLE  # tempfile tries its directory with such a name
    if _OF_PYTEST.fullmatch(part):
        return f"pytest-of-{HOLE}"
    part = _MKTEMP.sub(f"tmp.{HOLE}", part)
    return _SHORT_NUMBER.sub(HOLE, fold(part))


def _fold_eight(found: re.Match[str]) -> str:
    word = found[0]
    return HOLE if "_" in word and _NO_WORD.search(word) else word


def _fold_token(found: re.Match[str]) -> str:
    text = found[0]
    letters = text.replace("-", "").replace("_", "")
    is_one_word = len(text) - len(letters) <= len(text) // 5
    return HOLE if is_one_word and _is_mixed(letters) else text


def _fold_random(found: re.Match[str]) -> str:
    return HOLE if _is_random(found[0]) else found[0]


def _fold_number(found: re.Match[str]) -> str:
    word = found[0]
    if word.isdigit():
        return HOLE if len(word) >= 4 else word
    return _LONG_NUMBER.sub(HOLE, word)


def _is_random(word: str) -> bool:
    length = len(word)
    if length < 8 or word.isdigit():
        return length in _DIGEST_LENGTHS
    has_digit = any(letter.isdigit() for letter in word)
    if length == 8 and _LONG_NUMBER.search(word):
        return True
    if _HEX.fullmatch(word) and (has_digit or length in _DIGEST_LENGTHS):
        return True
    if length >= 12 and _is_mixed(word):
        return True
    between = sum(left.isdigit() != right.isdigit() for left, right in zip(word, word[1:]))
    return has_digit and between >= (2 if length == 8 else 3)


def _is_mixed(word: str) -> bool:
    """Whether capitals, small letters and digits take turns, and not as in CamelCase."""
    kinds = [(letter.isdigit(), letter.isupper()) for letter in word]
    changes = sum(left != right for left, right in zip(kinds, kinds[1:]))
    camels = sum(map(len, _CAMEL.findall(word)))
    return changes >= 0.4 * len(word) and camels < 0.6 * len(word)
