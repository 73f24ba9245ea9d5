"""The findings as SARIF 2.1.0, for code hosts and the tools that gather such documents.

A result's place is the script that it is about, on the machine where it was last seen: its first line, as a
finding is about what a program did and not about its text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..sarif import document
from ..text import printable
from .model import FindingRow, Report, ScriptPage

_LEVELS = {"high": "error", "medium": "warning", "low": "note"}
# What GitHub sorts by: a CVSS score.
_SECURITY = {"high": "8.0", "medium": "5.5", "low": "2.0"}
_LIMIT = 1000


def as_sarif(report: Report) -> str:
    """The document: one result for each finding, the suppressed ones as such."""
    found = [*report.findings, *report.suppressed]
    rules = list(dict.fromkeys(finding.rule for finding in found))
    pages = {page.script: page for page in report.scripts}
    first = {finding.rule: finding for finding in reversed(found)}
    notes = [{"level": "note", "message": {"text": gap.sentence}} for gap in report.gaps]
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "gnomon",
                "version": report.gnomon or "0",
                "rules": [_rule(first[rule]) for rule in rules],
            }
        },
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, rules.index(finding.rule), pages) for finding in found],
    }
    return document(run)


def _rule(finding: FindingRow) -> dict[str, Any]:
    tags = ["security", *([finding.attack] if finding.attack else [])]
    return {
        "id": finding.rule,
        "shortDescription": {"text": printable(finding.title, _LIMIT)},
        "help": {"text": printable(finding.remedy, _LIMIT)},
        "properties": {"security-severity": _SECURITY[finding.severity], "tags": tags},
    }


def _result(finding: FindingRow, index: int, pages: Mapping[str, ScriptPage]) -> dict[str, Any]:
    page = pages.get(finding.script or "")
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": printable(f"{finding.sentence} {finding.remedy}".strip(), _LIMIT)},
        "locations": [_location(finding, page)],
        "partialFingerprints": {"gnomonFinding/v1": finding.finding},
        "occurrenceCount": max(1, finding.count),
        "properties": {
            "severity": finding.severity,
            "points": finding.points,
            "subject": finding.subject,
            "users": finding.users,
            "machines": finding.machines,
            "records": [{"process": process, "seq": seq} for process, seq in finding.records],
        },
    }
    if finding.is_suppressed:
        justification = printable(finding.suppressed_because or "", _LIMIT)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return result


def _location(finding: FindingRow, page: ScriptPage | None) -> dict[str, Any]:
    logical = {"name": printable(finding.script_name or finding.subject or "machine", 200)}
    if finding.script:
        logical["fullyQualifiedName"] = finding.script
    if page is None or not page.paths:
        return {"logicalLocations": [logical]}
    uri = "file://" + quote(os.fsencode(page.paths[-1]).replace(b"\\", b"/"))
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}},
        "logicalLocations": [logical],
    }
