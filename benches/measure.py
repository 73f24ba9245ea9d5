"""Runs the variants of one program in turn, round by round, and takes medians.

The machine's load drifts; A B C D A B C D lets it drift over all alike. Instructions are counted where even
that is too noisy: callgrind's number is the same in every run, but leaves out what the kernel does.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from variants import BENCHES, RECORDING, Unmeasurable, Variants, spool_of

WORKLOADS = BENCHES / "workloads"

Values = dict[str, float]


def rounds(
    variants: Variants, names: Sequence[str], count: int, once: Callable[[str, Path], float]
) -> Values:
    """The median over `count` rounds of what `once(variant, fresh directory)` returns."""
    found: dict[str, list[float]] = {name: [] for name in names}
    # Nothing is removed between the rounds: for five seconds ext4 does not use the inodes of removed files
    # again, and to look past a few hundred of them makes every file that is created 0.3 ms slower.
    with tempfile.TemporaryDirectory(dir=variants.folder) as folder:
        for number in range(-1, count):
            for name in names:
                value = once(name, Path(tempfile.mkdtemp(dir=folder)))
                if number >= 0:  # the round before the first one warms caches and bytecode
                    found[name].append(value)
            _progress(f"round {number + 1} of {count}")
    return {name: statistics.median(values) for name, values in found.items()}


def workload(variants: Variants, program: str, *arguments: str) -> Callable[[str, Path], float]:
    """Runs a program of `workloads/`, which prints its own time in nanoseconds for one operation."""

    def once(name: str, output: Path) -> float:
        command = [variants.python, str(WORKLOADS / program), *arguments]
        told = json.loads(run(variants, name, output, command))
        if name in RECORDING:
            require_records(output, told["records"])
        return float(told["ns"])

    return once


def require_records(output: Path, least: int) -> None:
    """Ends the card if gnomon kept less than it had to: the cost of not recording is another figure."""
    import gnomon._native as gnomon  # type: ignore[import-untyped,unused-ignore]

    processes, _ = gnomon.Spool(spool_of(output)).processes()
    found = sum(process.records for process in processes)
    if found < least:
        raise SystemExit(f"gnomon recorded {found} of {least} operations, so its time means nothing")


def wall(variants: Variants, *arguments: str) -> Callable[[str, Path], float]:
    """The time in milliseconds from starting the interpreter to its end."""

    def once(name: str, output: Path) -> float:
        environment = variants.environment(name, output)
        start = time.perf_counter_ns()
        code = subprocess.call([variants.interpreter(name), *arguments], env=environment, cwd=output)
        taken = time.perf_counter_ns() - start
        if code != 0:
            raise Unmeasurable(f"`python {' '.join(arguments)}` exits with {code}")
        return taken / 1e6

    return once


def cpu(variants: Variants, *arguments: str) -> Callable[[str, Path], float]:
    """The same by the CPU time of the process, the kernel's share included."""

    def once(name: str, output: Path) -> float:
        command = [variants.interpreter(name), *arguments]
        environment = variants.environment(name, output)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        if subprocess.call(command, env=environment, cwd=output) != 0:
            raise Unmeasurable(f"`python {' '.join(arguments)}` fails")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3

    return once


def run(variants: Variants, name: str, output: Path, command: list[str]) -> str:
    """The standard output of `command` as variant `name`."""
    environment = variants.environment(name, output)
    done = subprocess.run(command, env=environment, cwd=output, capture_output=True, text=True, check=False)
    if "gnomon: not recording" in done.stderr:
        raise SystemExit(f"gnomon does not record, so there is nothing to measure:\n{done.stderr}")
    if done.returncode != 0:
        raise Unmeasurable(f"as {name}, exit {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def instructions(variants: Variants, names: Sequence[str], *arguments: str) -> Values:
    """Millions of instructions that the interpreter executes with `arguments`, by callgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise Unmeasurable("no valgrind: install it to count instructions")
    found: Values = {}
    for name in names:
        once = partial(_callgrind, valgrind, variants, name, [variants.interpreter(name), *arguments])
        found[name] = _in_fresh_directory(variants, once)
        _progress(f"callgrind {name}")
    return found


def instructions_each(
    variants: Variants, names: Sequence[str], program: str, arguments: Sequence[str], counts: tuple[int, int]
) -> Values:
    """Instructions that one operation more of a workload takes: its last argument is how many of them."""
    few, many = counts
    found = {
        count: instructions(variants, names, str(WORKLOADS / program), *arguments, str(count))
        for count in counts
    }
    return {name: (found[many][name] - found[few][name]) * 1e6 / (many - few) for name in names}


def _callgrind(valgrind: str, variants: Variants, name: str, command: list[str], output: Path) -> float:
    for _ in range(2):  # bytecode is written by the first, read by the second
        run(variants, name, output, command)
    profile = output / "callgrind.out"
    run(variants, name, output, [valgrind, "--tool=callgrind", f"--callgrind-out-file={profile}", *command])
    summary = re.search(r"^(?:summary|totals): (\d+)", profile.read_text(), re.MULTILINE)
    if summary is None:
        raise Unmeasurable("callgrind left no summary")
    if name in RECORDING:
        require_records(output, 1)
    return int(summary.group(1)) / 1e6


def _in_fresh_directory(variants: Variants, use: Callable[[Path], float]) -> float:
    with tempfile.TemporaryDirectory(dir=variants.folder) as folder:
        return use(Path(folder))


def _progress(text: str) -> None:
    if sys.stderr.isatty() and not os.environ.get("CI"):
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
