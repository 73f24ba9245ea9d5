"""`gnomon run`: the program runs as without it, and all its Python descendants are recorded."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

from commands import events, gnomon, run
from watching import PROGRAMS, Kept, bare, environment, program


def _forms(folder: Path) -> dict[str, list[str]]:
    """The same program in every form that Python runs."""
    source = (PROGRAMS / "tells_about_itself.py").read_text()
    (folder / "script.py").write_text(source)
    (folder / "directory").mkdir()
    (folder / "directory" / "__main__.py").write_text(source)
    zipapp.create_archive(folder / "directory", folder / "archive.pyz")
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").touch()
    (folder / "package" / "__main__.py").write_text(source)
    return {
        "file": ["script.py", "3", "--spool", "x"],
        "absolute": [str(folder / "script.py"), "0"],
        "module": ["-m", "script", "4"],
        "package": ["-m", "package", "-c", "5"][:2],
        "command": ["-c", source.replace("__main__.__file__", "0"), "6"],
        "directory": ["directory", "7"],
        "archive": ["archive.pyz", "8"],
        "options": ["-B", "-W", "error", "script.py", "9"],
    }


@pytest.mark.parametrize(
    "form", ["file", "absolute", "module", "package", "command", "directory", "archive", "options"]
)
def test_a_program_runs_as_without_gnomon(form: str, spool: Path, tmp_path: Path) -> None:
    arguments = _forms(tmp_path)[form]
    alone = bare([sys.executable, *arguments], cwd=tmp_path, stdin=b"a line\n")
    watched = run(spool, *arguments, cwd=tmp_path, stdin=b"a line\n")
    assert watched == alone
    scripts = events(spool, "--kind", "script")
    assert len(scripts) == 1


def test_a_traceback_has_no_frame_of_ours(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("def f():\n    open('/does/not/exist')\nf()\n")
    assert run(spool, "fails.py", cwd=tmp_path) == bare([sys.executable, "fails.py"], cwd=tmp_path)


def test_any_command_runs_and_its_descendants_are_recorded(python: str, spool: Path, tmp_path: Path) -> None:
    run(
        spool, "bash", "-c", '"$@"', "x", python, program("starts_children.py"), python, cwd=tmp_path
    ).checked()
    kept = Kept(spool)
    written = {Path(record.target).name for record in kept.records("open") if record.target}
    assert {"child-subprocess", "child-system", "child-shell", "child-posix_spawn"} <= written
    processes = kept.processes()
    (top,) = [process for process in processes if process.role == "run"]
    (parent,) = [process for process in processes if process.script_form == "file"]
    children = [process for process in processes if process.script_form == "command"]
    assert len(children) == 4
    assert parent.parent == top.id
    for child in children:
        assert child.parent == parent.id  # also by way of a shell
        assert child.run == top.id
        assert child.status == 0


def test_a_copied_environment_does_not_confuse_descent(python: str, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "chain.py").write_text(
        "import os, subprocess, sys\n"
        "left = int(sys.argv[1])\n"
        "again = [sys.executable, __file__, str(left - 1)]\n"
        "if left: subprocess.run(again, env=dict(os.environ), check=True)\n"
        "else: os.execv(sys.executable, [sys.executable, '-c', 'pass'])\n"
    )
    run(spool, python, tmp_path / "chain.py", "2").checked()
    processes = Kept(spool).processes()
    assert len(processes) == 5
    assert [process.parent for process in processes] == [None, *(process.id for process in processes[:-1])]


def test_a_very_long_command_line_is_kept_in_part(a_python: str, spool: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass', *sys.argv[1:]], check=True)"
    run(spool, a_python, "-c", code, *["x" * 2000] * 300).checked()
    kept = Kept(spool)
    assert kept.lost() == {} and kept.faults() == []
    (spawn,) = kept.records("spawn")
    for argv in (spawn.argv or [], *(process.argv for process in kept.processes())):
        assert argv.count("x" * 2000) > 5
        assert argv[-1] == "…"


def test_a_virtual_environment_is_recorded_and_named(a_python: str, spool: Path, tmp_path: Path) -> None:
    subprocess.run([a_python, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, env=environment())
    run(spool, tmp_path / "env" / "bin" / "python", "-c", "pass").checked()
    (process,) = [process for process in Kept(spool).processes() if process.role == "python"]
    assert process.environment == str(tmp_path / "env")


def _started(spool: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gnomon", "run", "--quiet", "--spool", str(spool), "--"]
    child = subprocess.Popen(
        [*command, program("is_signalled.py"), *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"])
def test_a_signal_that_is_caught_reaches_the_program_once(name: str, spool: Path) -> None:
    child = _started(spool, name)
    child.send_signal(getattr(signal, name))
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (7, f"caught {name}\n".encode(), b"")


def test_ctrl_c_on_a_terminal_reaches_the_program_once(spool: Path) -> None:
    command = [sys.executable, "-m", "gnomon", "run", "--quiet", "--spool", str(spool), "--"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], [*command, program("is_signalled.py"), "SIGINT"], environment())
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    said += os.read(terminal, 1024)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 7
    assert said.count(b"caught SIGINT") == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGUSR1"])
def test_a_deadly_signal_ends_gnomon_the_same_way(name: str, spool: Path) -> None:
    child = _started(spool)
    (python,) = [process for process in Kept(spool).processes() if process.role == "python"]
    os.kill(python.pid, getattr(signal, name))
    child.communicate(timeout=60)
    assert child.returncode == -getattr(signal, name)
    (ended,) = Kept(spool).records("exit")
    assert (ended.child, ended.status) == (python.pid, -getattr(signal, name))


def test_a_program_that_is_not_there_is_an_error_with_a_hint(spool: Path) -> None:
    for words, code in ((("no-such-program",), 127), (("missing.py",), 1), ((), 2)):
        done = run(spool, *words)
        assert done.status == code
        assert done.stderr.startswith(b"error: ") and b"\nhint: " in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_directory_of_the_same_name_does_not_hide_a_command(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "true").mkdir()
    assert gnomon("run", "--spool", str(spool), "true", cwd=tmp_path).status == 0
    program = tmp_path / "program"
    program.mkdir()
    (program / "__main__.py").write_text("print('ran')")
    assert gnomon("run", "--spool", str(spool), "program", cwd=tmp_path).stdout == b"ran\n"


def test_an_unknown_option_is_an_error_and_not_a_program() -> None:
    done = gnomon("run", "--quite", "script.py")
    assert done.status == 2
    assert b"--quite" in done.stderr


def test_without_a_spool_the_program_runs_and_we_say_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    done = gnomon("run", "--spool", blocked / "spool", "-c", "print('done'); raise SystemExit(5)")
    assert (done.status, done.stdout) == (5, b"done\n")
    assert done.stderr.startswith(b"warning: nothing is recorded") and b"hint:" in done.stderr


def test_the_answer_goes_to_stderr_and_json_has_the_same_facts(spool: Path, tmp_path: Path) -> None:
    code = "open('out.txt', 'w').write('x'); import subprocess; subprocess.run(['true'])"
    text = gnomon("run", "--spool", spool, "-c", code, cwd=tmp_path).checked()
    assert text.stdout == b""
    for expected in (b"out.txt", b"exit code 0", b"Started    true", b"sha256"):
        assert expected in text.stderr
    done = gnomon("run", "--format", "json", "--spool", spool, "-c", code, cwd=tmp_path).checked()
    answer = json.loads(done.stderr)
    assert [use["path"] for use in answer["files"]] == [str(tmp_path / "out.txt")]
    assert answer["started"][0]["argv"] == ["true"]
    assert answer["status"] == 0
    assert "subprocess" in answer["standard_modules"]


def test_segments_of_ended_processes_give_back_what_they_do_not_use(spool: Path) -> None:
    run(spool, "-c", "pass").checked()
    sizes = [path.stat().st_size for path in spool.iterdir()]
    assert max(sizes) < 16 * 1024
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in spool.iterdir())


def test_every_module_is_listed_when_asked_for(spool: Path) -> None:
    gnomon("run", "--quiet", "--imports", "all", "--spool", spool, "-c", "import json").checked()
    names = {event["target"] for event in events(spool, "--kind", "import")}
    assert {"json", "json.decoder"} <= names


# The sitecustomize of others.


def _customizer(folder: Path, name: str, *, hands_on: bool) -> Path:
    """A directory with a sitecustomize that says its name, and as ddtrace's may import the next one."""
    place = folder / name
    place.mkdir()
    source = f"import sys\nsys.stderr.write('{name} ')\n"
    if hands_on:
        source += f"sys.path.remove({str(place)!r})\ndel sys.modules['sitecustomize']\nimport sitecustomize\n"
    (place / "sitecustomize.py").write_text(source)
    return place


def test_the_next_sitecustomize_runs_once(python: str, spool: Path, tmp_path: Path) -> None:
    place = _customizer(tmp_path, "debian", hands_on=False)
    code = "import sys, sitecustomize; print(sitecustomize.__file__)"
    done = run(spool, python, "-c", code, PYTHONPATH=str(place)).checked()
    assert done.stderr == b"debian debian "  # gnomon's own interpreter has it too
    assert done.stdout.decode().strip() == str(place / "sitecustomize.py")
    assert len(Kept(spool).processes()) == 2


def test_without_another_sitecustomize_it_is_as_bare(python: str, spool: Path) -> None:
    # Debian's own Pythons come with one.
    code = "import sys; print('sitecustomize' in sys.modules); import sitecustomize"
    assert run(spool, python, "-c", code) == bare([python, "-c", code])


def test_the_next_sitecustomize_runs_where_imports_are_lazy(python: str, spool: Path, tmp_path: Path) -> None:
    subprocess.run([python, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, env=environment())
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    lazy = "import sys; getattr(sys, 'set_lazy_imports', id)('all')\n"  # since 3.15
    (packages / "lazy.pth").write_text(lazy)
    place = _customizer(tmp_path, "debian", hands_on=False)
    done = run(spool, tmp_path / "env" / "bin" / "python", "-c", "pass", PYTHONPATH=str(place)).checked()
    assert done.stderr == b"debian debian "  # gnomon's own interpreter has it too


def test_launchers_that_put_theirs_first_do_not_hide_us(python: str, spool: Path, tmp_path: Path) -> None:
    for name, hands_on in (("ddtrace", True), ("opentelemetry", False)):
        place = _customizer(tmp_path, name, hands_on=hands_on)
        launcher = tmp_path / f"{name}.py"
        launcher.write_text(
            "import os, sys\n"
            f"os.environ['PYTHONPATH'] = {str(place)!r} + os.pathsep + os.environ['PYTHONPATH']\n"
            "os.execl(sys.executable, sys.executable, '-c', 'open(\"seen\", \"w\").close()')\n"
        )
        own = tmp_path / f"spool-{name}"
        done = run(own, python, launcher, cwd=tmp_path).checked()
        assert done.stderr.decode() == f"{name} "
        assert [record.target for record in Kept(own).records("open")][-1] == str(tmp_path / "seen")


def test_a_segment_that_is_just_being_made_does_not_stop_the_run(spool: Path) -> None:
    """As a child's that outlives the run, by a moment or for good."""
    unbegun = spool / f"{'f' * 32}-0000.gnomon"
    unbegun.write_bytes(bytes(4096))
    assert gnomon("run", "--spool", spool, "-c", "raise SystemExit(3)").status == 3
    assert unbegun.read_bytes() == bytes(4096)


def test_running_the_bootstrap_twice_records_once(python: str, spool: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "place = os.environ['PYTHONPATH'].split(os.pathsep)[0]\n"
        "for _ in range(2):\n"
        "    sys.path.insert(0, place)\n"
        "    try: import sitecustomize\n"
        "    except ImportError: pass\n"
        "open('once', 'w')\n"
    )
    run(spool, python, "-c", code, cwd=tmp_path).checked()
    assert [
        record.count for record in Kept(spool).records("open") if record.target == f"{tmp_path}/once"
    ] == [1]
    assert len([process for process in Kept(spool).processes() if process.role == "python"]) == 1


@pytest.mark.parametrize("old", ["2.7", "3.6", "3.7", "3.8"])
def test_an_older_python_runs_unharmed(old: str, spool: Path) -> None:
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{old}.*/bin/python"))
    if not found:
        pytest.skip(f"Python {old} is not on this machine")
    code = "import sys; print(sys.version_info[:2])"
    done = run(spool, found[0], "-c", code)
    assert done == bare([str(found[0]), "-c", code])
