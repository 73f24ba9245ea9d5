"""Each record names the line of the user's code that caused it, and the libraries on the way."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from interpreters import needed
from watching import BOOTSTRAP, Kept, Record, armed, program

INNER = """
import os
class Reader:
    def __init__(self, path): read(path)
def read(path):
    try:
        open(path)
    except OSError:
        pass
"""
OUTER = """
import inner
def read(path): inner.read(path)
def calls_back(function): return function()
"""


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """Two installed distributions; one is called otherwise than its module."""
    folder = tmp_path / "lib" / "site-packages"
    for name, source, distribution in (("inner", INNER, "Inner_Thing"), ("outer", OUTER, "outer")):
        metadata = folder / f"{distribution}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "RECORD").write_text(f"{distribution}-1.0.dist-info/RECORD,,\n{name}.py,,\n")
        (folder / f"{name}.py").write_text(source)
    return folder


def _origin(record: Record) -> list[object]:
    return [record.file, record.line, record.function, record.distribution, record.via]


@pytest.mark.parametrize("frames", ["read", "ask"])
def test_every_way_to_open_a_file_is_traced_to_its_line(
    frames: str, python: str, spool: Path, tmp_path: Path, site_packages: Path
) -> None:
    subject = program("origins.py")
    done = armed(
        [python, subject], spool, cwd=tmp_path, PYTHONPATH=str(site_packages), GNOMON_FRAMES=frames
    ).checked()
    expected = {(row[0], row[2]): row[1:] for row in map(json.loads, done.stdout.splitlines())}
    found = {
        (str(record.target), record.line): _origin(record)
        for record in Kept(spool).records("open", "connect")
        if record.target != "/dev/null"
    }
    wrong = {key: (found.get(key), row) for key, row in expected.items() if found.get(key) != row}
    assert not wrong
    assert len(expected) > 300


def test_frames_are_read_on_every_version_that_is_known(python: str, spool: Path, tmp_path: Path) -> None:
    question = "from gnomon._native import reads_frames; print(reads_frames())"
    package = str(BOOTSTRAP.parent.parent)
    for frames, answer in (("", b"True\n"), ("ask", b"False\n")):
        done = armed([python, "-c", question], spool, PYTHONPATH=package, GNOMON_FRAMES=frames).checked()
        assert done.stdout == answer


def test_code_that_is_no_file_is_the_user_s_where_nothing_else_is(python: str, spool: Path) -> None:
    armed([python, "-c", "\nopen('/by/command')"], spool)
    armed([python], spool, stdin=b"\n\nopen('/by/input')")
    origins = {record.target: _origin(record) for record in Kept(spool).records("open")}
    assert origins["/by/command"] == ["<string>", 2, "<module>", None, None]
    assert origins["/by/input"] == ["<stdin>", 3, "<module>", None, None]


def test_the_same_from_two_lines_is_two_records(a_python: str, spool: Path, tmp_path: Path) -> None:
    script = tmp_path / "twice.py"
    script.write_text("def f():\n    open('/etc/hosts')\nfor _ in range(10): f()\nopen('/etc/hosts')\n")
    armed([a_python, str(script)], spool).checked()
    found = [(r.line, r.function, r.count) for r in Kept(spool).records("open") if r.target == "/etc/hosts"]
    assert found == [(2, "f", 10), (4, "<module>", 1)]


def test_an_import_names_who_asked_for_it_first(
    a_python: str, spool: Path, tmp_path: Path, site_packages: Path
) -> None:
    script = tmp_path / "imports.py"
    script.write_text("import json\n\nimport outer\n")
    armed([a_python, str(script)], spool, PYTHONPATH=str(site_packages)).checked()
    found = {record.target: _origin(record)[1:] for record in Kept(spool).records("import")}
    assert found["outer"] == [3, "<module>", None, None]
    assert found["inner"] == [3, "<module>", "outer", None]


def test_a_cell_is_named_by_its_notebook_and_its_number(a_python: str, spool: Path, tmp_path: Path) -> None:
    # What ipykernel does: a cell's text is compiled under a name made of it, and `In` keeps the inputs.
    kernel = tmp_path / "ipykernel_launcher.py"
    kernel.write_text(
        "In = ['']\n"
        "def run(text):\n"
        "    In.append(text)\n"
        "    name = f'/tmp/ipykernel_1/{abs(hash(text))}.py'\n"
        "    exec(compile(text, name, 'exec'), globals())\n"
        'run(\'\\nopen("/in/first", "r", opener=lambda *_: 1/0)\' if False else'
        " 'def late():\\n    try: open(\"/late\")\\n    except OSError: pass\\nlate()')\n"
        "run('late()\\ntry: open(\"/second\")\\nexcept OSError: pass')\n"
    )
    notebook = str(tmp_path / "sales.ipynb")
    (tmp_path / "sales.ipynb").write_text("{}")
    armed([a_python, "-m", "ipykernel_launcher"], spool, cwd=tmp_path, JPY_SESSION_NAME=notebook).checked()
    found = {(r.target, r.count): _origin(r)[:3] for r in Kept(spool).records("open")}
    assert found["/late", 2] == [f"{notebook}[1]", 2, "late"]
    assert found["/second", 1] == [f"{notebook}[2]", 2, "<module>"]


def test_observing_does_not_keep_code_or_frames_alive(python: str, spool: Path, tmp_path: Path) -> None:
    script = tmp_path / "frees.py"
    script.write_text(
        "import gc, weakref\n"
        "class Thing: pass\n"
        "def use():\n"
        "    thing = Thing()\n"
        "    try: open('/nowhere')\n"
        "    except OSError: pass\n"
        "    return weakref.ref(thing)\n"
        "gc.disable()\n"
        "names = {}\n"
        "text = 'def made():\\n try: open(\"/x\")\\n except OSError: pass'\n"
        "exec(compile(text, '/made.py', 'exec'), names)\n"
        "names['made']()\n"
        "code = weakref.ref(names['made'].__code__)\n"
        "names.clear()\n"
        "print(use()(), code())\n"
    )
    assert armed([python, str(script)], spool).checked().stdout == b"None None\n"


def test_subinterpreters_and_threads_have_origins_of_their_own(spool: Path, tmp_path: Path) -> None:
    python = needed("3.12")
    script = tmp_path / "many.py"
    script.write_text(
        "import _xxsubinterpreters as interpreters, threading\n"
        "def work(number):\n"
        "    for turn in range(200):\n"
        "        try: open(f'/of/{number}')\n"
        "        except OSError: pass\n"
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]\n"
        "other = interpreters.create()\n"
        "threads.append(threading.Thread(target=interpreters.run_string, args=(other, '''\n"
        "for _ in range(200):\n"
        "    try: open('/of/other')\n"
        "    except OSError: pass\n"
        "''')))\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
    )
    subprocess.run(["true"], check=True)
    armed([python, str(script)], spool).checked()
    found = {
        (r.target, r.line, r.function): r.count
        for r in Kept(spool).records("open")
        if "/of/" in str(r.target)
    }
    expected = {(f"/of/{number}", 4, "work"): 200 for number in range(4)}
    assert found == {**expected, ("/of/other", 3, "<module>"): 200}
    assert os.path.exists(script)
