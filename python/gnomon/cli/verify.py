"""`gnomon verify`: checks every segment from end to end."""

from __future__ import annotations

import argparse

from .spools import add_spool, open_spool


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "verify",
        help="check a spool for damage",
        description=(
            "Checks every record of every segment. Exit code 1 when something is corrupt or unreadable; "
            "a record torn by a killed process is no damage."
        ),
    )
    add_spool(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..text import printable

    segments = open_spool(options.spool).verify()
    faults = [fault for segment in segments for fault in segment.faults]
    bad = [fault for fault in faults if fault.severity != "torn"]
    totals = {
        "segments": len(segments),
        "records": sum(segment.records for segment in segments),
        "events": sum(segment.events for segment in segments),
        "bytes": sum(segment.bytes for segment in segments),
        "used_bytes": sum(segment.used_bytes for segment in segments),
        "torn": len(faults) - len(bad),
        "corrupt": sum(fault.severity == "corrupt" for fault in bad),
        "unreadable": sum(fault.severity == "io" for fault in bad),
    }
    if options.format == "json":
        import json

        found = [
            {
                "path": str(fault.path),
                "offset": fault.offset,
                "kind": fault.kind,
                "severity": fault.severity,
                "detail": fault.detail,
            }
            for fault in faults
        ]
        print(json.dumps({**totals, "faults": found}))
    else:
        for fault in faults:
            detail = f" ({fault.detail})" if fault.detail else ""
            print(f"{printable(str(fault.path))}:{fault.offset}: {fault.severity}: {fault.kind}{detail}")
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in totals.items()))
    return 1 if bad else 0
