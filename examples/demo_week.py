"""A week at a company that does not exist: thirty scripts of nine people really run, recorded by gnomon.

    python examples/demo_week.py SPOOL

The scripts are in examples/demo/files, what they are to do is in examples/demo/story.py. Servers on this
machine stand in for api.openai.com and others; nothing leaves it, but that PyPI is asked for old libraries.
As root on Linux the company has accounts, machine names, a network and file systems of its own, in namespaces
that end with the demo; otherwise everything runs as the caller.

What is recorded is recorded now, and then moved: the times of a run become those of the story. Beside the
spool, in SPOOL.d, lie the files that a report needs (who has left, which AI service has a contract, known
vulnerabilities), the scripts, and what the story says must be in a report.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

try:
    from demo import story
    from demo.week import Options, Run, Week, beside
except ModuleNotFoundError as error:
    if error.name != "gnomon":
        raise
    sys.exit("error: gnomon is not installed for this Python\nhint: pip install gnomon")


def _options() -> Options:
    parser = argparse.ArgumentParser(description="Runs a company's week of scripts, recorded by gnomon.")
    parser.add_argument("spool", type=Path, help="a directory for the records, which must not be there yet")
    parser.add_argument("--seed", type=int, default=1, help="another number makes other data and minutes")
    parser.add_argument(
        "--monday", type=datetime.date.fromisoformat, help="which week (default: the last whole one)"
    )
    parser.add_argument("--quick", action="store_true", help="run each script once")
    parser.add_argument("--offline", action="store_true", help="do not ask PyPI for the old libraries")
    parser.add_argument("--plain", action="store_true", help="make no namespaces, also as root")
    parser.add_argument("--python", help="the interpreter of the scripts (default: this one)")
    given = parser.parse_args()
    return Options(
        spool=given.spool.absolute(),
        seed=given.seed,
        monday=given.monday or _last_monday(),
        is_quick=given.quick,
        is_offline=given.offline,
        python=given.python,
        is_plain=given.plain,
    )


def _last_monday() -> datetime.date:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return today - datetime.timedelta(days=today.weekday() + 7)


def _say(script: story.Script, text: str) -> None:
    print(f"  {script.user:<9}{script.machine:<12}{script.name:<24}{text}", flush=True)


def _summary(runs: Sequence[Run]) -> Iterator[tuple[story.Script, str]]:
    """A line for each script: how it was started, and how often."""
    seen: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        seen.setdefault((run.script.path, run.script.user), []).append(run)
    for found in seen.values():
        script = found[0].script
        times = f"{len(found)} run" + ("s" if len(found) > 1 else "")
        yield script, f"{times} by {script.starter}, first on {story.DAYS[found[0].day]} {found[0].time}"


def _left_out(script: story.Script, reason: str) -> None:
    _say(script, f"left out: it needs {reason}")


def main() -> None:
    options = _options()
    for path in (options.spool, beside(options.spool)):
        if path.exists():
            sys.exit(f"error: `{path}` is there already\nhint: name a directory that is not, or remove it")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="demo-week-") as folder:
        week = Week(options, Path(folder), _left_out)
        print(f"Meridian Foods, the week of {week.monday}: {len(week.runs)} runs", flush=True)
        if week.why_plain:
            print(f"On this machine as it is, as one user: {week.why_plain}.")
        week.prepare()
        if not week.has_real_libraries:
            print(
                "The libraries of 2018 are stand-ins with their names and versions: PyPI did not give them,"
            )
            print("or they do not run on this Python.")
        week.live()
        for script, text in _summary(week.ran):
            _say(script, text)
        processes = week.gather()
        week.leave_files()
    print(f"{processes} processes recorded in {time.monotonic() - began:.0f} s.")
    print("Their times were then moved into that week, for the demonstration.")
    print(f"The records: {week.spool}\nWhat goes with them: {week.beside}")


if __name__ == "__main__":
    main()
