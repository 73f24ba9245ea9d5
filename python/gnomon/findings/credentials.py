"""Where a script holds a password or key: the line, and never the text.

Conservative: the shapes and names are some of those that src/core/redact masks in records. A secret that has
neither is not found, and what looks like a placeholder is left out.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .present import Present

KEY, PASSWORD, ADDRESS = "key", "password", "address"

_SHAPES = (
    r"sk-(?:ant|proj|svcacct|or-v1)-[\w-]{16,}",
    r"sk-(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{20,}",
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9]{16,}",
    r"A(?:KIA|SIA|ROA|BIA|CCA)[A-Z0-9]{16}\b",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_\w{22,}",
    r"gl(?:pat|dt|rt)-[\w.-]{20,}",
    r"glsa_\w{20,}",
    r"gsk_[A-Za-z0-9]{30,}",
    r"xox[abeprs]-[\w-]{15,}",
    r"xai-[A-Za-z0-9]{40,}",
    r"AIza[\w-]{30,}",
    r"ya29\.[\w.-]{20,}",
    r"GOCSPX-[\w-]{20,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-AgE[\w-]{30,}",
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}",
    r"SG\.[\w.-]{40,}",
    r"shp(?:at|ss)_[A-Za-z0-9]{30,}",
    r"dop_v1_[A-Za-z0-9]{40,}",
    r"dapi[a-f0-9]{32}",
    r"hvs\.[\w-]{20,}",
)
_NAME = r"""
    (?i:pass(?:word|wd|phrase)|pwd|secret|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key
        |client[_-]?secret|(?:auth|access|api|bearer|refresh)[_-]?token)
"""
_FOUND = re.compile(
    rf"""
    (?<![A-Za-z0-9_-])(?P<key>{"|".join(_SHAPES)}|-----BEGIN[ ](?:[A-Z]+[ ])?PRIVATE[ ]KEY-----)
    | \b[a-z][a-z0-9+]{{1,20}}://[^\s:/@'"]{{0,64}}:(?P<address>[^\s:/@'"]{{3,100}})@
    | (?<![A-Za-z0-9])[A-Za-z0-9_]{{0,40}}{_NAME}[A-Za-z0-9_]{{0,4}}['"]?\]?\s{{0,4}}(?:=(?!=)|:)\s{{0,4}}
      [bBrRuU]?(?P<quote>['"])(?P<password>[^'"\n]{{6,200}})(?P=quote)
    """,
    re.VERBOSE,
)
_SHAPED = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_SHAPES)})")
_PLACEHOLDER = re.compile(
    r"(?i)[<{$%(\[].*|.*(?:\*\*\*|xxx|\.\.\.|…|example|placeholder|changeme|change_me|your[_ -]|dummy|<|\{).*"
    r"|none|null|true|false|password|secret|[a-z_]+:\s*"
)


def found_in(text: str) -> Iterator[tuple[int, str]]:
    """The lines of `text`, from 1, in which something looks like a credential, and what it is."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    told: set[int] = set()
    for match in _FOUND.finditer(text):
        kind = next(name for name in (KEY, ADDRESS, PASSWORD) if match[name] is not None)
        line = bisect.bisect_right(starts, match.start(kind))
        # In `API_KEY = "sk-…"` the name is found first, and the key says more.
        kind = KEY if _SHAPED.search(match[kind]) else kind
        if line not in told and (kind == KEY or not _is_harmless(match[kind], kind)):
            told.add(line)
            yield line, kind


def _is_harmless(value: str, kind: str) -> bool:
    """Whether it says where a secret is to go, or is a word that a person reads."""
    if _PLACEHOLDER.fullmatch(value):
        return True
    # As in `password: "Please enter it"`, `secret = "/run/secrets/db"`, `PASSWORD = "DB_PASSWORD"`.
    is_place = value.startswith(("/", "./", "~", "http://", "https://", "env:", "vault:", "op://"))
    is_name = re.fullmatch(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", value) is not None
    return kind == PASSWORD and (is_place or is_name or " " in value)


def rows(scripts: Iterable[Present]) -> Iterator[dict[str, Any]]:
    """One row for each such line."""
    for one in scripts:
        for line, kind in found_in(one.content.decode("utf-8", "replace")):
            yield {
                "script": one.script, "path": one.path, "process": one.process, "line": line, "kind": kind,
            }  # fmt: skip
