"""gnomon as `gnomon install` puts it in: a loader in the interpreter's own library, and a machine's settings.

The interpreter's prefix is copied twice, with the loader and without, each with a virtual environment: what
runs in the two differs by nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import measure
from measure import Values
from variants import BARE, GNOMON, INSTALLED, PACKAGE, Unmeasurable, Variants, library

LOADER = PACKAGE / "rollout" / "loader.py"
# What no program here imports, and what would make the interpreter's own library another one.
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__",
    "config-*",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "site-packages",
    "sitecustomize.py",
    "test",
    "tests",
    "tkinter",
)
WAYS = (BARE, GNOMON, INSTALLED)


@dataclass(frozen=True)
class Installed(Variants):
    """The same variants in an interpreter of its own, and with the loader of a managed machine."""

    managed: str = ""

    @classmethod
    def of(cls, variants: Variants) -> Installed:
        folder = variants.folder / "installed"
        if not LOADER.exists():
            raise Unmeasurable(f"no loader to install: {LOADER.relative_to(PACKAGE)}")
        plain, managed = folder / "plain", folder / "owned"
        if not folder.exists():
            for prefix in (plain, managed):
                _copy(variants.python, prefix)
                _environment(prefix)
            _install(folder / "root", managed)
        python = str(plain / "venv" / "bin" / "python")
        return cls(
            python, variants.folder, None, variants.native_problem, str(managed / "venv" / "bin" / "python")
        )

    def interpreter(self, name: str) -> str:
        return self.managed if name == INSTALLED else self.python


def counted(variants: Variants, *arguments: str) -> Values:
    installed = Installed.of(variants)
    before = _recorded(installed)
    values = measure.instructions(installed, WAYS, *arguments)
    if _recorded(installed) <= before:
        raise SystemExit("gnomon did not record as it was installed, so its time means nothing")
    return values


def timed(variants: Variants, rounds: int, *arguments: str) -> Values:
    installed = Installed.of(variants)
    return measure.rounds(installed, WAYS, rounds, measure.wall(installed, *arguments))


def _recorded(installed: Installed) -> int:
    """How many segments there are in the machine's spool."""
    return sum(1 for _ in (installed.folder / "installed" / "spool").glob("*/*"))


def _copy(python: str, prefix: Path) -> None:
    """What `python` needs to run, with its library."""
    places = "sys.base_prefix, os.path.dirname(os.__file__), sys._base_executable"
    code = f"import json, os, sys; print(json.dumps([{places}]))"
    told = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    base, standard, executable = map(Path, json.loads(told.stdout))
    (prefix / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(executable), prefix / "bin" / "python")
    shutil.copytree(standard, prefix / "lib" / standard.name, ignore=LEFT_OUT)
    (prefix / "lib" / standard.name / "site-packages").mkdir()
    for shared in (base / "lib").glob("libpython*.so*"):
        shutil.copy(shared, prefix / "lib")


def _environment(prefix: Path) -> None:
    python = str(prefix / "bin" / "python")
    command = [python, "-m", "venv", "--without-pip", "--copies", str(prefix / "venv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unmeasurable(f"no copy of the interpreter runs: {measure.last_line(done.stderr)}")


def _install(root: Path, prefix: Path) -> None:
    """Puts the loader into the library of `prefix`, and below `root` what it looks for."""
    (root / "current").mkdir(parents=True)
    (root / "current" / library().name).symlink_to(library())
    spool = root.parent / "spool"
    spool.mkdir()
    spool.chmod(0o3733)
    (root / "settings").write_text(f"spool={spool}\n")
    text, found = re.subn(
        r"^ROOT = .*$", f"ROOT = {str(root)!r}", LOADER.read_text(), count=1, flags=re.MULTILINE
    )
    if not found:
        raise Unmeasurable("the loader does not say where gnomon is installed")
    (standard,) = (prefix / "lib").glob("python3*")
    (standard / "sitecustomize.py").write_text(text)
