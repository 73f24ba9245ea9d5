"""The receipt: what a recording proves, and what it could not see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gnomon as package
from commands import gnomon, run
from gnomon import _native
from gnomon.coverage import LIMITS, Blindness, unseen, version_of
from watching import Kept, armed, bare, environment, program


def _receipt(spool: Path) -> dict[str, Any]:
    done = gnomon("events", spool, "--kind", "receipt", "--format", "jsonl")
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line)["receipt"])


def _sentences(spool: Path) -> str:
    return gnomon("show", spool, COLUMNS="140").checked().stdout.decode().partition("  Coverage ")[2]


def test_where_all_is_well_it_is_one_sentence(python: str, spool: Path) -> None:
    run(spool, python, "-c", "import json").checked()
    assert _sentences(spool).strip() == (
        "complete: events and native calls were proven to arrive in the one Python, and none was lost"
    )
    receipt = _receipt(spool)
    assert receipt["is_complete"] is True
    assert (receipt["hook_proven"], receipt["hook_refused"]) == (1, [])
    assert (receipt["native_source"], receipt["unwatched"], receipt["blind"]) == ({"on": 1}, {}, [])
    assert "what native libraries do by themselves" not in receipt["never_raised"]
    assert any("accept" in one or "make to a port" in one for one in receipt["never_raised"])


def test_the_receipt_is_the_last_line_and_has_the_fields_of_a_record(spool: Path) -> None:
    run(spool, "-c", "pass").checked()
    done = gnomon("events", spool, "--format", "jsonl").checked()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] == "receipt" for line in lines] == [False] * (len(lines) - 1) + [True]
    assert list(lines[-1]) == [*package.columns(), "receipt"]
    assert sum(line["count"] for line in lines) == sum(record.count for record in Kept(spool).records())
    shown = json.loads(gnomon("show", spool, "--format", "json").checked().stdout)
    assert shown["coverage"] == lines[-1]["receipt"]
    # Who asks for some records gets those.
    for words in (
        ("--kind", "script"),
        ("--path", "x"),
        ("--host", "x"),
        ("--since", "1h"),
        ("--process", "1"),
    ):
        assert b'"receipt"' not in gnomon("events", spool, "--format", "jsonl", *words).checked().stdout
    assert b"complete" in gnomon("events", spool, "--kind", "receipt").checked().stdout


def test_each_version_says_what_it_does_not_raise(python: str) -> None:
    names = [limit.event for limit in LIMITS]
    done = bare([python, program("tells_what_is_raised.py"), *names]).checked()
    version = bare([python, "-c", "import platform; print(platform.python_version())"]).stdout.decode()
    expected = [limit.event for limit in LIMITS if version_of(version) >= version_of(limit.since)]
    assert done.stdout.decode().split() == sorted(expected)


def test_a_refused_hook_is_said(a_python: str, spool: Path, tmp_path: Path) -> None:
    # A hook that is there before ours can refuse it, which CPython keeps from us.
    (tmp_path / "refuses.py").write_text(
        "import sys\n"
        "def hook(event, args):\n"
        "    if event == 'sys.addaudithook': raise RuntimeError\n"
        "sys.addaudithook(hook)\n"
    )
    subprocess.run([a_python, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, env=environment())
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (packages / "first.pth").write_text(f"import sys; sys.path.append({str(tmp_path)!r}); import refuses\n")
    run(spool, tmp_path / "env" / "bin" / "python", "-c", "open('/dev/zero')").checked()
    (process,) = [process for process in Kept(spool).processes() if process.role == "python"]
    assert process.hook_proven is False
    assert list(Kept(spool).records("open")) == []
    assert _receipt(spool)["hook_refused"] == [process.pid]
    assert "refused" in _sentences(spool)


def _module(folder: Path, name: str) -> None:
    packages = folder / "site-packages"
    packages.mkdir(exist_ok=True)
    (packages / f"{name}.py").touch()


def test_native_libraries_are_named_with_what_they_can_do(a_python: str, spool: Path, tmp_path: Path) -> None:
    for name in ("polars", "uvloop", "harmless"):
        _module(tmp_path, name)
    code = "import polars, uvloop, harmless"
    search_path = str(tmp_path / "site-packages")
    run(spool, a_python, "-c", code, PYTHONPATH=search_path).checked()
    assert _receipt(spool)["native"] == {}  # what they do is seen
    unwatched = tmp_path / "unwatched"
    run(unwatched, a_python, "-c", code, PYTHONPATH=search_path, GNOMON_NATIVE="off").checked()
    receipt = _receipt(unwatched)
    assert receipt["native"] == {"polars": ["files", "network"], "uvloop": ["network", "programs"]}
    assert receipt["native_source"] == {"off": 1} and len(receipt["unwatched"]["off"]) == 1
    assert receipt["is_complete"] is False
    assert "what native libraries do by themselves" in receipt["never_raised"]
    said = _sentences(unwatched)
    assert "native code was not watched: switched off" in said
    assert "polars (files and network), uvloop (network and programs)" in said


def test_native_code_that_is_watched_in_some_processes_only(
    a_python: str, spool: Path, tmp_path: Path
) -> None:
    for name in ("polars", "duckdb"):
        _module(tmp_path, name)
    line = f"{a_python} -c 'import polars'; GNOMON_NATIVE=off {a_python} -c 'import duckdb'"
    run(spool, "sh", "-c", line, PYTHONPATH=str(tmp_path / "site-packages")).checked()
    receipt = _receipt(spool)
    (pid,) = receipt["unwatched"]["off"]
    assert receipt["native_source"] == {"on": 1, "off": 1}
    assert receipt["native"] == {"duckdb": ["files", "network"]}
    said = _sentences(spool)
    assert f"native code was not watched in pid {pid}: switched off" in said and "polars" not in said


def test_what_watching_native_code_closes_is_not_told_as_open(
    python: str, spool: Path, tmp_path: Path
) -> None:
    for native in ("auto", "off"):
        place = tmp_path / native
        gnomon("run", "--quiet", "--native", native, "--spool", place, python, "-c", "pass").checked()
        (not_raised,) = _receipt(place)["not_raised"].values()
        (version,) = _receipt(place)["pythons"]
        for event, since in (("_posixsubprocess.fork_exec", (3, 14)), ("http.client.send", (3, 10))):
            assert (event in not_raised) is (native == "off" and version_of(version) < since)
        assert ("ctypes.call_function" in not_raised) is (version_of(version) < (3, 14))


def test_the_option_is_stronger_than_the_environment(a_python: str, spool: Path) -> None:
    gnomon(
        "run", "--quiet", "--native", "auto", "--spool", spool, a_python, "-c", "", GNOMON_NATIVE="off"
    ).checked()
    assert _receipt(spool)["native_source"] == {"on": 1}
    done = gnomon("run", "--native", "on", a_python, "-c", "pass")
    assert done.status == 2 and b"--native" in done.stderr and b"hint: " in done.stderr


def _blind(name: str, detail: str, **more: Any) -> Any:
    known = {"time": 0, "target": name, "detail": detail, "distribution": None, "object": None}
    return SimpleNamespace(**{**known, **more})


def test_what_can_act_unseen_is_named() -> None:
    blindness = Blindness()
    for record in (
        _blind("/p/tls_client/x.so", "go", distribution="tls_client"),
        _blind(
            "/p/_polars_runtime_32/a.so", "system calls: socket connect", distribution="polars_runtime_32"
        ),
        _blind("/p/_polars_runtime_32/b.so", "system calls: openat", distribution="polars_runtime_32"),
        _blind(
            "/p/_polars_runtime_32/a.so", "system calls: socket connect", distribution="polars_runtime_32"
        ),
        _blind("/usr/lib/odd\x1b.so", "not redirected: a table ends early"),
        _blind("io_uring", "io_uring", distribution="uvloop", object="/p/uvloop/loop.so"),
    ):
        blindness.add(record)
    assert unseen(blindness.found()) == (
        "can act unseen: an io_uring set up by uvloop, "
        "odd\\x1b.so (its calls could not be redirected: a table ends early), "
        "polars (system calls of its own: socket connect openat), tls_client (Go runtime)"
    )
    assert Blindness().found() == []


def _library(path: Path, *flags: str, padding: int = 0) -> Path:
    """Builds a library that makes a system call of its own, behind so many bytes of code that do nothing."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    source = (
        f'__asm__(".section .text\\n.fill {padding}, 1, 0x90");\n'
        'long own_socket(void) { long r; __asm__ volatile("mov $41, %%eax; syscall" : "=a"(r)); return r; }\n'
    )
    path.with_suffix(".c").write_text(source)
    built = subprocess.run(
        ["cc", "-shared", "-fPIC", *flags, "-o", path, path.with_suffix(".c")], check=False
    )
    if built.returncode:
        pytest.skip("not for this processor")
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that is too large to be searched while a program waits for it."""
    return _library(tmp_path_factory.mktemp("large") / "liblarge.so", "-Wl,--build-id", padding=3 << 20)


def _blind_records(spool: Path) -> list[package.Record]:
    return [record for record in package.Spool(spool).records() if record.kind == "blind"]


def test_a_large_library_is_examined_by_who_reads(
    large: Path, a_python: str, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import ctypes, os; ctypes.CDLL({str(large)!r}); open(os.devnull)"
    for _ in range(2):
        gnomon("run", "--spool", spool, a_python, "-c", code).checked()
    records = _blind_records(spool)
    said = [record.detail or "" for record in records if record.target == str(large)]
    assert len(said) == 2 and all(one.startswith("not examined: 3 MB of code, build id ") for one in said)
    asked, of_rust = [], _native.examine

    def examine(path: str, build_id: str | None = None) -> str | None:
        asked.append(path)
        return of_rust(path, build_id)

    monkeypatch.setattr("gnomon.blindness._FOUND", {})
    monkeypatch.setattr("gnomon._native.examine", examine)
    blindness = Blindness()
    for record in records:
        blindness.add(record)
    assert asked.count(str(large)) == 1
    assert unseen(blindness.found()) == "can act unseen: liblarge.so (system calls of its own: socket)"


def test_a_large_library_that_was_replaced_since_stays_not_examined(
    large: Path, a_python: str, spool: Path, tmp_path: Path
) -> None:
    library = tmp_path / "liblarge.so"
    shutil.copy(large, library)
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).own_socket"
    gnomon("run", "--spool", spool, a_python, "-c", code).checked()
    said = "can act unseen: liblarge.so (not examined: 3 MB of code)"
    library.unlink()
    assert said in _sentences(spool)
    _library(library, "-Wl,--build-id", padding=2 << 20)
    assert said in _sentences(spool)
    library.unlink()
    shutil.copy(large, library)
    assert "can act unseen: liblarge.so (system calls of its own: socket)" in _sentences(spool)


def test_a_file_that_is_no_shared_object_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"", b"text", b"\x7fELF\x02\x01" + b"\xff" * 500):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="is no shared object"):
            _native.examine(file)
    with pytest.raises(FileNotFoundError):
        _native.examine(tmp_path / "none")


def test_a_module_with_system_calls_of_its_own_is_in_every_report(
    a_python: str, spool: Path, tmp_path: Path
) -> None:
    library = _library(tmp_path / "libblind.so")
    code = f"import ctypes; ctypes.CDLL({str(library)!r}).own_socket"
    said = "can act unseen: libblind.so (system calls of its own: socket)"
    done = gnomon("run", "--spool", spool, a_python, "-c", code, COLUMNS="140").checked()
    assert said in done.stderr.decode() and said in _sentences(spool)
    receipt = _receipt(spool)
    (blind,) = receipt["blind"]
    assert blind == {
        "name": "libblind.so",
        "paths": [str(library)],
        "reason": "system calls",
        "detail": "socket",
    }
    assert receipt["is_complete"] is False
    listed = gnomon("events", spool, "--kind", "blind").checked().stdout.decode()
    assert "[system calls: socket]" in listed
    # A part of a recording knows what was there before it.
    code += "; import gnomon\nwith gnomon.record() as one: pass\nprint(one.answer().coverage.sentences())"
    own = str(Path(package.__file__).resolve().parent.parent)
    done = run(tmp_path / "part", a_python, "-c", code, PYTHONPATH=own).checked()
    assert said in done.stdout.decode()
    compared = gnomon("diff", "spool", "part", cwd=tmp_path, COLUMNS="140").checked().stdout.decode()
    assert compared.count(f"incomplete: {said}") == 2


def test_clients_that_show_as_connections_are_named(python: str, spool: Path, tmp_path: Path) -> None:
    for name in ("httpx", "requests"):
        _module(tmp_path, name)
    # A connection that could not be made is no request that was missed.
    code = (
        "import httpx, requests, socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
        "socket.socket().connect_ex(s.getsockname())"
    )
    run(spool, python, "-c", code, PYTHONPATH=str(tmp_path / "site-packages")).checked()
    (version,) = _receipt(spool)["pythons"]
    expected = ["httpx", "requests"] if version_of(version) < (3, 10) else ["httpx"]
    assert _receipt(spool)["connections_only"] == expected
    # Loaded and not used: nothing to say.
    other = tmp_path / "other"
    run(other, python, "-c", "import httpx", PYTHONPATH=str(tmp_path / "site-packages")).checked()
    assert _receipt(other)["connections_only"] == []
    third = tmp_path / "third"
    code = "import httpx, socket; socket.socket().connect_ex(('127.0.0.1', 9))"
    run(third, python, "-c", code, PYTHONPATH=str(tmp_path / "site-packages")).checked()
    assert _receipt(third)["connections_only"] == []


def test_an_end_without_a_word_is_said(a_python: str, spool: Path) -> None:
    run(spool, "sh", "-c", f"{a_python} -c 'import os; os.kill(os.getpid(), 9)'; true").checked()
    (process,) = [process for process in Kept(spool).processes() if process.role == "python"]
    assert _receipt(spool)["unended"] == [process.pid]
    assert f"ended without a word, as a killed process does: pid {process.pid}" in _sentences(spool)


def test_what_still_runs_is_told_from_what_died(a_python: str, spool: Path) -> None:
    command = [a_python, "-c", "print('ready', flush=True); input()"]
    with subprocess.Popen(
        command,
        env={
            **environment(),
            "PYTHONPATH": str(Path(package.__file__).parent / "bootstrap"),
            "GNOMON_SPOOL": str(spool),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        receipt = _receipt(spool)
        assert (receipt["running"], receipt["unended"]) == ([child.pid], [])
        child.communicate(b"\n", timeout=60)
    assert _receipt(spool)["is_complete"] is True


def test_damage_and_loss_are_said(a_python: str, spool: Path) -> None:
    run(spool, a_python, "-c", "pass").checked()
    (spool / "foreign.gnomon").write_bytes(b"PAR1" + bytes(100))
    receipt = _receipt(spool)
    assert receipt["faults"] == [f"{spool}/foreign.gnomon:0: not a segment"]
    assert "could not be read" in _sentences(spool)
    assert receipt["is_complete"] is False


def test_nothing_recorded_is_not_complete(spool: Path) -> None:
    done = gnomon("run", "--spool", spool, "true").checked()
    assert b"nothing was recorded" in done.stderr and b"complete" not in done.stderr


def test_an_odd_event_is_a_loss_with_its_reason(a_python: str, spool: Path) -> None:
    armed([a_python, "-c", "import sys; sys.audit('os.rename', None)"], spool).checked()
    (process,) = Kept(spool).processes()
    if not process.lost:
        pytest.skip("this event is understood")
    (reason,) = process.lost
    assert _receipt(spool)["lost"] == {reason: 1}
    assert f"1 records lost: {reason}" in gnomon("show", "--all", spool).checked().stdout.decode()


def test_the_suite_is_not_recorded() -> None:
    assert "GNOMON_RUN" not in os.environ


def test_an_exec_that_failed_does_not_explain_a_missing_end(a_python: str, spool: Path) -> None:
    code = (
        "import os\n"
        "try: os.execv('/no/such', ['x'])\n"
        "except OSError: open('/dev/zero'); os.kill(os.getpid(), 9)\n"
    )
    armed([a_python, "-c", code], spool)
    (process,) = Kept(spool).processes()
    assert _receipt(spool)["unended"] == [process.pid]
