"""`gnomon who`: who accessed a file or host, and everything about a person."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import Failure, UsageError
from .output import write
from .progress import loading
from .questions import add_knowledge, analysis
from .report import width
from .spools import is_terminal

if TYPE_CHECKING:
    from ..report.terminal import Screen

_EPILOG = """\
examples:
  gnomon who /srv/hr/salaries.xlsx            one file, or a directory and all that is in it
  gnomon who '/srv/**/*customer*'             * stays within a directory, ** does not
  gnomon who api.openai.com                   a host, and the hosts below it
  gnomon who --person alice --format json     what is recorded about alice
"""
_SHOWN = 200
_ACCESS = (
    "first_seen", "last_seen", "user", "uid", "machine", "script_name", "script", "script_path", "process",
    "pid", "kind", "access", "subject", "port", "count", "failed", "denied", "bytes_in", "bytes_out",
    "caused_by", "records", "records_in_all",
)  # fmt: skip


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "who",
        help="who accessed a file or host; everything about a person",
        description="Says who accessed a file or host, when, and with which script, process by process.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("asked", nargs="?", metavar="PATH|HOST", help="a file, directory or host; or a glob")
    parser.add_argument(
        "spools", nargs="*", metavar="SPOOL", help="directories or segment files (default: your own spool)"
    )
    parser.add_argument("--person", metavar="USER", help="everything about this account: its name or number")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there and not to standard output")
    add_knowledge(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    if options.person is not None:
        # What would be the file or host is a spool.
        return _person(options, [*([options.asked] if options.asked else []), *options.spools])
    if not (options.asked or "").strip():
        raise UsageError(
            "cannot say who without what", hint="say `gnomon who PATH`, `HOST` or `--person USER`"
        )
    return _who(options)


def _who(options: argparse.Namespace) -> int:
    from ..report.access import subject, who
    from ..report.questions import query

    with analysis(options, options.spools) as made, loading(made, query("who")):
        found = who(made, subject(options.asked))
    if options.format == "json":
        write(_as_json(found), options.output)
    elif options.format == "csv":
        from ..report.documents import table

        write(table(found["accesses"], _ACCESS), options.output)
    else:
        write(_who_as_text(found, options), options.output)
    return 0


def _as_json(found: Mapping[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=True, indent=2)


def _screen(options: argparse.Namespace) -> Screen:
    from ..report.terminal import Screen

    return Screen(width(), colour=options.output is None and is_terminal(sys.stdout))


def _who_as_text(found: Mapping[str, Any], options: argparse.Namespace) -> str:
    from ..report.terminal import Column
    from ..text import printable

    screen, rows = _screen(options), found["accesses"]
    screen.line((f"Who accessed {printable(found['asked'], 200)}", "bold"))
    screen.line((_in_short(found) if rows else "Nobody, as far as is recorded.", ""))
    if rows:
        screen.console.print()
        columns = (
            Column("when (UTC)"),
            Column("who"),
            Column("did"),
            Column("what", can_wrap=True, min_width=20),
            Column("with", can_wrap=True, min_width=16),
            Column("times", is_number=True, from_width=90),
            Column("where", from_width=120),
            Column("evidence", from_width=160),
        )
        screen.table(columns, map(_access, rows[:_SHOWN]))
        screen.more(len(rows) - _SHOWN, "line")
    _gaps(screen, found)
    return screen.text()


def _in_short(found: Mapping[str, Any]) -> str:
    """Who did, and who only tried: an attempt that was stopped is no access."""
    from ..report.words import counted, some

    rows = found["accesses"]
    done = {row["user"] for row in rows if not _in_vain(row)}
    did = [user for user in found["people"] if user in done]
    tried = [user for user in found["people"] if user not in done]
    said = counted(len(did), "person", "people") + (f" ({some(did, 5)})" if did else "")
    if tried:
        said += f"; {len(tried):,} more only tried ({some(tried, 5)})"
    return f"{said}; {counted(found['script_count'], 'script')}, {counted(len(rows), 'line')} of records"


def _in_vain(row: Mapping[str, Any]) -> str:
    if row["denied"] >= row["count"]:
        return ", denied"
    return ", failed" if row["failed"] >= row["count"] else ""


def _access(row: Mapping[str, Any]) -> tuple[str, ...]:
    from ..report.passport_screen import line_of
    from ..text import printable

    port = f":{row['port']}" if row["port"] else ""
    return (
        row["first_seen"][:19].replace("T", " "),
        printable(row["user"] or "?", 24),
        f"{row['access'] or row['kind']}{_in_vain(row)}",
        printable(row["subject"], 200) + port,
        line_of(row["caused_by"]) or printable(row["script_name"] or "?", 40),
        f"{row['count']:,}",
        printable(row["machine"] or "?", 24),
        f"{row['process']}/{row['records'][0]}",
    )


def _gaps(screen: Screen, found: Mapping[str, Any]) -> None:
    screen.section("What this cannot tell")
    screen.sentences(
        [
            *found["gaps"],
            "Only what Python programs did under gnomon is recorded: others access files and hosts, too.",
        ]
    )


def _person(options: argparse.Namespace, spools: list[str]) -> int:
    from ..report.access import person

    tables = "file_uses contacts host_facts path_facts verdicts gaps"
    with analysis(options, spools) as made, loading(made, tables):
        found = person(made, options.person)
    if not found["runs"] and not found["others"]:
        raise Failure(
            f"cannot find anything about `{options.person}`",
            hint='`gnomon query "select distinct user, uid from processes"` lists who is recorded',
        )
    if options.format == "csv":
        raise UsageError("cannot tell all about a person as one table", hint="say `--format json`")
    text = _as_json(found) if options.format == "json" else _person_as_text(found, options)
    write(text, options.output)
    return 0


def _person_as_text(found: Mapping[str, Any], options: argparse.Namespace) -> str:
    from ..report.terminal import Column
    from ..report.words import counted, period, some
    from ..text import bytes_in_words, printable

    screen = _screen(options)
    numbers = some([str(uid) for uid in found["uids"]])
    screen.line((f"What is recorded about {printable(found['person'], 60)}", "bold"))
    screen.line((f"user number {numbers} · {period(found['first_seen'], found['last_seen'])}", "dim"))
    screen.console.print()
    sent = sum(host["bytes_out"] for host in found["hosts"] if not host["is_local"])
    hosts = len({host["host"] for host in found["hosts"] if not host["is_local"]})
    screen.facts(
        [
            ("runs", f"{counted(len(found['runs']), 'run')} of {counted(len(found['scripts']), 'script')}"),
            ("machines", some(found["machines"], 6)),
            ("files", counted(len({file["path"] for file in found["files"]}), "file")),
            ("hosts", f"{counted(hosts, 'host')} beyond their machines, {bytes_in_words(sent)} sent"),
            ("policy", counted(len(found["verdicts"]), "verdict")),
        ]
    )
    screen.section("Scripts")
    rows = (
        (printable(row["name"], 60), f"{row['runs']:,}", some(row["paths"], 2, 120))
        for row in found["scripts"][:50]
    )
    screen.table((Column("script"), Column("runs", is_number=True), Column("path", can_wrap=True)), rows)
    _person_lists(screen, found)
    if found["others"]:
        screen.section("Scripts of theirs that others ran")
        others = (
            (printable(row["script_name"], 60), printable(row["user"], 30)) for row in found["others"][:50]
        )
        screen.table((Column("script"), Column("run by")), others)
    _gaps(screen, found)
    screen.line(("`--format json` has all of it.", "dim"))
    return screen.text()


def _person_lists(screen: Screen, found: Mapping[str, Any]) -> None:
    from ..report.terminal import Column
    from ..text import bytes_in_words, printable

    if found["hosts"]:
        screen.section("Hosts")
        totals: dict[str, list[int]] = {}
        for host in found["hosts"]:
            if host["is_local"] and not (host["requests"] or host["connects"]):
                continue  # a look-up of the machine's own name
            total = totals.setdefault(host["service"] or host["host"], [0, 0])
            total[0] += host["requests"] or host["connects"]
            total[1] += host["bytes_out"]
        hosts = (
            (printable(name, 60), f"{calls:,}", bytes_in_words(sent))
            for name, (calls, sent) in totals.items()
        )
        screen.table((Column("host"), Column("calls", is_number=True), Column("sent", is_number=True)), hosts)
    if found["files"]:
        screen.section("Files")
        counts: dict[tuple[str, str], list[int]] = {}
        for file in found["files"]:
            count = counts.setdefault((file["path"], file["label"] or ""), [0, 0])
            count[0] += file["reads"]
            count[1] += file["writes"]
        columns = (
            Column("file", can_wrap=True),
            Column("may hold"),
            Column("read", is_number=True),
            Column("written", is_number=True),
        )
        files = (
            (printable(path, 200), printable(label, 40), f"{reads:,}", f"{writes:,}")
            for (path, label), (reads, writes) in list(counts.items())[:50]
        )
        screen.table(columns, files)
        screen.more(len(counts) - 50, "file")
