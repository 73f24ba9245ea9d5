"""`gnomon sbom`: what really ran, as a CycloneDX bill of materials."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .errors import Failure
from .output import write
from .questions import analysis, known_errors


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "sbom",
        help="what really ran, as a CycloneDX bill of materials",
        description=(
            "Writes a CycloneDX 1.6 bill of materials: the libraries that were really imported, with the "
            "scripts that did, interpreters, native libraries, AI and other services, known vulnerabilities."
        ),
    )
    parser.add_argument(
        "spools", nargs="*", metavar="SPOOL", help="directories or segment files (default: your own spool)"
    )
    parser.add_argument("--script", metavar="NAME|HASH", help="only what this script used")
    parser.add_argument("--format", choices=("json", "xml"), default="json")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument(
        "--installed", action="store_true", help="also what was only installed, with the scope `excluded`"
    )
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument(
        "--catalog",
        metavar="FILE",
        action="append",
        default=[],
        help="your own facts about services and hosts (TOML; again for more)",
    )
    parser.add_argument(
        "--osv", "--database", dest="osv", metavar="FILE", help="the database that `gnomon osv import` made"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    with analysis(options, options.spools) as made, known_errors():
        from ..sbom import bill, choose, written

        try:
            chosen = choose(made, options.script)
        except LookupError:
            raise _nothing(made.paths, options.script) from None
        text = written(bill(made, chosen, installed=options.installed), options.format)
        ((databases,),) = made.sql("select count(*) from vulnerability_database").fetchall()
    if not databases:
        print("warning: there is no vulnerability database: nothing was checked", file=sys.stderr)
        print("hint: `gnomon osv import all.zip` makes one", file=sys.stderr)
    write(text, options.output)
    return 0


def _nothing(paths: Sequence[str], script: str | None) -> Failure:
    spools = ", ".join(f"`{path}`" for path in paths)
    if script is None:
        return Failure(f"cannot make a bill of materials: no script is recorded in {spools}")
    return Failure(f"cannot find script `{script}` in {spools}", hint="say its name, its path or its hash")
