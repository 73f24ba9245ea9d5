"""What `gnomon watch` costs while programs record at a steady rate, and whether it counts everything.

    python benches/watch.py [--rate 50000] [--seconds 10]

Run it with the gnomon that is to be measured. Needs pyte and rich.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gnomon

BENCHES = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCHES.parent / "tests"))

from terminals import Seat  # noqa: E402

PACKAGE = Path(gnomon.__file__).resolve().parent
WRITERS = 3
WARM_SECONDS = 3.0
SHAPES = {"different files": 1 << 40, "3,000 files, again and again": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rate", type=int, default=50_000, help="events a second, of three processes together"
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for name, names in SHAPES.items():
        print(f"{name}: {measured(options.rate, options.seconds, names)}")


def measured(rate: int, seconds: float, names: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder, "spool")
        spool.mkdir(mode=0o700)
        writers = [started(spool, rate // WRITERS, seconds + 2 * WARM_SECONDS, names) for _ in range(WRITERS)]
        argv = [sys.executable, "-m", "gnomon", "watch", str(spool)]
        with Seat(argv, environment(str(PACKAGE.parent)), 200, 60) as seat:
            wait(seat, WARM_SECONDS)
            before, written = cpu_seconds(seat.program.pid), len(seat.written)
            frames = seat.written.count(b"\x1b[?2026h")
            began = time.monotonic()
            wait(seat, seconds)
            passed = time.monotonic() - began
            cpu = cpu_seconds(seat.program.pid) - before
            frames = seat.written.count(b"\x1b[?2026h") - frames
            rate_shown = seat.screen.display[1].split(" events/s")[0].strip()
            megabytes = memory_bytes(seat.program.pid) / 1e6
            written = len(seat.written) - written
            while any(writer.poll() is None for writer in writers):
                seat.read()
            made = sum(int(writer.communicate()[0]) for writer in writers)
            records = list(gnomon.Spool(spool).records())
            expected = f"{sum(record.count for record in records):,} events in"
            seat.until_shown(expected)
            seat.type("q")
            seat.ended()
    return (
        f"shows {rate_shown} events/s, {100 * cpu / passed:.1f} % of a core, {megabytes:.0f} MB, "
        f"{frames / passed:.1f} frames/s, {written / passed / 1000:.0f} kB/s to the terminal; "
        f"{made:,} opens made, {expected.split()[0]} events recorded and shown, {len(records):,} records"
    )


def started(spool: Path, rate: int, seconds: float, names: int) -> subprocess.Popen[str]:
    program = str(BENCHES / "workloads" / "steady.py")
    argv = [sys.executable, program, str(rate), str(seconds), str(names)]
    return subprocess.Popen(
        argv,
        env=environment(str(PACKAGE / "bootstrap"), GNOMON_SPOOL=str(spool)),
        stdout=subprocess.PIPE,
        text=True,
    )


def environment(search_path: str, **more: str) -> dict[str, str]:
    unwanted = ("PYTHON", "GNOMON", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "PYTHONPATH": search_path, **more}


def wait(seat: Seat, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seat.read(0.02)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
