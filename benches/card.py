"""Prints gnomon's overhead card: each figure beside other ways to run the same program.

    python benches/card.py [--only NAME] [--json] [--python PATH]

It measures and judges nothing but the budgets: the exit code is 0 whether they are met or not.
docs/overhead.md has the method and a card to compare with.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import FIGURES, Result, Settings, take
from variants import BENCHES, Variants, library, profile


def main() -> None:
    options = parse()
    extension = library()
    if profile(extension) == "debug":
        raise SystemExit(
            f"cannot measure `{extension.name}`: a debug build ({extension.stat().st_size / 1e6:.0f} MB)\n"
            "hint: maturin develop --release --uv"
        )
    chosen = [figure for figure in FIGURES if not options.only or figure.name in options.only]
    with tempfile.TemporaryDirectory(prefix="gnomon-card-", dir=options.folder) as folder:
        variants = Variants.prepare(options.python, Path(folder))
        about = conditions(options.python, extension, Path(folder))
        if variants.noop_problem:
            print(f"WITHOUT THE NO-OP HOOK: {variants.noop_problem}", file=sys.stderr)
        settings = Settings(options.rounds, options.records, options.analyst)
        results = []
        for figure in chosen:
            results.append(take(figure, variants, settings))
            if sys.stderr.isatty():
                print(f"\r\033[K{figure.title}: done", file=sys.stderr)
    print(as_json(about, results) if options.json else as_table(about, results))


def parse() -> argparse.Namespace:
    example = BENCHES.parent / "examples" / "analyst.py"
    fallback = BENCHES / "workloads" / "analyst.py"
    parser = argparse.ArgumentParser(description="Print gnomon's overhead card.")
    names = [figure.name for figure in FIGURES]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--json", action="store_true", help="print the card as JSON")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the interpreter to watch")
    parser.add_argument("--rounds", type=int, default=25, help="rounds of A B C D (default: 25)")
    parser.add_argument("--records", type=int, default=400_000, help="records for the reader to read")
    parser.add_argument("--analyst", type=Path, default=example if example.exists() else fallback)
    parser.add_argument("--folder", help="where spools are made (default: the system's temporary directory)")
    options = parser.parse_args()
    options.analyst = options.analyst.resolve()
    return options


def conditions(python: str, extension: Path, folder: Path) -> dict[str, str]:
    found = subprocess.run([python, "--version"], capture_output=True, text=True, check=True)
    disk = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=False)
    return {
        "library": f"{extension.name}, {profile(extension)}, {extension.stat().st_size // 1024} KB",
        "python": found.stdout.strip(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs",
        "spool on": disk.stdout.strip() or "?",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def as_json(about: dict[str, str], results: list[Result]) -> str:
    rows = []
    for result in results:
        row: dict[str, object] = {
            "name": result.figure.name,
            "title": result.figure.title,
            "unit": result.figure.unit,
            "values": result.values,
            "budget": result.figure.budget.describe(),
        }
        if result.problem is None:
            ours = result.values[result.figure.budget.ours]
            row |= {
                "ratios": {name: ours / value for name, value in result.values.items()},
                "value": result.figure.budget.value(result.values),
                "is_met": result.figure.budget.is_met(result.values),
            }
        else:
            row["problem"] = result.problem
        rows.append(row)
    return json.dumps({"conditions": about, "figures": rows}, indent=2)


def as_table(about: dict[str, str], results: list[Result]) -> str:
    lines = ["gnomon overhead card", *(f"  {name}: {value}" for name, value in about.items())]
    for ways, group in itertools.groupby(results, key=lambda result: result.figure.ways):
        lines += ["", *table(ways, list(group))]
    return "\n".join(lines)


def table(ways: tuple[str, ...], results: list[Result]) -> list[str]:
    """The figures that compare the same variants."""
    heading = ["figure", "", *ways, *(f"x {name}" for name in ways[:-1]), "measured", "budget", "met"]
    lines = [heading, *(row(result) for result in results)]
    full = [line for line in lines if len(line) == len(heading)]
    widths = [max(len(line[column]) for line in full) for column in range(len(heading))]
    widths[0] = max(len(line[0]) for line in lines)
    return [aligned(line, widths, len(heading)) for line in lines]


def row(result: Result) -> list[str]:
    figure, values = result.figure, result.values
    if result.problem is not None:
        return [figure.title, f"!! NOT MEASURED: {result.problem}"]
    *others, ours = figure.ways
    shown = [number(values.get(name)) for name in figure.ways]
    ratios = [f"{values[ours] / values[name]:.3f}" if name in values else "-" for name in others]
    budget = figure.budget
    met = "yes" if budget.is_met(values) else "NO"
    return [figure.title, figure.unit, *shown, *ratios, budget.describe_value(values), budget.describe(), met]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def aligned(line: list[str], widths: list[int], columns: int) -> str:
    if len(line) < columns:
        return f"{line[0]:<{widths[0]}}  {line[1]}"
    cells = [
        f"{cell:>{width}}" if 2 <= column <= columns - 4 else f"{cell:<{width}}"
        for column, (cell, width) in enumerate(zip(line, widths))
    ]
    return "  ".join(cells).rstrip()


if __name__ == "__main__":
    main()
