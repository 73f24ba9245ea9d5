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
            "Checks every record of every segment, and whether segments are missing or are not what they "
            "were. Exit code 1 when something is corrupt, unreadable, missing, changed or forged; a record "
            "torn by a killed process is no damage."
        ),
    )
    add_spool(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..integrity import KINDS, verified
    from ..text import printable

    spool = open_spool(options.spool)
    segments = spool.verify()
    findings = verified(str(spool.path), segments)
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
    kinds = {kind: sum(finding.kind == kind for finding in findings) for kind in KINDS}
    if options.format == "json":
        import json
        from dataclasses import asdict

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
        missed = [asdict(finding) for finding in findings]
        print(json.dumps({**totals, **kinds, "faults": found, "findings": missed}))
    else:
        for fault in faults:
            detail = f" ({fault.detail})" if fault.detail else ""
            print(f"{printable(str(fault.path))}:{fault.offset}: {fault.severity}: {fault.kind}{detail}")
        for finding in findings:
            detail = f" ({printable(finding.detail)})" if finding.detail else ""
            print(f"{printable(finding.path)}: {finding.kind}{detail}")
        told = {**totals, **{kind: count for kind, count in kinds.items() if count}}
        print(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in told.items()))
    return 1 if bad or findings else 0
