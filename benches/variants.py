"""The ways to run a program that the card compares: bare, by hooks of others, by gnomon, under its policies.

Each is an environment and nothing else. What a variant leaves behind (a spool, a file of lines) goes into a
directory made new for each run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import policies
from policies import DENYING, LARGE, SMALL

BENCHES = Path(__file__).resolve().parent
PACKAGE = BENCHES.parent / "python" / "gnomon"

BARE, NOOP, JSON, GNOMON = "bare", "no-op C", "JSON lines", "gnomon"
# gnomon with audit events only.
AUDIT = "audit only"
# gnomon in the interpreter's own library, as on a managed machine.
INSTALLED = "installed"
NAMES = (BARE, NOOP, JSON, GNOMON)
# Where the library that makes calls is, below the folder of a run.
NATIVE_CALLS = "native_calls.so"
# What else stops a program: the workload sets these up by itself.
RAISING, PYTEST_SOCKET = "Python hook", "pytest-socket"
RECORDING = (GNOMON, AUDIT, SMALL, LARGE, DENYING)

# An unoptimised library is several times larger than a released one; nothing else in it says which it is.
LARGEST_RELEASE_BYTES = 5 * 1024 * 1024


class Unmeasurable(Exception):
    """A figure cannot be had here; the text says why and what would help."""


def library() -> Path:
    """The extension that is measured."""
    for path in sorted(PACKAGE.glob("_native*.so")):
        return path
    raise SystemExit("cannot find the extension in python/gnomon\nhint: maturin develop --release --uv")


def profile(path: Path) -> str:
    return "release" if path.stat().st_size <= LARGEST_RELEASE_BYTES else "debug"


@dataclass(frozen=True)
class Variants:
    """Environments for the interpreter `python`; `folder` is ours for the whole run."""

    python: str
    folder: Path
    noop_problem: str | None
    native_problem: str | None

    @classmethod
    def prepare(cls, python: str, folder: Path) -> Variants:
        for name in ("noop_hook", "json_hook"):
            shutil.copytree(BENCHES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        noop_problem = _compile_noop(python, folder / "noop_hook" / "_noop.so")
        return cls(python, folder, noop_problem, _compile(folder / NATIVE_CALLS, BENCHES / "native_calls.c"))

    def available(self) -> tuple[str, ...]:
        return tuple(name for name in NAMES if name != NOOP or self.noop_problem is None)

    def interpreter(self, name: str) -> str:
        """What runs a program as variant `name`."""
        return self.python

    def environment(self, name: str, output: Path) -> dict[str, str]:
        """The environment of variant `name`, which leaves what it records in the directory `output`.

        Not in `output` itself, where the program runs: gnomon does not record reads of its own spool.
        """
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("GNOMON_") and key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        }
        environment["PYTHONHASHSEED"] = "0"
        # Idle BLAS threads spin, and callgrind counts it: some 2 % of `import pandas`, by chance.
        environment["OPENBLAS_NUM_THREADS"] = "1"
        environment["BENCH_NATIVE_CALLS"] = str(self.folder / NATIVE_CALLS)
        if name == NOOP:
            environment["PYTHONPATH"] = str(self.folder / "noop_hook")
        elif name == JSON:
            environment["PYTHONPATH"] = str(self.folder / "json_hook")
            environment["BENCH_JSON_LINES"] = str(lines_of(output))
        elif name == INSTALLED:
            environment["GNOMON_DEBUG"] = "1"
        elif name in (RAISING, PYTEST_SOCKET):
            environment["BENCH_DENY"] = name
        elif name in RECORDING:
            if name == AUDIT:
                environment["GNOMON_NATIVE"] = "off"
            elif name != GNOMON:
                environment["GNOMON_POLICY"] = str(self._policies()[name])
            environment["PYTHONPATH"] = str(PACKAGE / "bootstrap")
            spool_of(output).mkdir(mode=0o700, exist_ok=True)
            environment["GNOMON_SPOOL"] = str(spool_of(output))
            environment["GNOMON_DEBUG"] = "1"
        return environment

    def _policies(self) -> dict[str, Path]:
        folder = self.folder / "policies"
        if folder.exists():
            return policies.of(folder, ".gnomon-policy")
        return policies.compiled(folder)


def spool_of(output: Path) -> Path:
    return output / "spool"


def lines_of(output: Path) -> Path:
    return output / "lines.jsonl"


def _compile_noop(python: str, library: Path) -> str | None:
    include = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return _compile(library, BENCHES / "noop_hook.c", "-I", include)


def _compile(library: Path, source: Path, *options: str) -> str | None:
    """Makes a shared object; returns why there is none."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return "no C compiler (cc): install one"
    command = [compiler, "-O2", "-shared", "-fPIC", *options, "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"cc failed: {done.stderr.strip().splitlines()[-1]}"
