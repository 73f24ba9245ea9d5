"""Libraries that are unloaded and loaded again: the loader puts the second where the first was."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from commands import gnomon
from watching import Kept

SOURCE = "#include <fcntl.h>\nvoid look(const char *path) { open(path, O_RDONLY); }\n"
PROGRAM = """
import _ctypes, ctypes, sys
for number in range(3):
    library = ctypes.CDLL(sys.argv[1])
    library.look(b"/not/there/%d" % number)
    _ctypes.dlclose(library._handle)
"""


def test_a_library_that_comes_back_is_redirected_again(a_python: str, spool: Path, tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    library = tmp_path / "liblook.so"
    library.with_suffix(".c").write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, library.with_suffix(".c")], check=True)
    gnomon("run", "--spool", spool, a_python, "-c", PROGRAM, library).checked()
    opened = [one for one in Kept(spool).records("open") if one.object == str(library)]
    assert sorted(one.target or "" for one in opened) == [f"/not/there/{number}" for number in range(3)]
