"""`gnomon sbom`: what really ran, as a CycloneDX bill of materials."""

from __future__ import annotations

import argparse
import os
import sys

from .errors import Failure
from .spools import add_spool, open_spool


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
    add_spool(parser)
    parser.add_argument("--script", metavar="NAME|HASH", help="only what this script used")
    parser.add_argument("--format", choices=("json", "xml"), default="json")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to (default: standard output)")
    parser.add_argument(
        "--installed", action="store_true", help="also what was only installed, with the scope `excluded`"
    )
    parser.add_argument(
        "--osv",
        "--database",
        dest="database",
        metavar="FILE",
        help="the vulnerability database (see `gnomon osv`)",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    path = str(open_spool(options.spool).path)
    try:
        from ..analysis import Analysis
        from ..sbom import bill, choose, written
        from ..vulnerabilities import DatabaseError

        with Analysis([path], vulnerabilities=options.database) as analysis:
            chosen = choose(analysis, options.script)
            text = written(bill(analysis, chosen, installed=options.installed), options.format)
            (databases,) = analysis.sql("select count(*) from vulnerability_database").fetchall()
    except ImportError as error:
        raise Failure(
            f"cannot make a bill of materials: the library `{error.name}` is not installed",
            hint="pip install 'gnomon[report]'",
        ) from None
    except LookupError:
        raise _nothing(path, options.script) from None
    except DatabaseError as error:
        raise Failure(str(error), hint=error.hint) from None
    if not databases[0]:
        print("warning: there is no vulnerability database: nothing was checked", file=sys.stderr)
        print("hint: `gnomon osv import all.zip` makes one", file=sys.stderr)
    _write(text, options.output)
    return 0


def _nothing(path: str, script: str | None) -> Failure:
    if script is None:
        return Failure(f"cannot make a bill of materials: no script is recorded in `{path}`")
    return Failure(f"cannot find script `{script}` in `{path}`", hint="say its name, its path or its hash")


def _write(text: str, output: str | None) -> None:
    if output is None:
        print(text)
        return
    try:
        with open(output, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Failure(
            f"cannot write `{os.fspath(output)}`: {(error.strerror or str(error)).lower()}"
        ) from None
