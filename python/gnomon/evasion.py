"""Signs that a program got rid of gnomon, or tried to: records of tampering, and what never reported.

Each is a fact that has innocent causes, too. `docs/threat-model.md` says what is found and what is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from . import Record
from .causes import Cause, in_words
from .descent import Node, walk
from .finding import Finding, Severity
from .text import command_line, printable

_MAX_RECORDS = 20
_SHOWN = 3


@dataclass(frozen=True)
class Sign:
    """What a record may be a sign of; the sentence is the end of one."""

    id: str
    severity: Severity
    sentence: str
    remedy: str


_HOOK_GONE = Sign(
    "hook-gone",
    "high",
    "the audit hook was taken out of the interpreter",
    "what the process did from then on is only known as far as native calls tell; look at the script",
)
_AUDIT_REPLACED = Sign(
    "audit-replaced",
    "high",
    "`sys.audit` was replaced, which silences what Python code tells",
    'look at the line that did; `event = "tamper"` in a policy records who else does',
)
_CALLS_UNDONE = Sign(
    "calls-undone",
    "medium",
    "calls of native code were led past gnomon",
    "a profiler does so while it runs; otherwise look at the script",
)
_OWN_FILES = Sign(
    "own-files-changed",
    "high",
    "gnomon's own files were changed, or were about to be",
    "`gnomon verify` tells what is left of the records, `gnomon doctor` whether the installation is whole",
)
_MEMORY_WRITTEN = Sign(
    "memory-written",
    "high",
    "the memory of a process was opened to be written",
    'look at the line that did it; a policy can forbid it, by a rule with `event = "tamper"`',
)
_INTERPRETER_REACHED = Sign(
    "interpreter-reached",
    "medium",
    "ctypes reached into the interpreter or into gnomon",
    'look at the line that did it; a policy can forbid it, by a rule with `event = "tamper"`',
)
_SHADOWED = Sign(
    "sitecustomize-shadowed",
    "medium",
    "a Python was started with another sitecustomize before gnomon's",
    "if that Python left no record, its file does not call the next one; strong mode does not depend on that",
)
_ENVIRONMENT = Sign(
    "environment-changed",
    "medium",
    "what makes children report was changed or removed",
    "install gnomon for the machine: then nothing depends on the environment",
)
KEPT_OUT = Sign(
    "python-kept-out",
    "medium",
    "a Python was started in a way that keeps gnomon out",
    "whoever runs it says why; strong mode records such a Python, and a policy can forbid the command line",
)


def sign_of(target: str, detail: str) -> Sign | None:
    """What a record of kind `tamper` is a sign of."""
    if target == "process memory":
        return _MEMORY_WRITTEN if detail.rpartition(" ")[2] != "read" else None
    if target == "gnomon's own files":
        if detail.startswith("load "):
            return _INTERPRETER_REACHED
        return None if detail.endswith(" by gnomon") else _OWN_FILES
    return {
        "audit hook gone": _HOOK_GONE,
        "sys.audit replaced": _AUDIT_REPLACED,
        "redirected calls undone": _CALLS_UNDONE,
        "ctypes": _INTERPRETER_REACHED,
        "sitecustomize shadowed": _SHADOWED,
        "os.putenv": _ENVIRONMENT,
        "os.unsetenv": _ENVIRONMENT,
        "os._clearenv": _ENVIRONMENT,
    }.get(target)


class Evasion:
    """Gathers the signs, record by record."""

    def __init__(self) -> None:
        self._found: dict[Sign, list[Record]] = {}

    def add(self, record: Record) -> None:
        """Takes one more record of kind `tamper`."""
        sign = sign_of(record.target or "", record.detail or "")
        if sign is not None:
            self._found.setdefault(sign, []).append(record)

    def findings(self, nodes: Iterable[Node]) -> list[Finding]:
        """What was gathered, and Pythons of the tree that were started so that nothing is known of them."""
        found = [
            Finding(
                sign.id,
                sign.severity,
                f"{sign.sentence} ({_who(records)})",
                sign.remedy,
                tuple((record.process, record.seq) for record in records[:_MAX_RECORDS]),
            )
            for sign, records in self._found.items()
        ]
        kept_out = [node for node in walk(nodes) if node.state == "silent" and node.is_evasive]
        if kept_out:
            lines = [f"`{printable(command_line(node.argv), 60)}`" for node in kept_out[:_SHOWN]]
            sentence = f"{KEPT_OUT.sentence} ({', '.join(lines)})"
            found.append(Finding(KEPT_OUT.id, KEPT_OUT.severity, sentence, KEPT_OUT.remedy))
        order = ("high", "medium", "low")
        return sorted(found, key=lambda finding: order.index(finding.severity))


def _who(records: list[Record]) -> str:
    """Where it was done, as far as lines are known; otherwise by which processes."""
    words = in_words(filter(None, map(Cause.of, records)))
    if words:
        return printable(words)
    pids = dict.fromkeys(str(record.pid) for record in records)
    more = " and others" if len(pids) > _SHOWN else ""
    return f"pid {', '.join(list(pids)[:_SHOWN])}{more}"
