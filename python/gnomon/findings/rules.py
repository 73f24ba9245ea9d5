"""Rules as files: a head of comments that says what a rule is, and a query that yields what it found.

docs/findings.md has the format. An organisation's rules are read the same way as those that gnomon brings.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import sentences
from .errors import FindingsError

if TYPE_CHECKING:
    from .._native import StrPath

_DIRECTORY = Path(__file__).parent / "rules"
SEVERITIES = ("high", "medium", "low")
BY_ROW = "by row"
POINTS: Mapping[str, int] = {"high": 40, "medium": 15, "low": 5}
_KEYS = ("id", "title", "severity", "points", "attack", "sentence", "remedy", "needs")
_NEEDED = ("id", "title", "severity", "sentence", "remedy", "needs")
# They are made of findings, so no rule can be made of them.
_LATER = ("findings", "scripts", "finding_rows", "risk_rows", "risk_points", "note_rows", "events")


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        id: Its name, that of its file too.
        severity: One for all that it finds, or `by row`.
        points: What a finding of each severity adds to the risk of its script.
        attack: The MITRE ATT&CK technique, unless a row says another.
        sentence: What is the matter, with the names of columns in it (`sentences.rendered`).
        remedy: What to do, unless a row says it.
        needs: The tables and views that the query reads. Of a rule that gnomon brings, where the first is
            empty there is nothing to find.
        about: What it finds, and what may be innocent.
        path: The file.
        sql: Its whole text, comments included, so that lines are those of the file.
    """

    id: str
    title: str
    severity: str
    points: Mapping[str, int]
    attack: str | None
    sentence: str
    remedy: str
    needs: tuple[str, ...]
    about: str
    path: str
    sql: str


@cache
def shipped() -> tuple[Rule, ...]:
    """Those that gnomon brings, by id."""
    return tuple(read(path) for path in sorted(_DIRECTORY.glob("*.sql")))


def own_directories() -> list[str]:
    """Where the machine's and the person's own rules are."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    places = ["/etc/gnomon/rules", os.path.join(home, "gnomon", "rules")]
    return [place for place in places if os.path.isdir(place)]


def load(paths: Sequence[StrPath] = (), *, own: bool = True) -> list[Rule]:
    """What gnomon brings, then the machine's and the person's own, then those of `paths`; of one id the last.

    Args:
        paths: Directories of `.sql` files, or such files.
        own: Whether /etc/gnomon/rules and ~/.config/gnomon/rules count.

    Raises:
        FindingsError: One cannot be read, or says something wrong.
    """
    found = {rule.id: rule for rule in shipped()}
    for place in (*(own_directories() if own else ()), *(os.fspath(path) for path in paths)):
        seen: dict[str, str] = {}
        for path in _files(place):
            rule = read(path)
            if rule.id in seen:
                raise FindingsError(
                    f"cannot use `{path}`: `{seen[rule.id]}` has the id `{rule.id}`, too",
                    hint="give each rule an id of its own",
                )
            seen[rule.id] = str(path)
            found[rule.id] = rule
    return sorted(found.values(), key=lambda rule: rule.id)


def _files(place: str) -> list[Path]:
    if not os.path.isdir(place):
        return [Path(place)]
    found = sorted(Path(place).glob("*.sql"))
    if not found:
        raise FindingsError(f"cannot use `{place}`: it holds no `.sql` file", hint="look at the path")
    return found


def read(path: StrPath) -> Rule:
    """The rule in the file at `path`.

    Raises:
        FindingsError: It cannot be read, or says something wrong.
    """
    place = os.fspath(path)
    try:
        text = Path(place).read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FindingsError(f"cannot read `{place}`: {reason}", hint="look at its owner and mode") from None
    except UnicodeDecodeError as error:
        raise FindingsError(
            f"cannot use `{place}`: byte {error.start} is no UTF-8", hint="save it as UTF-8"
        ) from None
    head, about, lines = _head(text, place)
    for key in _NEEDED:
        if key not in head:
            raise FindingsError(f"cannot use `{place}`: its head has no `{key}`", hint=f"add `-- {key}: …`")
    wrong = _Wrong(place, lines)
    return Rule(
        id=_id(head["id"], wrong),
        title=head["title"],
        severity=_severity(head["severity"], wrong),
        points=_points(head.get("points", ""), wrong),
        attack=head.get("attack"),
        sentence=_sentence(head["sentence"], wrong),
        remedy=head["remedy"],
        needs=_needs(head["needs"], wrong),
        about=about,
        path=place,
        sql=text.rstrip().rstrip(";"),
    )


def _head(text: str, place: str) -> tuple[dict[str, str], str, dict[str, int]]:
    """The keys, the paragraph after them, and in which line each key is."""
    head: dict[str, str] = {}
    lines: dict[str, int] = {}
    about: list[str] = []
    last = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("--"):
            break
        found = re.fullmatch(r"-- ([a-z]+): +(.+)", line) if not about else None
        if found:
            last = found[1]
            if last not in _KEYS:
                close = difflib.get_close_matches(last, _KEYS, 1) or _KEYS
                raise FindingsError(
                    f"cannot use `{place}`: line {number}: there is no key `{last}`",
                    hint=f"there is {', '.join(f'`{key}`' for key in close)}; an empty comment ends the head",
                )
            head[last], lines[last] = found[2].strip(), number
        elif line.startswith("--   ") and last and not about:
            head[last] += f" {line[5:].strip()}"
        else:
            about.append(line[2:].strip())
    return head, " ".join(filter(None, about)), lines


@dataclass(frozen=True)
class _Wrong:
    """Makes the error for a key."""

    place: str
    lines: Mapping[str, int]

    def __call__(self, key: str, value: str, hint: str) -> FindingsError:
        where = f"`{self.place}`: line {self.lines[key]}"
        return FindingsError(f"cannot use {where}: {key} = {value!r}", hint=hint)


def _id(text: str, wrong: _Wrong) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise wrong("id", text, "write small letters, digits and `-`")
    return text


def _severity(text: str, wrong: _Wrong) -> str:
    if text not in (*SEVERITIES, BY_ROW):
        raise wrong("severity", text, "say high, medium, low or by row")
    return text


def _points(text: str, wrong: _Wrong) -> Mapping[str, int]:
    points = dict(POINTS)
    for part in filter(None, map(str.strip, text.split(","))):
        found = re.fullmatch(r"(high|medium|low) (\d{1,3})", part)
        if found is None or int(found[2]) > 100:
            raise wrong("points", text, "write for example `high 40, medium 15, low 5`, none above 100")
        points[found[1]] = int(found[2])
    return points


def _sentence(text: str, wrong: _Wrong) -> str:
    for _, form in sentences.fields(text):
        if not sentences.is_form(form):
            raise wrong("sentence", form, "docs/findings.md has the forms of `{name:form}`")
    return text


def _needs(text: str, wrong: _Wrong) -> tuple[str, ...]:
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    known = known_tables()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3) or known
            raise wrong("needs", name, f"there is {', '.join(f'`{one}`' for one in close)}")
    return names


@cache
def known_tables() -> tuple[str, ...]:
    """What a rule may read."""
    from ..analysis.schema import NAMES
    from ..analysis.tables import TABLES
    from .material import MATERIAL

    return tuple(sorted({*NAMES, *TABLES, *MATERIAL} - {*_LATER}))
