"""What `gnomon report` costs over many records: `python benches/report.py [--records 100000]`.

The spools are made by the engine's own writer (src/core/examples/make_spool.rs, built if it is not there):
200 scripts of 50 users through one week. Prints wall and processor time of the whole command, start included,
and its memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What issue and documentation promise: records, seconds, bytes.
LIMITS = {100_000: (1.0, 1 << 30), 10_000_000: (5.0, 1 << 30)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=sorted(LIMITS))
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is told")
    options = parser.parse_args()
    maker = _maker()
    print(f"{'records':>12} {'wall':>8} {'processor':>10} {'memory':>10}")
    for records in options.records:
        with tempfile.TemporaryDirectory(prefix="gnomon-bench-") as place:
            made = [maker, f"{place}/spool", str(records), str(max(records // 1000, 1))]
            subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
            argv = [sys.executable, "-m", "gnomon", "report", f"{place}/spool"]
            rounds = [_measured(argv) for _ in range(options.rounds)]
        wall, processor, memory = (statistics.median(figures) for figures in zip(*rounds))
        figures = f"{records:>12,} {wall:>6.2f} s {processor:>8.2f} s {int(memory) >> 20:>6} MiB"
        print(figures + _judged(records, wall, memory))
    return 0


def _maker() -> str:
    command = "cargo build --release --locked --quiet -p gnomon-core --example make_spool"
    subprocess.run(command.split(), check=True, cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "release" / "examples" / "make_spool")


def _measured(argv: list[str]) -> tuple[float, float, int]:
    begin = time.perf_counter()
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"`{' '.join(argv)}` failed")
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss << 10


def _judged(records: int, wall: float, memory: float) -> str:
    if records not in LIMITS:
        return ""
    seconds, most = LIMITS[records]
    words = "held" if wall <= seconds and memory <= most else "MISSED"
    return f"   at most {seconds:g} s, {most >> 20} MiB: {words}"


if __name__ == "__main__":
    raise SystemExit(main())
