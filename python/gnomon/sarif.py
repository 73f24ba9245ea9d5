"""What policy said, as SARIF 2.1.0: what code hosts and editors show beside the code (`gnomon run --sarif`).

Not promised: all of what was recorded. A result is a verdict; the rest is in the spool.
"""

from __future__ import annotations

import json
import os
from urllib.parse import quote

from .answer import Answer
from .text import printable
from .verdicts import MAX_MESSAGE, Finding, Place, Rule, findings, relative

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_BASE = "%SRCROOT%"


def as_sarif(answer: Answer, *, directory: str, version: str) -> str:
    """The document, one result for each verdict of each rule at each line.

    Code hosts refuse a document in which one result has no place. So what happened outside of `directory`
    is no result but a notification.

    Args:
        answer: What to tell.
        directory: Files below it are places, told relative to it.
        version: That of gnomon.
    """
    found = findings(answer.verdicts, answer.rules, answer.processes)
    names = list(dict.fromkeys(finding.rule.name for finding in found))
    results, notes = [], []
    for finding in found:
        location = _location(finding.place, directory) if finding.place else None
        if location is None:
            notes.append({"level": _level(finding), "message": {"text": finding.text(directory)}})
        else:
            results.append(_result(finding, location, names.index(finding.rule.name), directory))
    gaps = [] if answer.coverage.is_complete else answer.coverage.sentences()
    notes += [{"level": "note", "message": {"text": f"coverage: {gap}"}} for gap in gaps]
    rules = {finding.rule.name: finding.rule for finding in found}
    run: dict[str, object] = {
        "tool": {
            "driver": {
                "name": "gnomon",
                "version": version,
                "rules": [_rule(rules[name]) for name in names],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not answer.coverage.unenforced,
                **({"exitCode": answer.status} if answer.status is not None else {}),
                "toolExecutionNotifications": notes,
            }
        ],
        "originalUriBaseIds": {_BASE: {"description": {"text": "where `gnomon run` was started"}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return document(run)


def document(run: dict[str, object]) -> str:
    """The text of a document of one run of gnomon."""
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=True, indent=2)


def _level(finding: Finding) -> str:
    if finding.is_observed:
        return "note"
    return "error" if finding.effect == "deny" else "warning"


def _result(finding: Finding, location: dict[str, object], index: int, directory: str) -> dict[str, object]:
    return {
        "ruleId": finding.rule.name,
        "ruleIndex": index,
        "level": _level(finding),
        "message": {"text": finding.text(directory)},
        "locations": [location],
        "occurrenceCount": finding.count,
        "properties": {"outcome": finding.outcome},
    }


def _location(place: Place, directory: str) -> dict[str, object] | None:
    path = relative(place.file, directory)
    if path is None:
        return None
    # Lines of a notebook's cell are not those of its file.
    line = 1 if place.cell else place.line
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(os.fsencode(path)), "uriBaseId": _BASE},
            "region": {"startLine": line},
        }
    }


def _rule(rule: Rule) -> dict[str, object]:
    message = printable(rule.message or f"The policy rule {rule.name} spoke.", MAX_MESSAGE)
    told: dict[str, object] = {"id": rule.name, "shortDescription": {"text": message}}
    helps = [message, *([f"Ask {printable(rule.owner)}."] if rule.owner else [])]
    if rule.link and rule.link.startswith(("https://", "http://")):
        told["helpUri"] = quote(rule.link, safe="/:?#[]@!$&'()*+,;=%~-._")
    elif rule.link:
        helps.append(f"See {printable(rule.link)}.")
    told["help"] = {"text": " ".join(helps)}
    known = {"action": rule.action, "mode": rule.mode, "owner": rule.owner}
    told["properties"] = {name: value for name, value in known.items() if value}
    return told
