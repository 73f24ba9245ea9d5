"""A program that records itself: `gnomon.record`, `start`, `stop`, `flush`, `stats`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from commands import gnomon, run
from watching import Ended, Kept, bare, environment, program

PACKAGE = str(Path(__import__("gnomon").__file__).resolve().parent.parent)


def _alone(python: str, *arguments: str, cwd: Path) -> Ended:
    return bare([python, *arguments], cwd=cwd, PYTHONPATH=PACKAGE)


def test_a_program_records_what_it_asks_for(python: str, spool: Path, tmp_path: Path) -> None:
    done = _alone(python, program("records_itself.py"), str(spool), cwd=tmp_path).checked()
    lines = done.stdout.decode().splitlines()
    name = os.path.basename(python)
    starts = [f"spawn {name} 1", "spawn sh 1"]
    assert lines[0] == str(["open child 1"] * 2 + ["open first 3", *starts])
    assert lines[1] == str(["open first 1", "open inner 1"])
    # What happened again in another part is counted there.
    assert lines[2] == str(["open first 1", "open first 1", "open inner 1", "open second 1"])
    assert lines[3] == "False True False True"
    assert lines[4].endswith("{} 1 None True")
    assert lines[5] == "True False"
    assert not spool.with_name("spool-other").exists()
    names = {os.path.basename(record.target or "") for record in Kept(spool).records("open")}
    assert not names & {"before", "between", "after"}
    assert not list(Kept(spool).records("setenv", "tamper"))  # the environment is ours to change
    assert Kept(spool).faults() == []


def test_in_a_run_it_stands_back(python: str, spool: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    done = run(spool, python, program("records_itself.py"), own, cwd=tmp_path, PYTHONPATH=PACKAGE)
    lines = done.checked().stdout.decode().splitlines()
    assert lines[1] == str(["open first 1", "open inner 1"])
    assert lines[3] == "True True True True"
    assert not own.exists()
    names = {os.path.basename(record.target or "") for record in Kept(spool).records("open")}
    assert {"before", "between", "after", "first"} <= names  # the run goes on


def test_show_tells_of_the_last_recording(a_python: str, spool: Path, tmp_path: Path) -> None:
    code = f"import gnomon\nwith gnomon.record({str(spool)!r}): open('x', 'w').close()"
    _alone(a_python, "-c", code, cwd=tmp_path).checked()
    answer = json.loads(gnomon("show", "--format", "json", spool).checked().stdout)
    assert [use["path"] for use in answer["files"]] == [str(tmp_path / "x")]
    assert answer["coverage"]["is_complete"] is True
    assert gnomon("show", "--run", answer["processes"][0]["id"], spool).checked().stdout


def test_native_code_is_watched_or_not(a_python: str, spool: Path, tmp_path: Path) -> None:
    code = (
        "import ctypes, gnomon, os, subprocess, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "def each(native):\n"
        "    with gnomon.record(native=native) as one: libc.open(b'/dev/zero', 0)\n"
        "    return [found.source for found in one.records(kinds=['open'])]\n"
        "spool = sys.argv[1]\n"
        "import gnomon.session; gnomon.session.default_spool = lambda: spool\n"
        "print(each('auto'), each('off'), each(None), each('auto'))\n"
        "os.environ['GNOMON_NATIVE'] = 'off'\n"
        "print(each('auto'), each(None), os.environ['GNOMON_NATIVE'])\n"
        "with gnomon.record(native='auto'): subprocess.run([sys.executable, '-c', ''])\n"
        "try: gnomon.start(native='on')\n"
        "except ValueError as error: print(error)\n"
    )
    done = _alone(a_python, "-c", code, str(spool), cwd=tmp_path).checked()
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "['native'] [] ['native'] ['native']"
    assert lines[1] == "['native'] [] off"
    assert lines[2] == "native is `auto` or `off`, and not 'on'"
    child = Kept(spool).processes()[-1]
    assert child.native == "on"


def test_children_are_left_alone_where_they_shall_be(a_python: str, spool: Path, tmp_path: Path) -> None:
    code = (
        "import gnomon, os, subprocess, sys\n"
        f"with gnomon.record({str(spool)!r}, children=False) as recording:\n"
        "    before = dict(os.environ)\n"
        "    subprocess.run([sys.executable, '-c', 'pass'])\n"
        "print(len(recording.answer().processes), 'GNOMON_SPOOL' in before)\n"
    )
    assert _alone(a_python, "-c", code, cwd=tmp_path).checked().stdout == b"1 False\n"


def test_a_forked_child_is_part_of_the_recording(python: str, spool: Path, tmp_path: Path) -> None:
    code = (
        "import gnomon, os\n"
        f"with gnomon.record({str(spool)!r}) as recording:\n"
        "    if os.fork() == 0:\n"
        "        open('child', 'w').close()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "print([os.path.basename(one.target) for one in recording.records(kinds=['open'])])\n"
    )
    assert _alone(python, "-c", code, cwd=tmp_path).checked().stdout == b"['child']\n"


def test_a_spool_that_cannot_be_used_is_an_oserror(a_python: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = (
        "import gnomon, os\n"
        "before = dict(os.environ)\n"
        f"for place in ({str(tmp_path / 'file')!r}, {str(tmp_path / 'file' / 'below')!r}):\n"
        "    try: gnomon.start(place)\n"
        "    except OSError as error: print('OSError')\n"
        "print(gnomon.process_id(), gnomon.stats(), gnomon.stop(), dict(os.environ) == before)\n"
    )
    done = _alone(a_python, "-c", code, cwd=tmp_path).checked()
    assert done.stdout == b"OSError\nOSError\nNone None None True\n"


def test_an_exception_leaves_the_block_as_it_is(a_python: str, spool: Path, tmp_path: Path) -> None:
    code = (
        "import gnomon\n"
        "try:\n"
        f"    with gnomon.record({str(spool)!r}) as recording: 1 / 0\n"
        "except ZeroDivisionError: print(recording.ended is not None, gnomon.process_id())\n"
    )
    assert _alone(a_python, "-c", code, cwd=tmp_path).checked().stdout == b"True None\n"


def test_gnomon_run_starts_without_what_only_a_recording_needs(a_python: str) -> None:
    names = ("gnomon.session", "dataclasses", "typing")
    # What the interpreter's own site loads is none of ours.
    code = (
        "import sys; before = set(sys.modules); import gnomon.cli.run; "
        f"print([name for name in {names} if name in sys.modules and name not in before])"
    )
    done = subprocess.run(
        [a_python, "-c", code], env=environment(PYTHONPATH=PACKAGE), capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"
