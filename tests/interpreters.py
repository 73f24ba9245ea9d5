"""The CPython interpreters of this machine, one for each version that gnomon supports.

What is not here is skipped with the reason, so that a test run says which versions it did not try.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")

_QUESTION = (
    "import sys, sysconfig;"
    "print(sys.implementation.name, '%d.%d' % sys.version_info[:2],"
    " bool(sysconfig.get_config_var('Py_GIL_DISABLED')), sys.prefix != sys.base_prefix)"
)


def _answers(path: Path, version: str) -> bool:
    """Whether `path` is a CPython of `version` with a GIL, and no virtual environment's."""
    command = [str(path), "-I", "-S", "-c", _QUESTION]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.split() == ["cpython", version, "False", "False"]


def _candidates(version: str) -> list[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        on_path = shutil.which(f"python{version}", path=folder)
        if on_path:
            found.append(Path(on_path))
    # A shim starts a version of its own choice, by way of a shell.
    return [path for path in found if "shims" not in path.parts]


@functools.cache
def interpreter(version: str) -> str | None:
    """The path of a CPython of `version`, or None."""
    for path in _candidates(version):
        if _answers(path, version):
            return str(path)
    return None


def needed(version: str) -> str:
    """The path of a CPython of `version`; skips the test where there is none."""
    path = interpreter(version)
    if path is None:
        pytest.skip(f"CPython {version} is not on this machine (looked in pyenv and PATH)")
    return path


# What `--only` restricts a test run to.
wanted: list[str] = []


@functools.cache
def present() -> tuple[str, ...]:
    """The versions that are here and wanted, oldest first."""
    return tuple(version for version in wanted or VERSIONS if interpreter(version))
