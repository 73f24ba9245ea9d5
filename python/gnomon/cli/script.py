"""`gnomon script`: the passport of one script."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from .errors import Failure
from .output import write
from .questions import add_knowledge, analysis
from .report import width
from .spools import is_terminal

if TYPE_CHECKING:
    from ..report.model import FindingRow, ScriptPage

_SHOWN = 12


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "script",
        help="the passport of one script",
        description=(
            "Says all that is known of one script: where, who, how often, its libraries, data, hosts and "
            "children, what is risky about it and why."
        ),
    )
    parser.add_argument(
        "script",
        metavar="SCRIPT",
        help="its name, its path, its id, or how the hash of its content starts",
    )
    parser.add_argument(
        "spools", nargs="*", metavar="SPOOL", help="directories or segment files (default: your own spool)"
    )
    add_knowledge(parser)
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there and not to standard output")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..report.gather import TOP, findings
    from ..report.passports import passports

    with analysis(options, options.spools) as made:
        found = findings(made)
        page = chosen(passports(made, top=TOP), options.script)
    about = [finding for finding in found if finding.script == page.script]
    write(_document(page, about, options), options.output)
    return 0


def chosen(pages: Sequence[ScriptPage], wanted: str) -> ScriptPage:
    """The one script that `wanted` means.

    Raises:
        Failure: There is none, or there are several.
    """
    for fits in (_is_exactly, _starts_like, _contains):
        found = [page for page in pages if fits(page, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            raise Failure(f"cannot tell which script `{wanted}` is: {len(found)} fit", hint=_listed(found))
    if not pages:
        raise Failure(
            "cannot find any script: nothing is recorded", hint="`gnomon run script.py` records one"
        )
    raise Failure(f"cannot find a script `{wanted}`", hint=_listed(pages))


def _is_exactly(page: ScriptPage, wanted: str) -> bool:
    path = os.path.abspath(wanted) if "/" in wanted else wanted
    return wanted in (page.script, page.name, page.sha256) or path in page.paths


def _starts_like(page: ScriptPage, wanted: str) -> bool:
    digits = wanted.lower()
    if not re.fullmatch(r"[0-9a-f]{4,64}", digits):
        return False
    return page.script.startswith(digits) or (page.sha256 or "").startswith(digits)


def _contains(page: ScriptPage, wanted: str) -> bool:
    return any(wanted.lower() in text.lower() for text in (page.name, *page.paths))


def _listed(pages: Sequence[ScriptPage]) -> str:
    from ..text import printable

    lines = [f"  {page.script}  {printable(page.name, 40)}  {_where(page)}" for page in pages[:_SHOWN]]
    more = f"\n  and {len(pages) - _SHOWN} more" if len(pages) > _SHOWN else ""
    return "say one of these\n" + "\n".join(lines) + more


def _where(page: ScriptPage) -> str:
    from ..report.words import some

    return f"{some(page.paths[-1:], 1, 80)} ({some(page.users, 2, 30)})"


def _document(page: ScriptPage, about: Sequence[FindingRow], options: argparse.Namespace) -> str:
    if options.format == "json":
        import json

        found = {**asdict(page), "findings": [asdict(finding) for finding in about]}
        return json.dumps(found, ensure_ascii=True, indent=2)
    if options.format == "markdown":
        from ..report.markdown import page_as_markdown

        return page_as_markdown(page, about)
    from ..report.passport_screen import page_as_text

    has_screen = options.output is None and is_terminal(sys.stdout)
    return page_as_text(page, about, width=width(), colour=has_screen)
