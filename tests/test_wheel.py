"""One wheel, for every CPython from 3.9 on, and nothing in it outside the stable ABI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from watching import Kept, environment

ROOT = Path(__file__).resolve().parent.parent


def _call(*command: str | Path, **more: str) -> str:
    done = subprocess.run(
        command, env=environment(**more), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as for release but for the profile, which the other tests have built already."""
    folder = tmp_path_factory.mktemp("dist")
    _call(sys.executable, "-m", "maturin", "build", "--locked", "--quiet", "--profile", "dev", "-o", folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_is_for_all_versions_and_keeps_to_the_stable_abi(wheel: Path) -> None:
    assert "-cp39-abi3-" in wheel.name
    report = _call(sys.executable, "-m", "abi3audit", "--strict", "--verbose", wheel)
    assert "0 ABI version mismatches and 0 ABI violations found" in report


def test_the_one_wheel_runs_and_is_recorded(wheel: Path, python: str, spool: Path, tmp_path: Path) -> None:
    place = tmp_path / "env"
    _call(python, "-m", "venv", place)
    own = place / "bin" / "python"
    _call(own, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel)
    said = _call(place / "bin" / "gnomon", "run", "--spool", spool, "-c", "open('/dev/zero')")
    assert "/dev/zero" in said or "1 system file" in said
    (process,) = [process for process in Kept(spool).processes() if process.role == "python"]
    assert process.status == 0
    assert process.python == _call(own, "-c", "import sys; print(sys.version.split()[0])").strip()
    assert "gnomon" in _call(own, "-m", "gnomon", "--version")


def test_it_compiles_for_free_threaded_python(is_long: bool, tmp_path: Path) -> None:
    if not is_long:
        pytest.skip("compiling for free-threaded 3.14 takes a minute: --long")
    flags = ("--no-default-features", "--locked", "--quiet", "--profile", "dev")
    _call(sys.executable, "-m", "maturin", "build", *flags, "-i", "python3.14t", "-o", tmp_path)
    (built,) = tmp_path.glob("*.whl")
    assert "-cp314-cp314t-" in built.name
