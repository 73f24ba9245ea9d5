"""`gnomon query`: SQL over the views."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..replacing import replaced
from .errors import Failure, UsageError
from .output import to_stdout, write
from .progress import loading
from .questions import add_knowledge, analysis, known_errors

if TYPE_CHECKING:
    import duckdb

    from ..analysis import Analysis, View
    from ..report.terminal import Screen

FORMATS = ("table", "csv", "json", "jsonl", "parquet", "markdown")
_EPILOG = """\
examples:
  gnomon query "select name, risk, users from scripts order by risk desc"
  gnomon query --spool /var/lib/gnomon/spool --format csv -o hosts.csv \\
      "select host, sum(bytes_out) as sent from connections group by host order by sent desc"
  gnomon query --schema connections

The views are documented in docs/views.md. A query reads: it changes neither the spool nor a file.
"""
# What `explain analyze` explains is executed, so it must be a question, too.
_EXPLAIN = re.compile(
    r"\A(\s|--[^\n]*\n|/\*.*?\*/)*explain\b(\s|analyze\b|\(\s*(analyze|format)\b[^()]*\))*", re.I | re.S
)
_FETCHED = 2000
_MAX_TABLE_ROWS = 10_000
_MIN_COLUMN = 12


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "query",
        help="ask the records in SQL",
        description="Answers a question in SQL (DuckDB's) over the views of what was recorded.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("query", nargs="?", metavar="SQL", help="one select; - reads it from standard input")
    parser.add_argument(
        "--spool",
        dest="spools",
        action="append",
        default=[],
        metavar="SPOOL",
        help="a directory or segment file (again for more; default: your own spool)",
    )
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there and not to standard output")
    parser.add_argument(
        "--schema", nargs="?", const="", metavar="VIEW", help="say what the views have, or one of them"
    )
    add_knowledge(parser)
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    if options.schema is not None:
        return _tell_schema(options)
    if options.query is None:
        raise UsageError("cannot ask without a question", hint='say `gnomon query "select * from scripts"`')
    if options.format == "parquet" and options.output is None and sys.stdout and sys.stdout.isatty():
        raise UsageError("cannot write Parquet to a terminal", hint="add `-o FILE`")
    query = sys.stdin.read() if options.query == "-" else options.query
    with analysis(options, options.spools) as made:
        query = _one_select(made, query)
        try:
            _answer(made, query, options)
        except Exception as error:
            raise _explained(error, query) from None
        _warn(made)
    return 0


def _warn(made: Analysis) -> None:
    """Says what could not be read, where processes were asked for: a count of 0 may come of that."""
    count = made.unread()
    if count:
        many = "1 file or directory" if count == 1 else f"{count:,} files or directories"
        print(f"warning: {many} could not be read in full, so rows may be missing", file=sys.stderr)
        print("hint: `gnomon query \"select * from gaps where kind = 'fault'\"` says why", file=sys.stderr)


def _one_select(made: Analysis, query: str) -> str:
    """`query` without what ends it.

    Raises:
        Failure: It is no single question, or does not parse.
    """
    import duckdb

    try:
        found = made.connection.extract_statements(query)
    except duckdb.Error as error:
        raise _explained(error, query) from None
    if not found:
        raise UsageError("cannot ask without a question", hint='say `gnomon query "select * from scripts"`')
    if len(found) != 1:
        raise UsageError(f"cannot run {len(found)} statements: one question at a time")
    # A pivot is several statements until it has been looked at.
    is_pivot = str(found[0].type).endswith("MULTI") and re.match(
        r"\s*(pivot|with|from|select)\b", query, re.I
    )
    explained = _EXPLAIN.sub("", query) if found[0].type == duckdb.StatementType.EXPLAIN else query
    if explained != query:
        _one_select(made, explained)
    elif found[0].type != duckdb.StatementType.SELECT and not is_pivot:
        kind = str(found[0].type).rpartition(".")[2].lower()
        raise UsageError(
            f"cannot run a statement of the kind `{kind}`: a query only reads",
            hint="`gnomon query -o FILE --format csv|json|parquet` writes the answer to a file",
        )
    return re.sub(r"(?:\s|;)+\Z", "", str(found[0].query))


def _answer(made: Analysis, query: str, options: argparse.Namespace) -> None:
    made.connection.execute("set python_enable_replacements = false")
    with loading(made, query):
        made.prepare(query)
        if options.format == "parquet":
            _parquet(made, query, options.output)
            return
        done = made.connection.execute(_in_utc(made, query))
        columns = [column[0] for column in done.description or ()]
        first = done.fetchmany(_FETCHED)
    rows = _all(done, first)
    if options.output is None or options.output == "-":
        if options.format == "csv" and sys.stdout is not None and sys.stdout.isatty():
            rows = (tuple(map(_on_screen, row)) for row in rows)
        to_stdout(_lines(columns, rows, options.format), "utf-8")
        return
    write("".join(_lines(columns, rows, options.format)), options.output)


def _on_screen(cell: Any) -> Any:
    """Text without what a terminal would obey; what goes to a program stays as it is."""
    from ..text import printable

    return printable(cell, len(cell)) if isinstance(cell, str) else cell


def _in_utc(made: Analysis, query: str) -> str:
    """`query` with times of a zone as plain UTC: without pytz Python can have no others."""
    if not re.match(r"\s*(select|with|from|values|table)\b", query, re.I):
        return query
    import duckdb

    try:
        types = made.connection.execute(f"describe {query}").fetchall()
    except duckdb.Error:
        return query  # what is wrong with it shows when it is run itself
    zoned = [name for name, kind, *_ in types if kind == "TIMESTAMP WITH TIME ZONE"]
    if not zoned:
        return query
    quoted = ['"' + name.replace('"', '""') + '"' for name in zoned]
    replaced = ", ".join(f"make_timestamp(epoch_us({name})) as {name}" for name in quoted)
    return f"select * replace ({replaced}) from (\n{query}\n)"


def _all(done: duckdb.DuckDBPyConnection, first: list[Any]) -> Iterator[tuple[Any, ...]]:
    while first:
        yield from first
        first = done.fetchmany(_FETCHED)


def _lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], form: str) -> Iterator[str]:
    if form == "csv":
        yield from _csv(columns, rows)
    elif form == "jsonl":
        for row in rows:
            yield _json(dict(zip(columns, _plain(row)))) + "\n"
    elif form == "json":
        between = "[\n  "
        for row in rows:
            yield between + _json(dict(zip(columns, _plain(row))))
            between = ",\n  "
        yield "[]\n" if between == "[\n  " else "\n]\n"
    elif form == "markdown":
        from ..report.markdown import table

        for line in table(columns, ([_word(cell) for cell in row] for row in rows)):
            yield line + "\n"
    else:
        yield _table(columns, rows)


def _plain(value: Any) -> Any:
    from ..report.questions import plain

    return plain(value, timespec="microseconds")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, default=str)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """RFC 4180; lists and structs as JSON. No guard against formulas: another program is to read this."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(
            [
                "" if cell is None else _json(cell) if isinstance(cell, (list, dict, bool)) else cell
                for cell in _plain(list(row))
            ]
        )
        if out.tell() > 1 << 16:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    from itertools import islice

    from ..report.terminal import Column, Screen
    from .report import width
    from .spools import is_terminal

    every = iter(rows)
    shown = list(islice(every, _MAX_TABLE_ROWS))
    numbers = [
        all(isinstance(row[at], (int, float, type(None))) for row in shown) for at in range(len(columns))
    ]
    screen = Screen(width(), colour=is_terminal(sys.stdout), margin=0)
    words = [[_word(cell) for cell in row] for row in shown]
    if _needed(columns, words) > screen.width:
        _one_below_another(screen, columns, words)
    else:
        heads = [Column(name, is_number=is_one, can_wrap=True) for name, is_one in zip(columns, numbers)]
        screen.table(heads, words)
    text = screen.text() if columns else ""
    if next(every, None) is not None:
        text += f"… only the first {_MAX_TABLE_ROWS:,} rows: `--format csv` has all\n"
    return text


def _needed(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How wide a table must be so that no word of it is taken apart letter by letter."""
    widest = [max((len(row[at]) for row in (columns, *rows)), default=0) for at in range(len(columns))]
    return sum(min(width, _MIN_COLUMN) + 2 for width in widest)


def _one_below_another(screen: Screen, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows, 1):
        screen.line((f"row {number}", "bold"))
        screen.facts(zip(columns, row))


def _word(cell: Any) -> str:
    from ..text import printable

    value = _plain(cell)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_word, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_word(one)}" for name, one in value.items())
    return printable(str(value), 2000)


def _parquet(made: Analysis, query: str, output: str | None) -> None:
    """DuckDB writes it, to a file; what goes elsewhere is read from there."""
    if output is None or output == "-" or (os.path.exists(output) and not os.path.isfile(output)):
        with tempfile.TemporaryDirectory(prefix="gnomon-") as directory:
            path = os.path.join(directory, "answer.parquet")
            _copy(made, query, path)
            _pass_on(path, output)
        return
    try:
        with replaced(output) as unfinished:
            _copy(made, query, unfinished.path)
    except OSError as error:
        raise Failure(f"cannot write `{output}`: {error.strerror}") from None


def _pass_on(path: str, output: str | None) -> None:
    with open(path, "rb") as file:
        if output is None or output == "-":
            to_stdout(iter(lambda: file.read(1 << 20), b""))
            return
        try:
            with open(output, "wb") as stream:  # a device or pipe
                shutil.copyfileobj(file, stream)
        except OSError as error:
            raise Failure(f"cannot write `{output}`: {error.strerror}") from None


def _copy(made: Analysis, query: str, path: str) -> None:
    quoted = path.replace("'", "''")
    options = "format parquet, compression zstd, use_tmp_file false"
    made.connection.execute(f"copy (\n{query}\n) to '{quoted}' ({options})")


def _explained(error: Exception, query: str) -> BaseException:
    """`error` as a failure with what would help; an interruption, or what is no error of SQL, as it is."""
    import duckdb

    if isinstance(error, duckdb.InterruptException) or "Query interrupted" in str(error):
        return KeyboardInterrupt()
    if not isinstance(error, duckdb.Error):
        return error
    text = str(error)
    # DuckDB guesses among its own tables.
    text = re.sub(r'\nDid you mean "[^"]*"\?', "", text) if "Table with name" in text else text
    return Failure(f"cannot answer: {text.rstrip()}", hint=_hint(text, query))


def _hint(text: str, query: str) -> str | None:
    from difflib import get_close_matches

    from ..analysis import views

    known = {view.name: view for view in views()}
    missing = re.search(r"Table with name ([^\s]+) does not exist", text)
    if missing:
        near = get_close_matches(missing[1].lower(), known, n=1)
        return f"did you mean `{near[0]}`?" if near else f"the views are {_listed(known)}"
    column = re.search(r"[Cc]olumn(?: with name|:)? \"?([\w.]+)\"?", text)
    if column or "Candidate bindings" in text:
        named = [known[name] for name in known if re.search(rf"\b{name}\b", query, re.I)]
        return (
            "\n".join(f"the columns of `{view.name}` are {_listed(_columns(view))}" for view in named) or None
        )
    return None


def _columns(view: View) -> list[str]:
    return [column.name for column in view.columns]


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _tell_schema(options: argparse.Namespace) -> int:
    from difflib import get_close_matches

    from ..analysis import views

    chosen = [view for view in views() if options.schema in ("", view.name)]
    if not chosen:
        names = [view.name for view in views()]
        near = get_close_matches(options.schema, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"the views are {_listed(names)}"
        raise UsageError(f"cannot describe `{options.schema}`: there is no such view", hint=hint)
    forms = {"table": _schema_text, "json": _schema_json, "markdown": _schema_markdown}
    if options.format not in forms:
        raise UsageError(f"cannot describe views as {options.format}", hint="say table, json or markdown")
    with known_errors():
        write(forms[options.format](chosen), options.output)
    return 0


def _schema_text(chosen: Sequence[View]) -> str:
    from ..report.terminal import Column, Screen
    from .report import width
    from .spools import is_terminal

    screen = Screen(width(), colour=is_terminal(sys.stdout))
    for view in chosen:
        screen.section(view.name)
        screen.line((view.row, ""), margin=2)
        columns = (Column("column"), Column("type", can_wrap=True), Column("meaning", can_wrap=True))
        screen.table(columns, ((column.name, column.type, column.meaning) for column in view.columns))
    return screen.text().lstrip("\n")


def _schema_json(chosen: Sequence[View]) -> str:
    from dataclasses import asdict

    found = [asdict(view) for view in chosen]
    return json.dumps([{name: view[name] for name in ("name", "row", "columns")} for view in found], indent=2)


def _schema_markdown(chosen: Sequence[View]) -> str:
    lines = []
    for view in chosen:
        lines += [f"## {view.name}", "", view.row, "", "| column | type | meaning |", "|---|---|---|"]
        lines += [
            f"| {column.name} | {column.type} | {column.meaning.replace('|', chr(92) + '|')} |"
            for column in view.columns
        ]
        lines.append("")
    return "\n".join(lines)
