"""What the verbs that ask the views have in common: the spools, what is known beside them, and errors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import Failure
from .spools import open_spool, parse_since

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..findings import WorkingHours

_EXTRA = "pip install 'gnomon[report]'"


def add_knowledge(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what is known beside the records."""
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument("--leavers", metavar="CSV", help="people who left: a column `user`, or the first")
    parser.add_argument(
        "--catalog",
        metavar="FILE",
        action="append",
        default=[],
        help="your own facts about services, hosts and paths (TOML; again for more)",
    )
    parser.add_argument(
        "--suppressions",
        metavar="FILE",
        action="append",
        default=[],
        help="findings that somebody accepted (TOML; again for more)",
    )
    parser.add_argument(
        "--rules",
        metavar="PATH",
        action="append",
        default=[],
        help="your own rules for findings: a directory of .sql files, or one (again for more)",
    )
    parser.add_argument(
        "--working-hours",
        metavar="HOURS",
        help="as in `mon-fri 07:00-19:00` by this machine's clock, or `mon-fri 07:00-19:00 Europe/Berlin`",
    )
    parser.add_argument(
        "--no-scan", action="store_true", help="do not look for passwords and keys in the text of scripts"
    )
    parser.add_argument("--bandit", action="store_true", help="let an installed bandit look at the scripts")
    parser.add_argument("--osv", metavar="FILE", help="the database that `gnomon osv import` made")


def spool_paths(paths: list[str]) -> list[str]:
    """The spools that were named; that of the machine, or the user's own, where none was.

    Raises:
        Failure: One cannot be read.
    """
    return [str(open_spool(path).path) for path in paths or [None]]  # type: ignore[list-item]


@contextmanager
def analysis(options: argparse.Namespace, paths: list[str]) -> Iterator[Analysis]:
    """The views over `paths`, by the options of `add_knowledge` that the verb has.

    Raises:
        Failure: A library is missing, or a file cannot be read or says something wrong.
    """
    found = spool_paths(paths)
    since = getattr(options, "since", None)
    with known_errors():
        from ..analysis import Analysis

        catalogs = getattr(options, "catalog", [])
        catalog = None
        if catalogs:
            from ..catalog import Catalog

            catalog = Catalog.load(catalogs)
        with Analysis(
            found,
            since=parse_since(since) if since else None,
            catalog=catalog,
            vulnerabilities=getattr(options, "osv", None),
            leavers=getattr(options, "leavers", None),
            suppressions=getattr(options, "suppressions", []),
            rules=getattr(options, "rules", []),
            working_hours=_hours(getattr(options, "working_hours", None)),
            reads_scripts=not getattr(options, "no_scan", False),
            uses_bandit=getattr(options, "bandit", False),
        ) as made:
            yield made


def _hours(text: str | None) -> WorkingHours | None:
    if text is None:
        return None
    from ..findings import WorkingHours

    return WorkingHours.parse(text)


@contextmanager
def known_errors() -> Iterator[None]:
    """Turns what can go wrong while the views are made into a `Failure`."""
    try:
        yield
    except ImportError as error:
        if error.name and error.name.partition(".")[0] in ("duckdb", "rich", "packaging", "cyclonedx"):
            name = error.name.partition(".")[0]
            raise Failure(f"cannot import {name}, which this verb needs", hint=_EXTRA) from None
        raise
    except BrokenPipeError:
        raise  # whoever read our output has left, which is no error
    except OSError as error:
        if (error.strerror or "").startswith("cannot "):  # of a spool, which names itself
            raise Failure(str(error.strerror)) from None
        where = f" `{error.filename}`" if error.filename else ""
        raise Failure(f"cannot read{where}: {error.strerror or error}") from None
    except ValueError as error:  # of the catalogue, rules, suppressions and lists, which say what would help
        raise Failure(str(error), hint=getattr(error, "hint", None)) from None
    except Exception as error:
        if type(error).__name__ == "DatabaseError":
            raise Failure(str(error), hint=getattr(error, "hint", None)) from None
        raise
