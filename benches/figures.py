"""The figures of the card: what each runs, and the budget that it has to hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import installed
import measure
from measure import WORKLOADS, Values
from policies import DENYING, LARGE, SMALL
from variants import (
    AUDIT,
    BARE,
    GNOMON,
    INSTALLED,
    JSON,
    NAMES,
    NOOP,
    PYTEST_SOCKET,
    RAISING,
    Unmeasurable,
    Variants,
    lines_of,
    spool_of,
)


@dataclass(frozen=True)
class Settings:
    rounds: int
    records: int
    analyst: Path


@dataclass(frozen=True)
class Budget:
    """What gnomon may cost: a relation to another variant, or to nothing, and its bound."""

    relation: str  # "ratio", "over" or "alone"; "ratio over": of what both have over gnomon without policies
    other: str
    bound: float
    unit: str = ""
    at_least: bool = False
    ours: str = GNOMON

    def value(self, values: Values) -> float:
        ours = values[self.ours]
        if self.relation == "alone":
            return ours
        if self.other not in values:
            raise Unmeasurable(f"nothing to compare with: no figure for {self.other}")
        if self.relation == "ratio over":
            return (ours - values[GNOMON]) / (values[self.other] - values[GNOMON])
        return ours / values[self.other] if self.relation == "ratio" else ours - values[self.other]

    def is_met(self, values: Values) -> bool:
        value = self.value(values)
        return value >= self.bound if self.at_least else value <= self.bound

    def _spell(self, value: float, *, digits: int) -> str:
        if self.relation == "ratio":
            return f"{value:.3f}x {self.other}"
        if self.relation == "ratio over":
            return f"{value:.2f}x what {self.other} add"
        sign = "+" if self.relation == "over" else ""
        tail = f" over {self.other}" if self.relation == "over" else ""
        return f"{value:{sign}.{digits}f} {self.unit}{tail}"

    def describe(self) -> str:
        if self.bound == inf:
            return "none: to compare"
        digits = 0 if self.bound >= 1 else 1
        return ("at least " if self.at_least else "at most ") + self._spell(self.bound, digits=digits)

    def describe_value(self, values: Values) -> str:
        return self._spell(self.value(values), digits=2 if self.unit in ("ms", "M/s") else 0)


@dataclass(frozen=True)
class Figure:
    """One line of the card."""

    name: str
    title: str
    unit: str
    budget: Budget
    take: Callable[[Variants, Settings], Values]
    # The variants it compares, gnomon in the form that the budget is about last.
    ways: tuple[str, ...] = NAMES


@dataclass(frozen=True)
class Result:
    figure: Figure
    values: Values = field(default_factory=dict)
    problem: str | None = None


def per_operation(program: str, *arguments: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        filled = [argument.format(count=20_000) for argument in arguments]
        once = measure.workload(variants, program, *filled)
        return measure.rounds(variants, variants.available(), settings.rounds, once)

    return take


def counted(*arguments: str) -> Callable[[Variants, Settings], Values]:
    return lambda variants, settings: measure.instructions(variants, variants.available(), *arguments)


def timed(*arguments: str, rounds_factor: int = 1) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        once = measure.wall(variants, *arguments)
        return measure.rounds(variants, variants.available(), settings.rounds * rounds_factor, once)

    return take


def read_into_arrow(variants: Variants, settings: Settings) -> Values:
    """Records a second, in millions; the peer reads as many of its own lines."""
    outputs = {name: variants.folder / f"big-{name}" for name in (GNOMON, JSON)}
    workload = [str(WORKLOADS / "first_time.py"), "event", "absolute", str(settings.records)]
    program = [variants.python, *workload]
    for name, output in outputs.items():
        if not output.exists():
            output.mkdir()
            measure.run(variants, name, output, program)
    sources = {GNOMON: spool_of(outputs[GNOMON]), JSON: lines_of(outputs[JSON])}

    def once(name: str, _: Path) -> float:
        command = [sys.executable, str(WORKLOADS / "read_arrow.py"), str(sources[name])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unmeasurable(measure.last_line(done.stderr))
        return 1000 / float(json.loads(done.stdout)["ns"])

    # Each round is five passes over every record.
    return measure.rounds(variants, (JSON, GNOMON), min(settings.rounds, 7), once)


def bytes_a_record(variants: Variants, settings: Settings) -> Values:
    """What the spool holds (headers, the process itself and its text included) by the records in it."""
    import gnomon._native as gnomon  # type: ignore[import-untyped,unused-ignore]

    found: Values = {}
    for name in (JSON, GNOMON):
        output = variants.folder / f"analyst-{name}"
        output.mkdir()
        measure.run(variants, name, output, [variants.python, str(settings.analyst)])
        if name == JSON:
            lines = lines_of(output).read_bytes()
            found[name] = len(lines) / lines.count(b"\n")
            continue
        spool = gnomon.Spool(spool_of(output))
        for path in spool.segments():
            gnomon.seal(path)  # allocated and not used
        shared = ("distributions", "startup")
        of_processes = [path for path in spool.segments() if not Path(path).name.startswith(shared)]
        processes, _ = spool.processes()
        total = sum(Path(path).stat().st_size for path in of_processes)
        found[name] = total / sum(process.records for process in processes)
    return found


POLICIES = (NOOP, GNOMON, SMALL, LARGE)


def per_event(kind: str, mode: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        once = measure.workload(variants, "policy_event.py", kind, mode, "10000")
        return measure.rounds(variants, _at_hand(variants, POLICIES), settings.rounds, once)

    return take


def counted_each(kind: str, mode: str, *counts: int) -> Callable[[Variants, Settings], Values]:
    few, many = counts

    def take(variants: Variants, settings: Settings) -> Values:
        names = _at_hand(variants, POLICIES)
        return measure.instructions_each(variants, names, "policy_event.py", (kind, mode), (few, many))

    return take


def arming(take_one: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        names = _at_hand(variants, POLICIES)
        if take_one == "instructions":
            return measure.instructions(variants, names, "-c", "pass")
        return measure.rounds(variants, names, settings.rounds * 10, measure.wall(variants, "-c", "pass"))

    return take


def denied(kind: str, *ways: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        once = measure.workload(variants, "denied.py", kind, "2000")
        return measure.rounds(variants, ways, settings.rounds, once)

    return take


NATIVE = (BARE, AUDIT, GNOMON)


def native_call(act: str) -> Callable[[Variants, Settings], Values]:
    """What one call of a native library takes, by time."""

    def take(variants: Variants, settings: Settings) -> Values:
        _require_native(variants)
        once = measure.workload(variants, "native_calls.py", act, "20000")
        return measure.rounds(variants, NATIVE, settings.rounds, once)

    return take


def native_call_counted(act: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        _require_native(variants)
        each = measure.instructions_each(variants, NATIVE, "native_calls.py", (act,), (200, 1200))
        return {name: value / NATIVE_PASSES for name, value in each.items()}

    return take


# How often workloads/native_calls.py does what it is told to.
NATIVE_PASSES = 5


def _require_native(variants: Variants) -> None:
    if variants.native_problem:
        raise Unmeasurable(variants.native_problem)


def of_native_calls() -> tuple[Figure, ...]:
    acts = {
        "open-one": "open and close of what is not there, repeated",
        "open-new": "open and close of what is not there, new",
        "connect-local": "connect to a local socket, repeated",
        "read-file": "pread of a file that is known",
        "read-unknown": "read of what no record is about",
        "write-file": "write to a file that is known",
        "write-unknown": "write to what no record is about",
        "send": "send on a connection that is known",
        "send-unknown": "send on what no record is about",
        "receive": "recv on a connection that is known",
        "close": "close of nothing",
    }
    found = []
    for act, title in acts.items():
        none = Budget("over", BARE, inf, "ns")
        found.append(Figure(f"native-{act}", f"native: {title}", "ns", none, native_call(act), NATIVE))
        instructions = Budget("over", BARE, inf)
        counting = native_call_counted(act)
        name = f"native-{act}-instructions"
        found.append(Figure(name, f"native: {title}: instructions", "", instructions, counting, NATIVE))
    return tuple(found)


def both_sources(program: str, *arguments: str) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        once = measure.workload(variants, program, *arguments)
        return measure.rounds(variants, SOURCES, settings.rounds, once)

    return take


def both_sources_counted(*arguments: str) -> Callable[[Variants, Settings], Values]:
    return lambda variants, settings: measure.instructions(variants, SOURCES, *arguments)


def both_sources_timed(*arguments: str, rounds_factor: int = 1) -> Callable[[Variants, Settings], Values]:
    def take(variants: Variants, settings: Settings) -> Values:
        once = measure.cpu(variants, *arguments)
        return measure.rounds(variants, SOURCES, settings.rounds * rounds_factor, once)

    return take


# What each source costs: bare, any hook at all, audit events, these and native calls.
SOURCES = (BARE, NOOP, AUDIT, GNOMON)
IMPORTS = "import pandas, pyarrow"


def _at_hand(variants: Variants, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name in variants.available() or name in (SMALL, LARGE))


def of_policies(kind: str, title: str, *, with_instructions: bool = True) -> tuple[Figure, ...]:
    """What a decision on an event of `kind` costs, repeated and new."""
    found = []
    for mode, words, bound in (("repeat", "repeated", 100), ("first", "new", 1000)):
        take = per_event(kind, mode)
        over = Budget("over", GNOMON, bound, "ns", ours=LARGE)
        alike = Budget("ratio over", SMALL, 1.3, ours=LARGE)
        name = f"policy-{kind}-{mode}"
        found.append(Figure(name, f"policies, {title}, {words}", "ns", over, take, POLICIES))
        if with_instructions:
            counting = counted_each(kind, "first" if mode == "first" else "again", 1000, 5000)
            counted_title = f"policies, {title}, {words}: instructions"
            found.append(Figure(f"{name}-instructions", counted_title, "", alike, counting, POLICIES))
    return tuple(found)


def installed_counted(*arguments: str) -> Callable[[Variants, Settings], Values]:
    return lambda variants, _: installed.counted(variants, *arguments)


def installed_timed(*arguments: str) -> Callable[[Variants, Settings], Values]:
    return lambda variants, settings: installed.timed(variants, settings.rounds * 10, *arguments)


# A module of the standard library beside the interpreter's own, so that its directories are listed.
FIRST_IMPORT = "import decimal"

FIGURES = (
    Figure(
        "start",
        "interpreter start, `-c pass`: instructions",
        "M",
        Budget("ratio", BARE, 1.03),
        counted("-c", "pass"),
    ),
    Figure(
        "start-wall",
        "interpreter start, `-c pass`: wall",
        "ms",
        Budget("over", BARE, 1.0, "ms"),
        timed("-c", "pass", rounds_factor=10),
    ),
    Figure(
        "pandas",
        "`import pandas`: instructions",
        "M",
        Budget("ratio", BARE, 1.01),
        counted("-c", "import pandas"),
    ),
    Figure(
        "pandas-wall",
        "`import pandas`: wall",
        "ms",
        Budget("ratio", BARE, 1.01),
        timed("-c", "import pandas"),
    ),
    Figure(
        "not-kept-id",
        "event not kept: builtins.id",
        "ns",
        Budget("ratio", NOOP, 1.15),
        per_operation("not_kept_id.py"),
    ),
    Figure(
        "not-kept-getattr",
        "event not kept: object.__getattr__",
        "ns",
        Budget("ratio", NOOP, 1.15),
        per_operation("not_kept_getattr.py"),
    ),
    Figure(
        "not-kept-logging",
        "`logging.info`: each",
        "ns",
        Budget("ratio", NOOP, 1.15),
        per_operation("logging_info.py"),
    ),
    Figure(
        "not-kept-deepcopy",
        "`copy.deepcopy` of a small structure: each",
        "ns",
        Budget("ratio", NOOP, 1.15),
        per_operation("deepcopy.py"),
    ),
    Figure(
        "first",
        "first-time record, absolute path: the event alone",
        "ns",
        Budget("over", NOOP, 400, "ns"),
        per_operation("first_time.py", "event", "absolute", "{count}"),
    ),
    Figure(
        "first-relative",
        "first-time record, relative path: the event alone",
        "ns",
        Budget("over", NOOP, 400, "ns"),
        per_operation("first_time.py", "event", "relative", "{count}"),
    ),
    Figure(
        "first-open",
        "first-time record, absolute path: `open`, no such file",
        "ns",
        Budget("over", NOOP, 400, "ns"),
        per_operation("first_time.py", "open", "absolute", "{count}"),
    ),
    Figure(
        "first-open-relative",
        "first-time record, relative path: `open`, no such file",
        "ns",
        Budget("over", NOOP, 400, "ns"),
        per_operation("first_time.py", "open", "relative", "{count}"),
    ),
    Figure(
        "repeat",
        "repeat, absolute path: the event alone",
        "ns",
        Budget("over", NOOP, 150, "ns"),
        per_operation("repeat.py", "event", "absolute"),
    ),
    Figure(
        "repeat-relative",
        "repeat, relative path: the event alone",
        "ns",
        Budget("over", NOOP, 150, "ns"),
        per_operation("repeat.py", "event", "relative"),
    ),
    Figure(
        "repeat-open",
        "repeat, absolute path: `open`, no such file",
        "ns",
        Budget("over", NOOP, 150, "ns"),
        per_operation("repeat.py", "open", "absolute"),
    ),
    Figure(
        "repeat-open-relative",
        "repeat, relative path: `open`, no such file",
        "ns",
        Budget("over", NOOP, 150, "ns"),
        per_operation("repeat.py", "open", "relative"),
    ),
    Figure(
        "origin-first",
        "first-time record with its origin, 10 frames away",
        "ns",
        Budget("over", NOOP, 1000, "ns"),
        per_operation("origin.py", "first", "{count}"),
    ),
    Figure(
        "origin-repeat",
        "repeat with its origin, 10 frames away",
        "ns",
        Budget("over", NOOP, 200, "ns"),
        per_operation("origin.py", "repeat", "{count}"),
    ),
    Figure(
        "many",
        "100,000 opens over 1,000 paths: each",
        "ns",
        Budget("ratio", BARE, 1.15),
        per_operation("open_many.py"),
    ),
    Figure(
        "reader",
        "reader into Arrow, one core: records/s",
        "M/s",
        Budget("alone", GNOMON, 3.0, "M/s", at_least=True),
        read_into_arrow,
    ),
    Figure(
        "bytes",
        "analyst script: bytes a record",
        "B",
        Budget("alone", GNOMON, 100, "B"),
        bytes_a_record,
    ),
    *of_policies("open", "open that no rule is about"),
    *of_policies("allowed", "open that a rule allows"),
    *of_policies("nowhere", "open in a folder that is not there", with_instructions=False),
    *of_policies("resolve", "host asked for", with_instructions=False),
    *of_policies("connect", "connection", with_instructions=False),
    *of_policies("import", "import", with_instructions=False),
    Figure(
        "sources-start",
        "both sources, interpreter start: instructions",
        "M",
        Budget("ratio", BARE, inf),
        both_sources_counted("-c", "pass"),
        SOURCES,
    ),
    Figure(
        "sources-start-cpu",
        "both sources, interpreter start: CPU time",
        "ms",
        Budget("over", BARE, 1, "ms"),
        both_sources_timed("-c", "pass", rounds_factor=4),
        SOURCES,
    ),
    Figure(
        "sources-pandas",
        f"both sources, `{IMPORTS}`: instructions",
        "M",
        Budget("ratio", BARE, 1.02),
        both_sources_counted("-c", IMPORTS),
        SOURCES,
    ),
    Figure(
        "sources-pandas-cpu",
        f"both sources, `{IMPORTS}`: CPU time",
        "ms",
        Budget("ratio", BARE, 1.02),
        both_sources_timed("-c", IMPORTS),
        SOURCES,
    ),
    Figure(
        "sources-polars",
        "both sources, `import polars`: instructions",
        "M",
        Budget("ratio", BARE, inf),
        both_sources_counted("-c", "import polars"),
        SOURCES,
    ),
    Figure(
        "sources-many",
        "both sources, 100,000 opens over 1,000 paths: each",
        "ns",
        Budget("ratio", BARE, 1.25),
        both_sources("open_many.py"),
        SOURCES,
    ),
    Figure(
        "sources-one",
        "both sources, one file opened 100,000 times: each",
        "ns",
        Budget("ratio", BARE, 1.25),
        both_sources("open_many.py", "1"),
        SOURCES,
    ),
    *of_native_calls(),
    Figure(
        "tls-body",
        "`SSL_write` of 1 KB of a large request",
        "ns",
        Budget("over", BARE, inf, "ns"),
        both_sources("tls_write.py", "body", "20000"),
        SOURCES,
    ),
    Figure(
        "tls-request",
        "`SSL_write` of one request each",
        "ns",
        Budget("over", BARE, inf, "ns"),
        both_sources("tls_write.py", "request", "20000"),
        SOURCES,
    ),
    Figure(
        "installed-start",
        "installed loader, interpreter start: instructions",
        "M",
        Budget("ratio", BARE, 1.03, ours=INSTALLED),
        installed_counted("-c", "pass"),
        installed.WAYS,
    ),
    Figure(
        "installed-import",
        f"installed loader, `{FIRST_IMPORT}`: instructions",
        "M",
        Budget("ratio", BARE, inf, ours=INSTALLED),
        installed_counted("-c", FIRST_IMPORT),
        installed.WAYS,
    ),
    Figure(
        "installed-start-wall",
        "installed loader, interpreter start: wall",
        "ms",
        Budget("over", BARE, 1, "ms", ours=INSTALLED),
        installed_timed("-c", "pass"),
        installed.WAYS,
    ),
    Figure(
        "policy-start",
        "policies, interpreter start: instructions",
        "M",
        Budget("ratio", GNOMON, 1.01, ours=LARGE),
        arming("instructions"),
        POLICIES,
    ),
    Figure(
        "policy-start-wall",
        "policies, interpreter start: wall",
        "ms",
        Budget("over", GNOMON, 0.2, "ms", ours=LARGE),
        arming("wall"),
        POLICIES,
    ),
    Figure(
        "denied-open",
        "an `open` that is denied, caught",
        "ns",
        Budget("ratio", RAISING, inf, ours=DENYING),
        denied("open", BARE, RAISING, DENYING),
        (BARE, RAISING, DENYING),
    ),
    Figure(
        "denied-connect",
        "a `connect` that is denied, caught",
        "ns",
        Budget("ratio", PYTEST_SOCKET, inf, ours=DENYING),
        denied("connect", BARE, PYTEST_SOCKET, RAISING, DENYING),
        (BARE, PYTEST_SOCKET, RAISING, DENYING),
    ),
)


def take(figure: Figure, variants: Variants, settings: Settings) -> Result:
    try:
        values = figure.take(variants, settings)
        figure.budget.value(values)
    except Unmeasurable as reason:
        return Result(figure, problem=str(reason))
    return Result(figure, values)
