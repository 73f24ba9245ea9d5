"""What policy said in a run, gathered from its records: for the screen, for CI, and for `--fail-on`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from . import Process, Record
from .causes import Cause
from .text import command_line, printable, short_path

# By strictness.
ACTIONS = ("allow", "warn", "justify", "deny")
# Why something was stopped that no rule spoke of.
NO_POLICY = "The policy that must be there is missing or broken, and nothing may run without it."
MAX_MESSAGE = 1000


@dataclass
class Decision:
    """What one rule said of one thing, and what came of it.

    Attributes:
        verdict: `warn`, `justify` or `deny`; of an observed rule, what it would have been.
        rule: The rule, as `policy/rule`; `None` where nothing may run without a policy, and there was none.
        is_observed: The rule only says what it would do: the operation went on as if it were not there, but
            for what another rule said.
        is_stopped: The operation did not happen.
        kind: What was to be done, as in records.
        target: With what: a path, a module, `host:port`, a URL, a program.
        doing: The same in words.
        reason: The justification that was given.
        count: How often.
        places: By what lines, each with how often.
        processes: Ids of the processes that did it.
    """

    verdict: str
    rule: str | None
    is_observed: bool
    is_stopped: bool
    kind: str
    target: str | None
    doing: Doing
    reason: str | None
    count: int = 0
    places: dict[Cause | None, int] = field(default_factory=dict)
    processes: set[str] = field(default_factory=set)

    @property
    def effect(self) -> str:
        """The action that it comes to: what was stopped for want of a reason was denied."""
        return "deny" if self.is_stopped else self.verdict

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        nobody = Cause().as_dict()
        by = [{**(cause.as_dict() if cause else nobody), "count": n} for cause, n in self.places.items()]
        return {
            "verdict": self.verdict,
            "rule": self.rule,
            "is_observed": self.is_observed,
            "is_stopped": self.is_stopped,
            "kind": self.kind,
            "target": self.target,
            "reason": self.reason,
            "count": self.count,
            "by": by,
            "processes": sorted(self.processes),
        }


@dataclass(frozen=True)
class Doing:
    """An operation in words: `reading` and `/data/x.csv`."""

    verb: str
    what: str

    def text(self, directory: str | None = None) -> str:
        """For a person, a file named from `directory`."""
        return f"{self.verb} {printable(short_path(self.what, directory))}".rstrip()


@dataclass(frozen=True)
class Rule:
    """What a rule says, as its policy has it."""

    name: str
    action: str
    mode: str
    message: str | None = None
    link: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class PolicyState:
    """A policy that did not come into force as it was meant to.

    Attributes:
        path: The compiled policy.
        state: `missing`, `broken`, `newer` (made by a newer gnomon) or `writable` (by others).
        is_replacement: One that worked was in its place before, and stayed in force.
        is_closed: Nothing was let run without it.
        processes: In how many processes.
    """

    path: str
    state: str
    is_replacement: bool
    is_closed: bool
    processes: int

    def sentence(self) -> str:
        """The same for a person."""
        what = {
            "missing": "was missing",
            "newer": "was made by a newer gnomon",
            "writable": "could have been changed by others",
        }.get(self.state, f"was {self.state}")
        which = f"the policy {printable(self.path)}"
        if self.is_replacement:
            return f"{which} {what} later: the one before stayed in force"
        where = f" in {self.processes:,} processes" if self.processes > 1 else ""
        return f"{which} {what}{where}: nothing {'could run' if self.is_closed else 'of it was enforced'}"


class Decisions:
    """Gathers what policy said, record by record."""

    def __init__(self) -> None:
        self.found: dict[tuple[object, ...], Decision] = {}
        # The policies as processes had them: path and SHA-256.
        self.policies: dict[tuple[str, str], None] = {}
        self._loaded: set[tuple[str, str]] = set()
        self._states: dict[tuple[str, str, bool], set[str]] = {}

    def add(self, record: Record) -> None:
        """Takes one more record that has a verdict."""
        verdict, shadow = record.verdict or "allow", record.shadow_verdict
        is_stopped = record.outcome == "denied"
        if verdict != "allow":
            self._add(record, verdict, record.rule, is_stopped=is_stopped)
        # What an observed rule would have done besides: only more than what happened is news.
        if shadow is not None and _strictness(shadow) > _strictness(verdict):
            self._add(record, shadow, record.shadow_rule, is_observed=True)

    def _add(
        self,
        record: Record,
        verdict: str,
        rule: str | None,
        *,
        is_observed: bool = False,
        is_stopped: bool = False,
    ) -> None:
        doing = _doing(record)
        reason = None if is_observed else record.reason
        key = (verdict, rule, is_observed, is_stopped, record.kind, record.target, doing, reason)
        decision = self.found.get(key)
        if decision is None:
            decision = Decision(
                verdict, rule, is_observed, is_stopped, record.kind, record.target, doing, reason
            )
            self.found[key] = decision
        # Of an import that went on, the count is that of the package's modules.
        count = 1 if record.kind == "import" and not is_stopped else record.count
        decision.count += count
        cause = Cause.of(record)
        decision.places[cause] = decision.places.get(cause, 0) + count
        decision.processes.add(record.process)

    def add_policy(self, record: Record) -> None:
        """Takes a record of kind `policy`: in what state one was."""
        path, state, owner = record.target or "?", record.detail or "?", record.process
        if state in ("loaded", "replaced"):
            self._loaded.add((owner, path))
            self.policies[path, record.sha256 or ""] = None
            return
        if state == "ended":  # as the program meant it that had asked for it
            return
        key = (path, state, (owner, path) in self._loaded)
        self._states.setdefault(key, set()).add(owner)

    def decisions(self) -> list[Decision]:
        """What was gathered: enforced rules first, the strictest first, then as they came."""
        return sorted(
            self.found.values(),
            key=lambda found: (found.is_observed, -_strictness(found.effect), found.verdict),
        )

    def states(self) -> list[PolicyState]:
        """The policies that were not in force as they were meant to."""
        without = [found.processes for found in self.found.values() if found.rule is None]
        closed: set[str] = set().union(*without)
        return [
            PolicyState(path, state, is_replacement, processes <= closed, len(processes))
            for (path, state, is_replacement), processes in self._states.items()
        ]

    def rules(self, folder: str | None) -> dict[str, Rule]:
        """What the rules that spoke say, by name, as far as their policies are still there.

        Args:
            folder: The spool. It may have been moved, and its policies with it.
        """
        spoke = {found.rule for found in self.found.values()}
        rules: dict[str, Rule] = {}
        for path, sha256 in self.policies if spoke else ():
            known = _rules(path, sha256, folder)
            rules.update((rule.name, rule) for rule in known if rule.name in spoke)
        return rules


def _rules(path: str, sha256: str, folder: str | None) -> list[Rule]:
    from ._native import policy_rules

    places = [path, *([os.path.join(folder, os.path.basename(path))] if folder else [])]
    for place in dict.fromkeys(places):
        try:
            found, rules = policy_rules(place)
        except (OSError, ValueError):
            continue
        if found == sha256:  # what is there now may be another one
            return [Rule(*texts) for texts in rules]
    return []


def _strictness(verdict: str) -> int:
    return ACTIONS.index(verdict) if verdict in ACTIONS else 0


_VERBS = {
    "delete": "deleting",
    "rename": "moving",
    "mkdir": "making the folder",
    "link": "linking",
    "symlink": "linking",
    "chmod": "changing the mode of",
    "chown": "changing the owner of",
    "utime": "changing the times of",
    "xattr": "changing attributes of",
    "truncate": "cutting",
    "copy": "copying",
    "list": "listing",
    "database": "opening the database",
    "resolve": "looking up",
    "connect": "connecting to",
    "bind": "listening on",
    "send": "sending to",
    "http": "a request to",
    "request": "a request to",
    "spawn": "starting",
    "exec": "starting",
    "fork": "starting another process",
    "import": "importing",
    "script": "running",
    "code": "running code made from text",
    "unpickle": "unpickling",
    "native": "using the native library",
    "kill": "a signal to",
    "limit": "setting the limit",
    "setenv": "setting the variable",
    "registry": "using the registry key",
    "tamper": "a change to the interpreter:",
}
_CHANGING = frozenset(("write", "append", "create"))


def _doing(record: Record) -> Doing:
    kind, what = record.kind, record.target or ""
    if kind in ("open", "map"):
        verb = "writing" if _CHANGING & set((record.access or "").split("+")) else "reading"
    else:
        verb = _VERBS.get(kind, kind)
    if kind in ("spawn", "exec") and record.argv:
        what = command_line([os.path.basename(record.argv[0]), *record.argv[1:]])
    elif kind in ("http", "request"):
        # What a query holds tells nothing of the rule.
        what = what.partition("?")[0]
    elif kind in ("rename", "copy", "link", "symlink") and record.destination:
        what = f"{what} to {record.destination}"
    elif kind == "script" and record.requested and what == record.requested:
        what = what.partition("\n")[0]
    return Doing(verb, what)


def counted(decisions: Iterable[Decision]) -> dict[str, int]:
    """How often each word of `outcome_of` was true, in the order of `decisions`."""
    counts: dict[str, int] = {}
    for found in decisions:
        word = outcome_of(found)
        counts[word] = counts.get(word, 0) + found.count
    return counts


def outcome_of(found: Decision) -> str:
    """What became of it, in a word or three."""
    if found.is_observed:
        return {"warn": "would be warned of", "justify": "would need a reason"}.get(
            found.verdict, "would be denied"
        )
    if found.verdict == "justify":
        return "not justified" if found.is_stopped else "justified"
    return {"warn": "warned", "deny": "denied"}.get(found.verdict, found.verdict)


_WAS = {
    "warned": "was warned of",
    "denied": "was denied",
    "justified": "was justified",
    "not justified": "was stopped, as nobody gave a reason",
}


def policy_of(rule: str | None) -> str:
    """The policy that a rule is in."""
    return (rule or "").partition("/")[0]


@dataclass(frozen=True)
class Place:
    """A line of a program; `cell` is that of a notebook, and `line` then counts within it."""

    file: str
    line: int
    cell: int | None = None


@dataclass
class Finding:
    """What one rule said at one line, for tools that show such things beside the code.

    Attributes:
        place: `None` where nothing is known but that it happened.
        doing: What it spoke of, each once.
        count: How often.
    """

    outcome: str
    effect: str
    is_observed: bool
    rule: Rule
    place: Place | None
    doing: dict[Doing, None]
    count: int = 0

    def text(self, directory: str) -> str:
        """A sentence as a warning has it, files named from `directory`."""
        text = next(iter(self.doing)).text(directory)
        if len(self.doing) > 1:
            text += f" and {len(self.doing) - 1:,} more"
        if self.place and self.place.cell:
            text += f" in line {self.place.line} of cell {self.place.cell}"
        text += f" {_WAS.get(self.outcome, self.outcome)}"
        if self.rule.message:
            text += f": {printable(self.rule.message, MAX_MESSAGE)}"
        ask = f"; ask {printable(self.rule.owner)}" if self.rule.owner else ""
        return f"{text} (policy rule {printable(self.rule.name)}{ask})"


def findings(
    decisions: Iterable[Decision], rules: dict[str, Rule], processes: Iterable[Process]
) -> list[Finding]:
    """Each verdict of each rule at each line, once, in the order of `decisions`.

    What no line is known of, as an import that a library's thread makes, is said of the script's first one.
    """
    scripts = {process.id: process.script_file for process in processes}
    found: dict[tuple[object, ...], Finding] = {}
    for decision in decisions:
        outcome = outcome_of(decision)
        name = decision.rule or "no-policy"
        message = None if decision.rule else NO_POLICY
        rule = rules.get(name) or Rule(name, decision.verdict, "enforce", message)
        for place, count in _places(decision, scripts):
            finding = found.setdefault(
                (outcome, name, place),
                Finding(outcome, decision.effect, decision.is_observed, rule, place, {}),
            )
            finding.count += count
            finding.doing[decision.doing] = None
    return list(found.values())


def _places(decision: Decision, scripts: dict[str, str | None]) -> Iterator[tuple[Place | None, int]]:
    for cause, count in decision.places.items():
        if cause is not None and cause.file.startswith("/"):
            yield _place(cause.file, cause.line or 1), count
            continue
        known = {scripts.get(process) for process in decision.processes}
        script = known.pop() if len(known) == 1 else None
        yield (Place(script, 1) if script else None), count


def _place(file: str, line: int) -> Place:
    """`/path/sales.ipynb[3]` is the third cell of a notebook."""
    name, bracket, cell = file.rpartition("[")
    if bracket and cell.endswith("]") and cell[:-1].isdigit():
        return Place(name, line, int(cell[:-1]))
    return Place(file, line)


def relative(path: str, directory: str) -> str | None:
    """`path` as seen from `directory`, with slashes; `None` where it is not below it."""
    base = os.path.realpath(directory).rstrip("/") + "/"
    found = os.path.realpath(path)
    return found[len(base) :] if found.startswith(base) and found != base else None
