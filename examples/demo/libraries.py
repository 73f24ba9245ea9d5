"""Environments of the data scientists: one with libraries of 2018, one with a start-up file that changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

OLD = {"requests": "2.19.0", "urllib3": "1.23", "idna": "2.6", "chardet": "3.0.4", "certifi": "2018.4.16"}

_STAND_IN = '''"""A stand-in for {name} {version}, for a demonstration: its name, none of its code."""

__version__ = "{version}"
'''
_STAND_IN_GET = """

import json
import urllib.request


class Answer:
    def __init__(self, content):
        self._content = content

    def raise_for_status(self):
        pass

    def json(self):
        return json.loads(self._content)


def get(url, timeout=None):
    import certifi, chardet, idna, urllib3

    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return Answer(answer.read())
"""


def environment(folder: Path, python: str, version: str) -> Path:
    """Makes a virtual environment for `python`, as venv does, and returns its library directory."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(python)
    home = python.rpartition("/")[0]
    (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
    library = folder / f"lib/python{version}/site-packages"
    library.mkdir(parents=True)
    return library


def install_old(library: Path, python: str, work: Path, *, is_offline: bool) -> bool:
    """Installs libraries of 2018: the real ones where PyPI has them and they run here, otherwise stand-ins.

    Returns:
        Whether they are the real ones.
    """
    if not is_offline and _install_real(library, work) and _runs(library, python):
        return True
    for entry in library.iterdir():
        shutil.rmtree(entry)
    for name, version in OLD.items():
        code = _STAND_IN.format(name=name, version=version)
        _write(library / name / "__init__.py", code + (_STAND_IN_GET if name == "requests" else ""))
        about = library / f"{name}-{version}.dist-info"
        _write(about / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        _write(about / "RECORD", f"{name}/__init__.py,,\n{about.name}/METADATA,,\n{about.name}/RECORD,,\n")
    return False


def _install_real(library: Path, work: Path) -> bool:
    wanted = [f"{name}=={version}" for name, version in OLD.items()]
    command = [sys.executable, "-m", "pip", "--timeout", "5", "--retries", "0", "download", "--quiet"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(work / "wheels"), *wanted]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode:
        return False
    for wheel in (work / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(library)
    return True


def _runs(library: Path, python: str) -> bool:
    code = f"import sys; sys.path.insert(0, {str(library)!r}); import requests"
    done = subprocess.run([python, "-I", "-W", "ignore", "-c", code], capture_output=True, check=False)
    return done.returncode == 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def install_hook(library: Path, *, is_changed: bool) -> None:
    """Puts the start-up file into an environment: first a quiet one, then one that does more."""
    _write(library / "meridian_defaults.pth", "import meridian_defaults\n")
    code = '"""The team\'s defaults."""\n\nPRECISION = 2\n'
    if is_changed:
        _write(library / "meridian_defaults.pth", "import meridian_defaults; meridian_defaults.look()\n")
        code += "\n\ndef look():\n    import os\n\n    return sorted(os.environ)\n"
    _write(library / "meridian_defaults.py", code)
