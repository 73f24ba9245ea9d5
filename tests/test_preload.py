"""Strong mode: a preloaded library records a Python before it starts, and does nothing in other programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

import gnomon
from gnomon._native import preload_library
from obeying import policy
from watching import BOOTSTRAP, Ended, Kept, Process, Record, bare

PRELOAD = "libgnomon_preload.so"
MAIN = "_native.abi3.so"

pytestmark = pytest.mark.skipif(not preload_library(), reason="nothing to preload on this system")


@pytest.fixture(scope="session")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory as strong mode has it: both libraries, side by side."""
    folder = tmp_path_factory.mktemp("payload")
    return _with_libraries(folder, main=True)


def _with_libraries(folder: Path, *, main: bool) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / PRELOAD).write_bytes(preload_library())
    if main:
        library = Path(gnomon._native.__file__)  # type: ignore[attr-defined]
        (folder / MAIN).symlink_to(library.resolve())
    return folder


def strong(
    argv: Sequence[str], payload: Path, spool: Path | None, *, stdin: bytes = b"", **more: str
) -> Ended:
    """Runs `argv` to its end with the library preloaded."""
    spools = {"GNOMON_SPOOL": str(spool)} if spool else {}
    return bare(argv, stdin=stdin, LD_PRELOAD=str(payload / PRELOAD), **spools, **more)


def only(spool: Path) -> Process:
    (process,) = Kept(spool).processes()
    return process


def opens(spool: Path) -> list[Record]:
    """The opened files, of which start-up files of this machine may have been the first."""
    return list(Kept(spool).records("open"))


def own(python: str, folder: Path) -> tuple[str, Path]:
    """The Python of a new virtual environment, and its site-packages."""
    bare([python, "-m", "venv", "--without-pip", str(folder)]).checked()
    (packages,) = folder.glob("lib/python*/site-packages")
    return str(folder / "bin" / "python"), packages


def of(file: Path, records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.file == str(file)]


OPENS = "open({!r}, 'w').close()"


@pytest.mark.parametrize("flags", [(), ("-S",), ("-I",), ("-E",), ("-S", "-I", "-E")], ids=" ".join)
def test_no_flag_takes_it_away(
    python: str, flags: tuple[str, ...], payload: Path, spool: Path, tmp_path: Path
) -> None:
    argv = [python, *flags, "-c", OPENS.format(str(tmp_path / "x"))]
    strong(argv, payload, spool).checked()
    process = only(spool)
    assert (process.loaded, process.hook_proven, process.status, process.native) == ("preload", True, 0, "on")
    assert (process.lost, Kept(spool).faults()) == ({}, [])
    assert (
        process.python
        == bare([python, "-c", "import platform; print(platform.python_version())"]).stdout.decode().strip()
    )
    opened = opens(spool)[-1]
    assert (opened.target, opened.file, opened.line) == (str(tmp_path / "x"), "<string>", 1)
    assert process.script_form == "command"
    # The interpreter's own start is not what the program does.
    unwanted = {"os", "site", "codecs", "encodings", "stat", "_bootlocale"}
    assert not unwanted & {
        record.target for record in Kept(spool).records("import") if record.file is None
    } - (
        {"_bootlocale"} if "-S" in flags else set()  # 3.9 opens its first text file
    )


def test_it_is_loaded_in_other_ways(python: str, spool: Path, tmp_path: Path) -> None:
    bare([python, "-c", "pass"], PYTHONPATH=str(BOOTSTRAP), GNOMON_SPOOL=str(spool)).checked()
    code = f"import gnomon; gnomon.start({str(tmp_path / 'asked')!r})"
    bare([python, "-c", code], PYTHONPATH=str(BOOTSTRAP.parent.parent)).checked()
    assert (only(spool).loaded, only(tmp_path / "asked").loaded) == ("start", "asked")


def test_sitecustomize_finds_it_recorded(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    """The bootstrap's library is the same file by another name."""
    code = f"import _imp; {OPENS.format(str(tmp_path / 'x'))}"
    strong([python, "-c", code], payload, spool, PYTHONPATH=str(BOOTSTRAP), GNOMON_DEBUG="1").checked()
    assert only(spool).loaded == "preload"
    assert opens(spool)[-1].count == 1


def test_a_start_up_file_is_what_it_did(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    executable, packages = own(python, tmp_path / "env")
    made, seen, module = tmp_path / "made", tmp_path / "seen", tmp_path / "by module"
    seen.write_text("")
    start = packages / "attack.pth"
    start.write_text(
        "# three lines that are no code\n\n/nowhere\n"
        f"import os, subprocess; {OPENS.format(str(made))}; open({str(seen)!r}).close()\n"
        "import subprocess; subprocess.run(['true'])\n"
        "import helpful\n"
    )
    (packages / "helpful.py").write_text(OPENS.format(str(module)))
    strong([executable, "-c", "pass"], payload, spool).checked()
    process = only(spool)
    assert process.environment == str(tmp_path / "env")
    caused = of(start, list(Kept(spool).records()))
    by_line = {(record.kind, record.target): record.line for record in caused}
    assert by_line["open", str(made)] == by_line["open", str(seen)] == 4
    assert by_line["spawn", "true"] == 5
    assert by_line["import", "helpful"] == by_line["open", str(module)] == 6
    lines = {record.line: record for record in caused if record.kind == "code"}
    assert set(lines) == {4, 5, 6}
    assert {(record.target, record.detail) for record in lines.values()} == {(str(start), "exec")}
    assert len({record.sha256 for record in lines.values()}) == 3
    assert process.lost == {}


def test_entry_points_name_their_file(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    executable, packages = own(python, tmp_path / "env")
    if not hasattr_start_files(executable):
        pytest.skip("start files came with Python 3.15")
    start = packages / "tool.start"
    start.write_text("# entry points\ntool:first\ntool:second\n")
    made = [tmp_path / "one", tmp_path / "two"]
    bodies = [OPENS.format(str(path)) for path in made]
    (packages / "tool.py").write_text(f"def first(): {bodies[0]}\ndef second(): {bodies[1]}\n")
    strong([executable, "-c", "pass"], payload, spool).checked()
    caused = [record for record in of(start, list(Kept(spool).records("open")))]
    assert [(record.target, record.line, record.function) for record in caused] == [
        (str(made[0]), 2, "tool:first"),
        (str(made[1]), 3, "tool:second"),
    ]


def hasattr_start_files(python: str) -> bool:
    return bare([python, "-c", "import sys; print(sys.version_info >= (3, 15))"]).stdout.strip() == b"True"


def test_customisations_are_the_users(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"  # belongs to no distribution
    packages.mkdir()
    custom = packages / "sitecustomize.py"
    custom.write_text("import os\n" + OPENS.format(str(tmp_path / "x")))
    strong([python, "-c", "pass"], payload, spool, PYTHONPATH=str(packages)).checked()
    (opened,) = of(custom, list(Kept(spool).records("open")))
    assert (opened.target, opened.line) == (str(tmp_path / "x"), 2)
    assert "sitecustomize" in [record.target for record in Kept(spool).records("import")]


def test_a_shadowing_sitecustomize_changes_nothing(
    python: str, payload: Path, spool: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("")  # does not hand on
    search_path = os.pathsep.join([str(tmp_path), str(BOOTSTRAP)])
    strong([python, "-c", "pass"], payload, spool, PYTHONPATH=search_path).checked()
    assert only(spool).loaded == "preload"


def test_an_isolated_environment_is_recorded(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    """A `python._pth` beside the executable: neither site nor the environment count, from 3.11 on."""
    executable, _ = own(python, tmp_path / "env")
    standard = bare([python, "-c", "import os; print(os.path.dirname(os.__file__))"]).stdout.decode().strip()
    dynamic = f"{standard}/lib-dynload"
    Path(executable).with_name("python._pth").write_text(f"{standard}\n{dynamic}\n")
    strong([executable, "-c", OPENS.format(str(tmp_path / "x"))], payload, spool).checked()
    assert only(spool).loaded == "preload"
    assert opens(spool)[-1].target == str(tmp_path / "x")


def test_a_policy_stops_what_a_start_up_file_does(
    python: str, payload: Path, spool: Path, tmp_path: Path
) -> None:
    executable, packages = own(python, tmp_path / "env")
    (packages / "attack.pth").write_text(
        f"import subprocess; subprocess.run(['touch', {str(tmp_path / 'stolen')!r}])\n"
    )
    rule = '[[rule]]\nid = "no-touch"\nprogram = "touch"\naction = "deny"\n'
    done = strong(
        [executable, "-c", "print('it runs')"], payload, spool, GNOMON_POLICY=policy(rule, tmp_path)
    ).checked()
    assert done.stdout == b"it runs\n"  # site prints the error of the line, and goes on
    assert b"attack.pth" in done.stderr and b"PolicyDenied" in done.stderr
    assert not (tmp_path / "stolen").exists()
    (spawned,) = Kept(spool).records("spawn")
    assert (spawned.outcome, spawned.rule, spawned.file) == (
        "denied",
        "test/no-touch",
        str(packages / "attack.pth"),
    )


STATE = """\
import os, sys, threading
print(sorted(sys.modules), sys.path, sys.flags, sys.argv, threading.active_count())
print({name: value for name, value in os.environ.items() if not name.startswith(('LD_', 'GNOMON'))})
print([name for name in os.environ if name.startswith('GNOMON')], os.listdir('/proc/self/fd'))
print(sys.prefix, sys.exec_prefix, sys.stdout, sys.stderr, 3)
assert False, 'told on stderr'
"""


@pytest.mark.parametrize("flags", [(), ("-S",), ("-I",), ("-X", "dev"), ("-W", "error")], ids=" ".join)
def test_a_program_does_not_notice(
    python: str, flags: tuple[str, ...], payload: Path, spool: Path, tmp_path: Path
) -> None:
    argv = [python, *flags, "-c", STATE]
    preloaded = strong(argv, payload, spool)
    # What a look at the environment shows is the wish itself.
    expected = bare(argv, GNOMON_SPOOL=str(spool), LD_PRELOAD="")
    assert preloaded == expected
    assert only(spool).status == 1


def test_exit_codes_stay(a_python: str, payload: Path, tmp_path: Path) -> None:
    for code in (
        "exit(5)",
        "exit('text')",
        "import os; os._exit(7)",
        "import os; os.kill(os.getpid(), 15)",
        "if:",
    ):
        spool = tmp_path / str(abs(hash(code)))
        spool.mkdir(mode=0o700)
        argv = [a_python, "-c", code]
        assert strong(argv, payload, spool) == bare(argv)


def test_children_and_forks_are_recorded(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    code = textwrap.dedent(
        f"""
        import os, subprocess, sys
        subprocess.run([sys.executable, "-I", "-S", "-c", "print('child')"], check=True)
        subprocess.run(["sh", "-c", "true"], check=True)
        if os.fork() == 0:
            {OPENS.format(str(tmp_path / "forked"))}
            os._exit(0)
        os.wait()
        """
    )
    done = strong([python, "-c", code], payload, spool).checked()
    assert done.stdout == b"child\n" and done.stderr == bare([python, "-c", code]).stderr
    parent, *children = Kept(spool).processes()
    assert {child.parent for child in children} == {parent.id}
    assert sorted(child.forked for child in children) == [False, True]
    assert {process.loaded for process in (parent, *children)} == {"preload"}


def test_with_a_cleared_environment_nothing_is_recorded(a_python: str, payload: Path, spool: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'], env={}, check=True)"
    strong([a_python, "-c", code], payload, spool).checked()
    assert only(spool).loaded == "preload"


SYSTEM = """\
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" overlay /etc
echo "$2" > /etc/ld.so.preload
env -i GNOMON_SPOOL="$3" "$4" -S -I -c "print(1)"
env -i /bin/ls / > /dev/null
"""


def test_the_systems_preload_file_reaches_all(
    python: str, payload: Path, spool: Path, tmp_path: Path
) -> None:
    """In a view of the file system that only the test has."""
    if os.geteuid() != 0 or bare(["unshare", "--mount", "true"]).status != 0:
        pytest.skip("needs root, and mounts of its own")
    (tmp_path / "etc").mkdir()
    places = [str(tmp_path / "etc"), str(payload / PRELOAD), str(spool), python]
    done = bare(["unshare", "--mount", "sh", "-c", SYSTEM, "sh", *places])
    if b"mount: " in done.stderr:
        pytest.skip(done.stderr.decode())
    assert done == Ended(0, b"1\n", b"")
    assert only(spool).loaded == "preload"


OTHERS = {
    "true": ["true"],
    "ls": ["ls", "-la", "/"],
    "sh": ["sh", "-c", "echo $0; printf '%s' a b; exit 3"],
    "git": ["git", "--version"],
    "perl": ["perl", "-e", "print 1 + 1; exit 4"],
    "awk": ["awk", "BEGIN { print 1; exit 5 }"],
    "env": ["env", "-i", "true"],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_are_left_alone(name: str, payload: Path, spool: Path) -> None:
    argv = OTHERS[name]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not on this machine")
    assert strong(argv, payload, spool, GNOMON_DEBUG="1") == bare(argv)
    assert list(spool.iterdir()) == []


def test_it_asks_for_nothing_but_weak_symbols(payload: Path) -> None:
    """Whatever it would need, a program that has it not could not start."""
    tool = shutil.which("readelf")
    if tool is None:
        pytest.skip("readelf is not on this machine")
    listed = (
        bare([tool, "--dyn-syms", "--dynamic", "--wide", str(payload / PRELOAD)]).checked().stdout.decode()
    )
    assert "NEEDED" not in listed
    undefined = [line.split() for line in listed.splitlines() if " UND " in line and len(line.split()) > 7]
    assert {(words[4], words[7]) for words in undefined} == {
        ("WEAK", "PySys_AddAuditHook"),
        ("WEAK", "dlsym"),
    }
    assert len(preload_library()) < 16 * 1024


def _missing(folder: Path) -> str:
    return "cannot open shared object file: No such file or directory"


def _of_another_machine(folder: Path) -> str:
    head = bytearray(Path(gnomon._native.__file__).read_bytes()[:4096])  # type: ignore[attr-defined]
    head[18:20] = (0x16).to_bytes(2, "little")  # s390
    (folder / MAIN).write_bytes(head)
    return "cannot open shared object file"


def _cut(folder: Path) -> str:
    (folder / MAIN).write_bytes(b"\x7fELF")
    return "file too short"


def _text(folder: Path) -> str:
    (folder / MAIN).write_bytes(b"x" * 5000)
    return "invalid ELF header"


def _unreadable(folder: Path) -> str:
    (folder / MAIN).mkdir()
    return "cannot read file data: Is a directory"


def _of_something_else(folder: Path) -> str:
    (folder / MAIN).write_bytes(preload_library())
    return "too old"


@pytest.mark.parametrize(
    "breaking", [_missing, _of_another_machine, _cut, _text, _unreadable, _of_something_else]
)
def test_a_broken_library_stops_nothing(a_python: str, breaking, spool: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = _with_libraries(tmp_path / "payload", main=False)
    said = breaking(folder)
    argv = [a_python, "-c", STATE]
    assert strong(argv, folder, spool) == bare(argv, GNOMON_SPOOL=str(spool), LD_PRELOAD="")
    told = strong([a_python, "-c", ""], folder, spool, GNOMON_DEBUG="1").checked()
    assert told.stderr.startswith(b"gnomon: not recording: ") and said.encode() in told.stderr


def test_without_a_spool_there_is_no_hook(a_python: str, payload: Path) -> None:
    argv = [a_python, "-c", "print(1)"]
    assert strong(argv, payload, None) == bare(argv)
    told = strong(argv, payload, None, GNOMON_DEBUG="1").checked()
    assert told.stderr == b"gnomon: not recording: GNOMON_SPOOL is not set\n"


def test_a_spool_that_cannot_be_used_stops_nothing(a_python: str, payload: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    argv = [a_python, "-c", "print(1)"]
    assert strong(argv, payload, tmp_path / "file").checked().stdout == b"1\n"


EMBEDS = r"""
#include <Python.h>
int main(void) {
    for (int round = 0; round < 3; round++) {
        Py_Initialize();
        PyRun_SimpleString("import json; open('/dev/zero').close(); print('round')");
        if (Py_FinalizeEx() < 0) return 120;
    }
    return 3;
}
"""


def test_an_interpreter_may_follow_another(python: str, payload: Path, spool: Path, tmp_path: Path) -> None:
    """CPython takes hooks away with the first one; nothing breaks."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    question = (
        "import sysconfig as s; v = s.get_config_var;"
        "print(s.get_path('include'), v('LIBDIR'), v('LDVERSION'), v('Py_ENABLE_SHARED'), v('prefix'))"
    )
    include, libraries, version, shared, prefix = bare([python, "-c", question]).stdout.decode().split()
    if shared != "1" or not Path(include, "Python.h").exists():
        pytest.skip("this Python has no shared library, or no headers")
    (tmp_path / "embeds.c").write_text(EMBEDS)
    place = tmp_path / "embeds"
    subprocess.run(
        [compiler, "-o", place, tmp_path / "embeds.c", f"-I{include}", f"-L{libraries}",
         f"-Wl,-rpath,{libraries}", f"-lpython{version}"],
        check=True,
    )  # fmt: skip
    plain = bare([str(place)], PYTHONHOME=prefix)
    done = strong([str(place)], payload, spool, PYTHONHOME=prefix)
    assert (done, done.status) == (plain, 3)
    process = only(spool)
    assert (process.loaded, process.status) == ("preload", 3)
    assert [record.count for record in opens(spool) if "audit" in record.source] == [1]


def test_the_payload_has_no_other_name_for_this(payload: Path) -> None:
    assert sorted(path.name for path in payload.iterdir()) == [MAIN, PRELOAD]
    assert sys.platform == "linux"


def documented(page: str) -> str:
    """The rule about start-up files that a page of the documentation shows."""
    text = (Path(__file__).parent.parent / "docs" / page).read_text()
    (rule,) = [part for part in text.split("```toml\n")[1:] if '"**/*.pth"' in part.split("```")[0]]
    return rule.split("```")[0]


def test_a_policy_can_say_what_start_up_files_may_not(
    python: str, payload: Path, spool: Path, tmp_path: Path
) -> None:
    executable, packages = own(python, tmp_path / "env")
    act = "import os, helpful; helpful.act({!r})\n"
    (packages / "a.pth").write_text(act.format(str(tmp_path / "by a")))
    (packages / "real").write_text(act.format(str(tmp_path / "by b")))
    (packages / "b.pth").symlink_to("real")
    (packages / "c.pth").write_text(act.format(str(tmp_path / "by c")))
    # What it does by any name that it gives its code, or deep down, is still its own doing.
    (packages / "helpful.py").write_text(
        "import subprocess, sys\n"
        "def act(path, depth=150):\n"
        "    if depth: return act(path, depth - 1)\n"
        "    what = 'subprocess.run([\"touch\", %r])' % path\n"
        "    exec(compile(what, '/x/sitecustomize.py', 'exec'), {'subprocess': subprocess})\n"
    )
    (packages / "sitecustomize.py").write_text(act.format(str(tmp_path / "by sitecustomize")))
    code = act.format(str(tmp_path / "by program"))
    rule = policy(documented("startup.md"), tmp_path)
    done = strong([executable, "-c", code], payload, spool, GNOMON_POLICY=rule).checked()
    made = sorted(path.name for path in tmp_path.glob("by *"))
    assert made == ["by program", "by sitecustomize"], done.stderr.decode()
    denied = [record for record in Kept(spool).records("spawn") if record.verdict == "deny"]
    assert {os.path.basename((record.argv or [""])[-1]) for record in denied} == {"by a", "by b", "by c"}
    assert {record.rule for record in denied} == {"test/start-up-files"}
