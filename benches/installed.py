"""gnomon as `gnomon install` puts it in: a loader in the interpreter's own library, and a machine's settings.

The interpreter's prefix is copied twice, with the loader and without, each with a virtual environment: what
runs in the two differs by nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import measure
from measure import Values
from variants import BARE, GNOMON, INSTALLED, PACKAGE, Unmeasurable, Variants, library

from gnomon.rollout.covering import loader_text
from gnomon.rollout.layout import Layout
from gnomon.rollout.settings import Settings

LOADER = PACKAGE / "rollout" / "loader.py"
CUSTOMISATION, KEPT = "sitecustomize.py", "_gnomon_kept_sitecustomize.py"
# What Debian and Ubuntu put into their own Pythons.
DEBIAN = """\
# install the apport exception handler if available
try:
    import apport_python_hook
except ImportError:
    pass
else:
    apport_python_hook.install()
"""
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
    spool: Path = Path()

    @classmethod
    def of(cls, variants: Variants, *, place: str = "venv/bin/python", is_kept: bool = False) -> Installed:
        """Those of the interpreter at `place` in a prefix; `is_kept`: one that had a sitecustomize before."""
        folder = variants.folder / ("kept" if is_kept else "installed")
        plain, managed = folder / "plain", folder / "owned"
        if not folder.exists():
            for prefix in (plain, managed):
                _copy(variants.python, prefix)
                _environment(prefix)
            if is_kept:
                (_library(plain) / CUSTOMISATION).write_text(DEBIAN)
                (_library(managed) / KEPT).write_text(DEBIAN)
            _install(folder / "root", managed)
        python, ours = str(plain / place), str(managed / place)
        return cls(python, variants.folder, None, variants.native_problem, ours, folder / "root" / "spool")

    def interpreter(self, name: str) -> str:
        return self.managed if name == INSTALLED else self.python


def counted(installed: Installed, *arguments: str) -> Values:
    before = _recorded(installed)
    values = measure.instructions(installed, WAYS, *arguments)
    if _recorded(installed) <= before:
        raise SystemExit("gnomon did not record as it was installed, so its time means nothing")
    return values


def timed(installed: Installed, rounds: int, *arguments: str) -> Values:
    return measure.rounds(installed, WAYS, rounds, measure.cpu(installed, *arguments))


def _recorded(installed: Installed) -> int:
    """How many segments there are in the machine's spool."""
    return sum(1 for _ in installed.spool.glob("*/*"))


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


def _library(prefix: Path) -> Path:
    (found,) = (prefix / "lib").glob("python3*")
    return found


def _install(root: Path, prefix: Path) -> None:
    """Does as `gnomon install`: the loader into the library of `prefix`, below `root` what it looks for."""
    layout = Layout.at(str(root))
    (root / "current").mkdir(parents=True)
    (root / "current" / library().name).symlink_to(library())
    spool = Path(layout.spool)
    spool.mkdir()
    spool.chmod(0o3773)
    Path(layout.settings).write_bytes(Settings(layout.spool).lines((), layout))
    (_library(prefix) / CUSTOMISATION).write_text(loader_text(LOADER.read_bytes(), layout.root))
