"""`gnomon report`: the standard report, for people and for programs."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING

from .errors import Failure, UsageError
from .output import write
from .questions import add_knowledge, analysis, known_errors
from .spools import is_terminal

if TYPE_CHECKING:
    from ..finding import Severity
    from ..report.model import Report

FORMATS = ("text", "json", "csv", "markdown", "sarif")
TABLES = ("findings", "scripts", "libraries", "hosts", "ai", "data", "flows", "gaps", "timeline")
_EPILOG = """\
exit codes:
  0  there is the report
  1  it could not be made; or, with --fail-on, there is a finding of that severity or above
  2  the command line is wrong
"""
_PLAIN_WIDTH = 100


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "report",
        help="what the scripts of a spool mean for the business",
        description=(
            "Says which scripts ran, what is risky about them and why, which AI services and hosts they "
            "talked to, and what could not be seen."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "spools", nargs="*", metavar="SPOOL", help="directories or segment files (default: your own spool)"
    )
    add_knowledge(parser)
    parser.add_argument("--title", metavar="TEXT", help="what stands above it")
    parser.add_argument("--html", metavar="FILE", help="also write it as one HTML file that needs no network")
    parser.add_argument("--format", choices=FORMATS, default=None, help="(default: text)")
    parser.add_argument("--csv-of", choices=TABLES, help="the part that is wanted as CSV (default: findings)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there and not to standard output")
    parser.add_argument(
        "--fail-on",
        choices=("high", "medium", "low"),
        help="exit code 1 where a finding that nobody accepted is at least that grave",
    )
    parser.add_argument(
        "--pseudonyms", metavar="KEYFILE", help="tell people and machines by pseudonyms made with this key"
    )
    parser.add_argument(
        "--reveal",
        metavar="PSEUDONYM",
        help="say who that is, by the accounts in the spool and on this machine",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    form = options.format or ("csv" if options.csv_of else "text")
    if options.csv_of and form != "csv":
        raise UsageError(f"cannot give --csv-of with --format {form}", hint="leave one of them out")
    if options.reveal:
        return _reveal(options)
    report = _gathered(options)
    if options.html:
        with known_errors():
            from ..report.html import as_html

            write(as_html(report), options.html)
            print(f"wrote {options.html}", file=sys.stderr)
    if options.format or options.csv_of or options.output or not options.html:
        with known_errors():
            text = _document(report, form, options)
        write(text, options.output)
    return int(_fails(report, options.fail_on))


def _gathered(options: argparse.Namespace) -> Report:
    from ..report.gather import TITLE, gather
    from . import _version

    key = _key(options.pseudonyms)
    with analysis(options, options.spools) as made:
        report = gather(
            made, title=options.title or TITLE, version=_version(), has_pages=_shows_pages(options)
        )
        if key is None:
            return report
        from ..report.pseudonyms import Pseudonyms, people

        return Pseudonyms(key, people(made)).report(report)


def _shows_pages(options: argparse.Namespace) -> bool:
    """Whether anything that is asked for has more than a line of each script."""
    return bool(options.html) or options.format == "json" or options.csv_of == "scripts"


def _key(path: str | None) -> bytes | None:
    if path is None:
        return None
    from ..report.pseudonyms import read_key

    try:
        return read_key(path)
    except OSError as error:
        raise Failure(
            f"cannot read the key `{path}`: {error.strerror}",
            hint=f"`(umask 077; head -c 32 /dev/urandom > {path})` makes one",
        ) from None
    except ValueError as error:
        raise Failure(
            f"cannot use the key `{path}`: {error}",
            hint=f"`head -c 32 /dev/urandom > {path}` makes a good one",
        ) from None


def _reveal(options: argparse.Namespace) -> int:
    from ..report.pseudonyms import Pseudonyms, accounts, people

    key = _key(options.pseudonyms)
    if key is None:
        raise UsageError("cannot say who that is without the key", hint="add `--pseudonyms KEYFILE`")
    with analysis(options, options.spools) as made:
        found = Pseudonyms(key, people(made)).revealed(options.reveal, accounts())
    if not found:
        raise Failure(
            f"cannot tell who `{options.reveal}` is: nobody in the spool or on this machine with this key",
            hint="try the spools that the report was made of",
        )
    for pseudonym, name in found:
        print(f"{pseudonym}  {name}")
    return 0


def _document(report: Report, form: str, options: argparse.Namespace) -> str:
    if form == "json":
        from ..report.documents import as_json

        return as_json(report)
    if form == "csv":
        from ..report.documents import as_csv

        return as_csv(report, options.csv_of or "findings")
    if form == "markdown":
        from ..report.markdown import as_markdown

        return as_markdown(report)
    if form == "sarif":
        from ..report.sarif import as_sarif

        return as_sarif(report)
    from ..report.terminal import as_text

    has_screen = options.output is None and is_terminal(sys.stdout)
    return as_text(report, width=width(), colour=has_screen)


def width() -> int:
    """Columns of the terminal; those of `COLUMNS`, or a hundred, where there is none."""
    if (sys.stdout and sys.stdout.isatty()) or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size((_PLAIN_WIDTH, 24)).columns
    return _PLAIN_WIDTH


def _fails(report: Report, threshold: Severity | None) -> bool:
    grave = {"high": ("high",), "medium": ("high", "medium"), "low": ("high", "medium", "low")}
    return threshold is not None and any(finding.severity in grave[threshold] for finding in report.findings)
