"""Whether anything runs after the loader of a managed machine, as the library tells it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = next((Path(__file__).parent.parent / "python" / "gnomon").glob("_native*.so"))

ASK = """
import _imp, sys
spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin={library!r})
module = _imp.create_dynamic(spec)
sys.path[:] = {path!r}
{before}
print(module.is_last({loader!r}))
"""


def is_last(python: str, loader: Path, path: list[object], before: str = "") -> bool:
    code = ASK.format(library=str(LIBRARY), path=path, loader=str(loader), before=before)
    done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    return {"True": True, "False": False}[done.stdout.strip()]


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    (tmp_path / "lib" / "behind").mkdir(parents=True)
    return tmp_path / "lib" / "sitecustomize.py"


def test_nothing_follows_where_no_directory_behind_holds_one(python: str, loader: Path) -> None:
    library, behind = loader.parent, loader.parent / "behind"
    (behind / "site.py").touch()
    before = library.parent / "before"
    before.mkdir()
    (before / "sitecustomize.py").touch()
    path: list[object] = [str(before), f"{library}/", str(behind), str(library / "missing")]
    assert is_last(python, loader, path)


@pytest.mark.parametrize(
    "name",
    ["sitecustomize.py", "sitecustomize.pyc", "sitecustomize", "sitecustomize.abi3.so", "SITECUSTOMIZE.py"],
)
def test_what_may_be_a_sitecustomize_of_any_form_follows(loader: Path, name: str) -> None:
    (loader.parent / "behind" / name).touch()
    assert not is_last(sys.executable, loader, [str(loader.parent), str(loader.parent / "behind")])


def test_what_was_moved_aside_follows(loader: Path) -> None:
    (loader.parent / "_gnomon_kept_sitecustomize.py").touch()
    assert not is_last(sys.executable, loader, [str(loader.parent)])


def test_an_archive_may_hold_one(loader: Path) -> None:
    archive = loader.parent / "some.zip"
    archive.touch()
    for entry in (archive, archive / "within"):
        assert not is_last(sys.executable, loader, [str(loader.parent), str(entry)])


@pytest.mark.parametrize(
    "before", ["sys.meta_path.append(None)", "sys.path_hooks.insert(0, None)", "del sys.path"]
)
def test_what_other_finders_may_find_follows(loader: Path, before: str) -> None:
    assert not is_last(sys.executable, loader, [str(loader.parent)], before)


def test_a_loader_that_was_not_found_on_the_path_searches_itself(loader: Path) -> None:
    assert not is_last(sys.executable, loader, [str(loader.parent / "behind")])
    assert not is_last(sys.executable, loader, [None, str(loader.parent)])
