"""Who accessed a file or host, and everything about a person: for auditors, with the records that show it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..catalog.catalog import plain_path
from .gaps import gaps
from .questions import Row, ask, plain

if TYPE_CHECKING:
    from ..analysis import Analysis

FILES = (
    "open", "delete", "rename", "link", "symlink", "mkdir", "rmdir", "chmod", "truncate", "utime", "copy",
    "chown", "xattr", "map", "list", "database",
)  # fmt: skip
HOSTS = ("connect", "resolve", "http", "request", "send")


@dataclass(frozen=True)
class Subject:
    """What is asked for: files or hosts.

    Attributes:
        wanted: As it was asked.
        kinds: The kinds of records that are about such things.
        pattern: What finds them, as RE2 understands it, for the whole name.
    """

    wanted: str
    kinds: tuple[str, ...]
    pattern: str

    @property
    def is_host(self) -> bool:
        """Whether it is a host, and not a file."""
        return self.kinds == HOSTS


def subject(wanted: str) -> Subject:
    """A path where there is a slash in it or a file of that name is here, else a host, also as in a URL.

    Globs are `*` and `?` within a directory or a label, `**/` for any directories or none, `**` for anything.
    A host stands for those below it, too; a directory for all that is in it. What no host of the records is
    called may be the name of a file (`who`).
    """
    is_here = os.path.exists(wanted)
    named = None if is_here else _host_of(wanted)
    if named is None and ("/" in wanted or wanted.startswith("~") or is_here):
        path = os.path.expanduser(wanted)
        path = plain_path(path) if path.startswith(("/", "*")) else os.path.abspath(path)
        return Subject(wanted, FILES, _glob(path.rstrip("/") or "/", within="[^/]*") + "(?:/.*)?")
    host = (named or wanted.strip()).rstrip(".").lower()
    return Subject(wanted, HOSTS, r"(?i:(?:.*\.)?" + _glob(host, within="[^.]*") + ")")


def _host_of(wanted: str) -> str | None:
    """The host of a URL, of `host:port`, and of an address in brackets; of all ports."""
    text = wanted.strip()
    if re.fullmatch(r"(?:\[[0-9a-f:.]+\](?::\d+)?|[^/:\s]+:\d+)", text, re.IGNORECASE):
        text = f"//{text}"
    elif not re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE):
        return None
    try:
        return urlsplit(text).hostname
    except ValueError:
        return None


def _by_name(wanted: str) -> Subject:
    """Files and directories of that name wherever they are."""
    return Subject(wanted, FILES, "(?:.*/)?" + _glob(wanted, within="[^/]*") + "(?:/.*)?")


def _glob(glob: str, *, within: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": within, "?": within[:-1]}
    return "".join(words.get(part) or _literal(part) for part in parts)


def _literal(text: str) -> str:
    """Escaped, but for what RE2 does not let be escaped."""
    plain = ("_", "/")
    return "".join(one if one.isalnum() or one in plain or ord(one) > 127 else f"\\{one}" for one in text)


def who(analysis: Analysis, asked: Subject) -> dict[str, Any]:
    """Who accessed it: rows in the order of time, with evidence, and what the answer cannot tell."""
    rows = ask(analysis, "who", kinds=list(asked.kinds), pattern=asked.pattern)
    if not rows and asked.is_host:
        # `customers.csv` may be a host's name as well: nobody may be told by that.
        named = _by_name(asked.wanted)
        rows = ask(analysis, "who", kinds=list(named.kinds), pattern=named.pattern)
        asked = named if rows else asked
    return {
        "asked": asked.wanted,
        "is_host": asked.is_host,
        "made": plain(datetime.now(timezone.utc)),
        "spools": list(analysis.paths),
        "accesses": rows,
        "people": sorted({row["user"] for row in rows if row["user"]}),
        "scripts": sorted({row["script_name"] for row in rows if row["script_name"]}),
        "script_count": len({row["script"] for row in rows if row["script"]}),
        "gaps": [gap.sentence for gap in gaps(analysis) if gap.kind != "note"],
    }


def person(analysis: Analysis, name: str) -> dict[str, Any]:
    """Everything about the account `name`, or of that number, that was recorded.

    A name does not stand for its number: on another machine that may be somebody else's.
    """
    known: Row = {"name": name, "uid": int(name) if name.isdigit() else None}
    parts = {
        part: ask(analysis, f"person_{part}", **known)
        for part in ("runs", "files", "hosts", "verdicts", "others")
    }
    runs = parts["runs"]
    own = {run["script"] for run in runs}
    return {
        "person": name,
        "uids": sorted({run["uid"] for run in runs if run["uid"] is not None}),
        "made": plain(datetime.now(timezone.utc)),
        "spools": list(analysis.paths),
        "first_seen": min((run["started"] for run in runs), default=None),
        "last_seen": max((run["last_seen"] or run["started"] for run in runs), default=None),
        "machines": sorted({run["machine"] for run in runs}),
        "scripts": _scripts(runs),
        **parts,
        # What is not known of others is not for them to read.
        "gaps": [
            gap.sentence
            for gap in gaps(analysis)
            if gap.kind != "note" and (not gap.scripts or own.intersection(gap.scripts))
        ],
    }


def _scripts(runs: list[Row]) -> list[Row]:
    found: dict[str, Row] = {}
    for run in runs:
        row = found.setdefault(
            run["script"], {"script": run["script"], "name": run["script_name"], "runs": 0, "paths": []}
        )
        row["runs"] += 1
        if run["script_path"] and run["script_path"] not in row["paths"]:
            row["paths"].append(run["script_path"])
    return sorted(found.values(), key=lambda row: (-row["runs"], row["name"]))
