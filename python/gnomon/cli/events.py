"""`gnomon events`: the records themselves, as lines for people or for programs."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from .spools import add_spool, iso_time, open_spool, parse_since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .. import Fault, Record, Spool
    from ..coverage import Receipt

_POLL_SECONDS = 0.2
_FAULTS_SHOWN = 100


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "events",
        help="list records",
        description=(
            "Lists what was recorded, one line a record; docs/records.md describes the fields. As JSON, a "
            "list of everything ends with the coverage receipt, which `--kind receipt` gives alone."
        ),
    )
    add_spool(parser)
    parser.add_argument(
        "--kind", action="append", metavar="KIND", help="only this kind (again for more; or a,b)"
    )
    parser.add_argument("--since", metavar="WHEN", help="only since then: 10m, 2h, 7d, or a date and time")
    parser.add_argument("--process", metavar="ID", help="only this process: its pid, or how its id starts")
    parser.add_argument("--run", metavar="ID", help="only this run")
    parser.add_argument("--path", metavar="TEXT", help="only paths with this in them; a glob with * or ?")
    parser.add_argument("--host", metavar="NAME", help="only this host, its subdomains, or this address")
    parser.add_argument(
        "--verdict",
        action="append",
        metavar="VERDICT",
        help="only what policy said this of: allow, warn, justify or deny (again for more; or a,b)",
    )
    parser.add_argument(
        "--rule", metavar="RULE", help="only what this rule spoke of: policy/rule, or either half"
    )
    parser.add_argument(
        "--source",
        action="append",
        metavar="SOURCE",
        help="only what this saw: audit, native (libraries, without an audit event) or audit+native",
    )
    parser.add_argument("--format", choices=("text", "jsonl"), default="text")
    parser.add_argument("--follow", action="store_true", help="go on as new records come, until Ctrl-C")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 when something could not be read."""
    kinds = _words(options.kind)
    chosen = (
        kinds,
        options.path,
        options.host,
        options.process,
        options.since,
        options.verdict,
        options.rule,
        options.source,
    )
    is_everything = not any(chosen)
    has_receipt = "receipt" in kinds or (is_everything and options.format == "jsonl")
    kinds = [kind for kind in kinds if kind != "receipt"]
    if has_receipt and not options.follow:
        return _list_with_receipt(options, kinds, is_everything=is_everything)
    spool = _open(options, kinds)
    line = _as_json if options.format == "jsonl" else _as_text
    if options.follow:
        for record in _follow(spool, is_history_wanted=bool(options.since)):
            print(line(record), flush=True)
        return 0
    records = spool.records()
    for record in records:
        print(line(record))
    return _tell(records.faults)


def _words(groups: list[str] | None) -> list[str]:
    return [word for group in groups or [] for word in group.split(",") if word]


def _open(options: argparse.Namespace, kinds: list[str]) -> Spool:
    return open_spool(
        options.spool,
        kinds=kinds or None,
        since=parse_since(options.since) if options.since else None,
        process=options.process,
        run=options.run,
        target=options.path,
        host=options.host,
        verdicts=_words(options.verdict) or None,
        rule=options.rule,
        sources=_words(options.source) or None,
    )


def _list_with_receipt(options: argparse.Namespace, kinds: list[str], *, is_everything: bool) -> int:
    """The records, and at the end what could not be seen; for that all records are looked at."""
    from ..answer import Gathered

    _open(options, kinds)  # whether there are such kinds
    spool = _open(options, [])
    processes, faults = spool.processes()
    gathered = Gathered(processes)
    records = spool.records()
    line = _as_json if options.format == "jsonl" else _as_text
    for record in records:
        gathered.add(record)
        if is_everything or record.kind in kinds:
            print(line(record))
    folder = str(spool.path) if os.path.isdir(spool.path) else None
    receipt = gathered.answer(processes, faults, folder=folder).coverage
    if options.format == "jsonl":
        print(_receipt_as_json(receipt))
    else:
        print("\n".join(f"{'receipt':>29}       {sentence}" for sentence in _sentences(receipt)))
    return _tell(records.faults)


def _sentences(receipt: Receipt) -> list[str]:
    from ..startup import sentence

    before = sentence(receipt.startup)
    return [*receipt.sentences(), *([before] if before else [])]


def _receipt_as_json(receipt: Receipt) -> str:
    """One more line with the fields of a record, so that who reads records is not surprised by it."""
    import json

    from .. import columns

    now = iso_time(time.time_ns())
    fields = {**dict.fromkeys(columns()), "time": now, "last_time": now, "count": 0, "kind": "receipt"}
    return json.dumps({**fields, "receipt": receipt.as_dict()}, ensure_ascii=True)


def _follow(spool: Spool, *, is_history_wanted: bool) -> Iterator[Record]:
    tail = spool.tail()
    if not is_history_wanted:
        tail.poll()
    while True:
        records, faults = tail.poll()
        _tell(faults)
        yield from sorted(records, key=lambda record: record.time)
        if not records:
            time.sleep(_POLL_SECONDS)


def _tell(faults: list[Fault]) -> int:
    """Says what could not be read; torn records of killed processes are expected."""
    from ..text import printable

    bad = [fault for fault in faults if fault.severity != "torn"]
    for fault in bad[:_FAULTS_SHOWN]:
        where = f"{printable(str(fault.path))}:{fault.offset}"
        print(f"warning: {where}: {fault.kind}{': ' + fault.detail if fault.detail else ''}", file=sys.stderr)
    if len(bad) > _FAULTS_SHOWN:
        print(f"warning: {len(bad) - _FAULTS_SHOWN:,} more files could not be read", file=sys.stderr)
    return 1 if bad else 0


def _as_json(record: Record) -> str:
    import json

    from .. import columns

    fields = {name: getattr(record, name) for name in columns()}
    fields["time"], fields["last_time"] = iso_time(record.time), iso_time(record.last_time)
    if record.kind == "exit":
        fields["pid"] = record.child
    elif record.kind == "process" and record.is_forged:
        fields["owner_uid"], fields["is_forged"] = record.owner_uid, record.is_forged
    # Undecodable bytes are lone surrogates here, which JSON can hold when it is ASCII.
    return json.dumps(fields, ensure_ascii=True)


def _as_text(record: Record) -> str:
    from ..text import command_line, printable

    count = f"×{record.count}" if record.count > 1 else ""
    words = [iso_time(record.time)[11:23], f"{record.pid:>7}", f"{record.kind:<8}", f"{count:<5}"]
    if record.access:
        words.append(record.access)
    if record.kind == "policy" and record.detail:
        words.append(printable(record.detail))
    if record.argv:
        words.append(printable(command_line(record.argv)))
    elif record.kind == "exit":
        words.append(f"pid {record.child}, status {record.status}")
    elif record.target is not None:
        words.append(printable(record.target))
    if record.kind == "process" and record.is_forged:
        words.append(f"[forged: the file belongs to user {record.owner_uid}]")
    if record.kind == "evict":
        words.append(f"({record.detail})")
    if record.address and record.host:
        words.append(f"({record.address})")
    if record.destination is not None:
        words.append(("from " if record.kind == "import" else "to ") + printable(record.destination))
    words.extend(f"[{printable(said)}]" for said in (*_native_words(record), *_policy_words(record)))
    return " ".join(words).rstrip()


def _native_words(record: Record) -> Iterator[str]:
    """What native code told: whether it failed, how many bytes went to and fro, and what did it."""
    from ..text import bytes_in_words

    if record.failed:
        many = "" if record.outcome == "failed" else f"{record.failed:,} of them "
        yield f"{many}failed: {record.errno}"
    if record.bytes_out:
        yield f"{bytes_in_words(record.bytes_out)} out"
    if record.bytes_in:
        yield f"{bytes_in_words(record.bytes_in)} in"
    if record.kind == "blind":
        yield record.detail or "?"
    elif record.source == "native":
        yield f"native: {record.distribution or (record.object or '').rpartition('/')[2] or '?'}"


def _policy_words(record: Record) -> Iterator[str]:
    """What policy said, where that is more than that it goes on."""
    if record.verdict not in (None, "allow"):
        said = f"{record.verdict} {record.rule or ''}".rstrip()
        if record.reason is not None:
            said += f": {record.reason}"
        yield f"{said}, stopped" if record.verdict != "deny" and record.outcome == "denied" else said
    if record.shadow_verdict is not None:
        yield f"would {record.shadow_verdict} {record.shadow_rule}"
