"""`gnomon osv`: brings a vulnerability database here as a file, and asks it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .errors import Failure, UsageError

if TYPE_CHECKING:
    from ..vulnerabilities.database import Database, Facts
    from ..vulnerabilities.importing import Imported
    from ..vulnerabilities.matching import Checked, Vulnerability

_IMPORT = """\
PATH is what OSV or the PyPA publish, fetched beforehand; nothing here uses the network:

  all.zip     https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip
  a directory a copy of github.com/pypa/advisory-database (YAML: needs PyYAML), or of unpacked records
  a file      one record
"""
_CHECK_EXIT = """\
exit codes:
  0  all were checked, and no vulnerability is known
  1  a vulnerability is known
  3  none is known, but something could not be checked
"""
_NOT_CHECKED_EXIT = 3


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb with its own verbs."""
    parser = verbs.add_parser(
        "osv",
        help="take in a vulnerability database, and ask it",
        description="Known vulnerabilities of PyPI packages, from an OSV database that is here as a file.",
    )
    parser.set_defaults(main=lambda options: _help(parser))
    below = parser.add_subparsers(metavar="VERB")
    _add_import(below)
    _add_status(below)
    _add_check(below)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _add_import(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "import",
        help="make the database from an export",
        description="Makes the vulnerability database from an export of OSV.",
        epilog=_IMPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a zip file, a directory or a record")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to (default: your own, or as root /var/lib/gnomon/osv.sqlite)",
    )
    parser.add_argument(
        "--index",
        action="append",
        default=[],
        metavar="FILE",
        help="names that a package index has and what was yanked: PEP 691 JSON, or a name a line; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="what was imported, as JSON")
    parser.set_defaults(main=import_)


def _add_status(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "status",
        help="which database there is, and how old it is",
        description="Says which vulnerability database is used, how old it is, and what is in it.",
    )
    _add_database(parser)
    parser.set_defaults(main=status)


def _add_check(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "check",
        help="ask about versions",
        description="Says which vulnerabilities of these versions are known.",
        epilog=_CHECK_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME==VERSION")
    _add_database(parser)
    parser.set_defaults(main=check)


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", metavar="FILE", help="default: your own, else that of the machine")
    parser.add_argument("--json", action="store_true", help="the same as JSON")


def import_(options: argparse.Namespace) -> int:
    """Runs `gnomon osv import`."""
    with _errors():
        from ..vulnerabilities import default_database
        from ..vulnerabilities.importing import make_database

        output = options.output or default_database()
        done = make_database(options.paths, output, options.index)
    if options.json:
        print(json.dumps({"path": os.path.abspath(output), **vars(done.facts)}))
    else:
        print("\n".join(_imported(done, output)))
    _say_examples(done)
    _warn(done.facts)
    return 0


def _imported(done: Imported, output: str) -> Iterator[str]:
    from ..text import printable

    facts = done.facts
    yield f"{printable(os.path.abspath(output))}: {_amounts(facts)}"
    yield from _facts(facts)


def _amounts(facts: Facts) -> str:
    return f"{facts.advisories:,} advisories of {facts.packages:,} packages"


def _facts(facts: Facts) -> Iterator[str]:
    from ..text import printable
    from ..vulnerabilities.importing import notices

    age = facts.age()
    days = "" if age is None else f", {max(age.days, 0)} days old"
    yield f"  newest    {facts.source_date or 'unknown'} UTC{days}"
    yield f"  imported  {facts.imported} UTC"
    yield f"  source    {', '.join(printable(path) for path in facts.source)}"
    yield f"  sha256    {facts.sha256}"
    if facts.projects:
        scope = "all projects of the index" if facts.lists_projects else "projects"
        yield f"  index     {facts.projects:,} names of {scope}"
    for reason, count in facts.skipped.items():
        yield f"  left out  {count:,} {reason}"
    if facts.unmatchable:
        yield f"  unclear   {facts.unmatchable:,} of the advisories name no version that could be compared"
    for notice in notices(facts):
        yield f"  data of   {notice}"


def _say_examples(done: Imported) -> None:
    from ..text import printable

    for reason, name, detail in done.examples:
        print(f"warning: {reason}: {printable(name)}: {printable(detail, 120)}", file=sys.stderr)


def status(options: argparse.Namespace) -> int:
    """Runs `gnomon osv status`."""
    from ..text import printable

    with _errors(), _database(options.database) as database:
        if database is None:
            from ..vulnerabilities.database import IMPORT_HINT

            raise Failure("there is no vulnerability database: nothing can be checked", hint=IMPORT_HINT)
        facts, path = database.facts, database.path
    if options.json:
        print(json.dumps({"path": path, **vars(facts), "warnings": facts.warnings()}))
    else:
        print("\n".join([f"{printable(path)}: {_amounts(facts)}", *_facts(facts)]))
    _warn(facts)
    return 0


def _warn(facts: Facts) -> None:
    for warning in facts.warnings():
        print(f"warning: {warning}", file=sys.stderr)


def check(options: argparse.Namespace) -> int:
    """Runs `gnomon osv check`."""
    pairs = [_pair(name) for name in options.names]
    with _errors(), _database(options.database) as database:
        from ..vulnerabilities import NOT_CHECKED, VULNERABLE
        from ..vulnerabilities import check as ask

        checked = ask(database, pairs)
        facts = database.facts if database else None
    if options.json:
        listed = [_as_dict(one) for one in checked]
        print(json.dumps({"database": vars(facts) if facts else None, "checked": listed}))
    else:
        print("\n".join(line for one in checked for line in _shown(one)))
    if facts:
        _warn(facts)
    states = {one.state for one in checked}
    if VULNERABLE in states:
        return 1
    return _NOT_CHECKED_EXIT if NOT_CHECKED in states else 0


def _pair(text: str) -> tuple[str, str]:
    name, _, version = text.partition("==")
    if not name.strip() or set(name) & set("<>=!~;,"):
        raise UsageError(f"cannot understand `{text}`", hint="say `requests==2.19.0`")
    return name.strip(), version.strip()


def _shown(one: Checked) -> Iterator[str]:
    from ..text import printable

    name = printable(f"{one.distribution} {one.version}".strip(), 80)
    yield f"{name}: {one.state} ({printable(one.reason)})"
    if one.is_known is False:
        yield "  unknown: the package index has no project of this name"
    if one.yanked is not None:
        yield f"  yanked: {printable(one.yanked, 120) or 'no reason given'}"
    for found in one.vulnerabilities:
        fixed = f"fixed in {printable(found.fixed, 40)}" if found.fixed else "no fixed version is known"
        also = f" ({', '.join(found.aliases)})" if found.aliases else ""
        yield f"  {found.advisory}{also}: {_severity(found)}, {fixed}"
        yield f"    {printable(found.summary)}"
        yield f"    {found.url}"


def _severity(found: Vulnerability) -> str:
    if found.is_malicious:
        return "malicious package"
    if found.score is not None:
        return f"{found.severity} {found.score}"
    return found.severity if found.is_rated else f"{found.severity} (nobody rated it)"


def _as_dict(one: Checked) -> dict[str, Any]:
    from dataclasses import asdict

    found = [{**asdict(each), "url": each.url} for each in one.vulnerabilities]
    return {**asdict(one), "vulnerabilities": found}


@contextlib.contextmanager
def _database(path: str | None) -> Iterator[Database | None]:
    from ..vulnerabilities import Database, find_database

    place = path or find_database()
    if place is None:
        yield None
        return
    with Database(place) as database:
        yield database


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """What goes wrong in the room next door, as the command line says it."""
    try:
        from ..vulnerabilities.database import DatabaseError
        from ..vulnerabilities.source import SourceError
    except ModuleNotFoundError as error:
        raise Failure(
            f"cannot compare versions: the library `{error.name}` is not installed",
            hint="pip install 'gnomon[report]'",
        ) from None
    try:
        yield
    except (DatabaseError, SourceError) as error:
        raise Failure(str(error), hint=error.hint) from None
