"""Sentences for people, of a rule's template and the values of a row.

What a watched program chose is quoted where it could be taken for the sentence, cut where it is long, and
escaped; figures are as people write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from ..text import bytes_in_words, printable

_MAX_LENGTH = 1000
_MAX_SHOWN = 80
_LISTED = 3
_OFTEN = {1: "once", 2: "twice"}
_FIELD = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_SECTION = re.compile(r"\[\[(.*?)\]\]")
_PLAIN = re.compile(r"[\w@./:+~=,%#-]+")


def fields(template: str) -> Iterator[tuple[str, str]]:
    """The names that a template asks for, and in which form."""
    for found in _FIELD.finditer(template):
        yield found[1], found[2] or ""


def is_form(form: str) -> bool:
    """Whether there is such a form."""
    return form in ("", *_FORMS) or re.fullmatch(r"count [a-z ]+(/[a-z ]+)?", form) is not None


def rendered(template: str, row: Mapping[str, Any]) -> str:
    """The sentence. A part in `[[…]]` is left out where one of its values is missing.

    Forms of `{name:form}`: none, by the value's type; `count day` for `1 day` and `3 days` (but `once` and
    `twice`), or `count entry/entries`; `bytes`; `sent` for `sent 2.3 MB to`, or `talked to` where they are
    unknown; `name` for the last part of a path; `moment` for a time with its hour; `words` for text of the
    rule's own.
    """

    def section(found: re.Match[str]) -> str:
        is_whole = all(row[name] not in (None, "", []) for name, _ in fields(found[1]))
        return found[1] if is_whole else ""

    def field(found: re.Match[str]) -> str:
        return shown(row[found[1]], found[2] or "")

    sentence = _FIELD.sub(field, _SECTION.sub(section, template))
    return printable(sentence[:1].upper() + sentence[1:] if template[:1] != "{" else sentence, _MAX_LENGTH)


def shown(value: Any, form: str = "") -> str:
    """One value."""
    if form.startswith("count "):
        one, _, many = form[len("count ") :].partition("/")
        number = len(value) if isinstance(value, list) else int(value or 0)
        if one == "time" and number in _OFTEN:
            return _OFTEN[number]
        return f"{number:,} {one if number == 1 else many or one + 's'}"
    return _FORMS[form](value) if form else _by_type(value)


def _by_type(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return _listed([_by_type(one) for one in value])
    if isinstance(value, (datetime, date)):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, int):
        return f"{value:,}"
    return _quoted(value) if isinstance(value, str) else "?"


def _listed(texts: list[str]) -> str:
    more = f" and {len(texts) - _LISTED:,} more" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more


def _words(value: Any) -> str:
    return _listed(list(map(str, value))) if isinstance(value, (list, tuple)) else str(value or "")


def _quoted(text: str) -> str:
    text = text.strip()
    if not text:
        return "?"
    cut = text if len(text) <= _MAX_SHOWN else f"{text[:40]}…{text[-39:]}"
    if _PLAIN.fullmatch(cut):
        return cut
    return "“" + printable(cut).replace("”", '"').replace("“", '"') + "”"


def _name(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return _by_type(list(dict.fromkeys(map(_last, value))))
    return _quoted(_last(str(value or "")))


def _last(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _sent(value: Any) -> str:
    return f"sent {bytes_in_words(value)} to" if value else "talked to"


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else "?"


_FORMS: Mapping[str, Callable[[Any], str]] = {
    "bytes": lambda value: bytes_in_words(value or 0),
    "sent": _sent,
    "name": _name,
    "moment": _moment,
    "words": _words,
}
