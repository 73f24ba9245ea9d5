"""Interpreters and Python processes are found, and what others made cannot harm who looks."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gnomon
import interpreters
import watching
from gnomon.rollout import asking, elf, files
from gnomon.rollout.interpreters import Found, Interpreter, covered, find, search
from gnomon.rollout.places import Places
from gnomon.rollout.running import Running, running, script_of

STRANGER = 12345
SYSTEM = "/usr/bin/python3"  # whoever asks, it can be executed

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as other users")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that other users get to, as those of pytest are not."""
    path = Path(tempfile.mkdtemp(prefix="gnomon-find-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _places(tmp_path: Path, **more: object) -> Places:
    """A machine of which everything lies below `tmp_path`."""
    (tmp_path / "home/ann").mkdir(parents=True, exist_ok=True)
    return Places(str(tmp_path), (str(tmp_path / "home/ann"),), **more)  # type: ignore[arg-type]


def _by_path(found: list[Interpreter]) -> dict[str, Interpreter]:
    by_path: dict[str, Interpreter] = {}
    for one in found:
        for path in (one.executable, *one.names):
            assert path not in by_path, "an interpreter is listed once"
            by_path[path] = one
    return by_path


def _only(found: list[Interpreter]) -> Interpreter:
    (one,) = found
    return one


def _base_prefix() -> Path:
    return Path(sys.base_prefix)


def _copied(prefix: Path) -> Path:
    """The executable of an installation of its own at `prefix`: the system's Python with its library."""
    real = Path(os.path.realpath(SYSTEM))
    library = Path("/usr/lib") / real.name
    if os.path.commonpath([real, "/usr/bin"]) != "/usr/bin":
        pytest.skip(f"{SYSTEM} is no system Python")
    if not (library / "os.py").is_file():
        pytest.skip(f"{real} has no library at {library} that could be copied")
    unwanted = shutil.ignore_patterns(
        "dist-packages",
        "site-packages",
        "test",
        "idlelib",
        "lib2to3",
        "config-*",
        "__pycache__",
        "sitecustomize.py",
    )
    shutil.copytree(library, prefix / "lib" / real.name, ignore=unwanted)
    (prefix / "bin").mkdir()
    shutil.copy(real, prefix / "bin" / real.name)
    (prefix / "bin/python3").symlink_to(real.name)
    return prefix / "bin" / real.name


def _given_to(path: Path, user: int) -> None:
    for place in (path, *path.rglob("*")):
        os.chown(place, user, user, follow_symlinks=False)


def _library(executable: Path) -> Path:
    return executable.parent.parent / "lib" / executable.name


# `open` is not there yet when it runs.
_NOTES_ITS_USER = (
    "import posix; posix.close(posix.open('%s/%%d' %% posix.getuid(), posix.O_WRONLY | posix.O_CREAT))"
)


def _starting_with(executable: Path, code: str) -> None:
    """Makes the installation run `code` at each start, whatever its options are."""
    module = _library(executable) / "encodings/__init__.py"
    module.write_text(module.read_text() + f"\n{code}\n")


# Layouts


def test_a_base_is_found_once_with_the_environments_that_were_made_of_it(tmp_path: Path) -> None:
    places = _places(tmp_path)
    home = Path(places.homes[0])
    versions = home / ".pyenv/versions"
    versions.mkdir(parents=True)
    (versions / "mine").symlink_to(_base_prefix())
    python = str(versions / "mine/bin/python3")
    subprocess.run([python, "-m", "venv", "--without-pip", home / "work/plain"], check=True)
    subprocess.run(
        [home / "work/plain/bin/python", "-m", "venv", "--without-pip", home / "nested"], check=True
    )

    found = find(places=places)

    base, *environments = found
    assert base.layout == ("pyenv" if "/.pyenv/versions/" in sys.base_prefix else base.layout)
    assert not base.is_environment and base.base is None and base.obstacle is None
    assert base.version == "{}.{}.{}".format(*sys.version_info[:3])
    assert base.implementation == "cpython" and base.machine == os.uname().machine
    assert os.path.realpath(base.library) == os.path.realpath(os.path.dirname(os.__file__))
    assert base.owner == os.stat(base.library).st_uid
    assert {one.prefix for one in environments} == {str(home / "work/plain"), str(home / "nested")}
    for one in environments:
        assert one.layout == "venv" and one.is_environment and one.base == base.executable
        assert (one.library, one.version, one.suffix) == (base.library, base.version, base.suffix)
        assert all(place.startswith(one.prefix) for place in one.site) and one.site
    _by_path(found)


@pytest.mark.parametrize(("tool", "layout"), [("virtualenv", "virtualenv"), ("uv", "venv")])
def test_environments_of_other_tools_are_known(tmp_path: Path, tool: str, layout: str) -> None:
    program = shutil.which(tool, path=f"{sys.prefix}/bin:{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{tool} is not installed")
    command = [program, *(["venv"] if tool == "uv" else []), "-q", "--python", sys.executable]
    subprocess.run([*command, str(tmp_path / "made")], check=True, env=watching.environment())

    base, one = find([str(tmp_path / "made")], everywhere=False)

    assert one.layout == layout and one.base == base.executable and one.prefix == str(tmp_path / "made")
    assert one.site == (
        f"{tmp_path}/made/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages",
    )


@pytest.mark.parametrize(
    ("place", "layout"),
    [
        (".local/share/pipx/venvs/black", "pipx"),
        (".local/share/uv/tools/ruff", "uv tool"),
        (".cache/pypoetry/virtualenvs/shop-x1-py3.11", "venv"),
        (".virtualenvs/old", "venv"),
        (".local/share/hatch/env/virtual/shop/abc/shop", "venv"),
        ("a/b/c/.venv", "venv"),
    ],
)
def test_tools_keep_their_environments_in_places_of_their_own(
    tmp_path: Path, place: str, layout: str
) -> None:
    places = _places(tmp_path)
    directory = Path(places.homes[0]) / place
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)

    base, one = find(places=places)

    assert one.layout == layout and one.prefix == str(directory) and one.base == base.executable


def test_pipx_itself_is_understood(tmp_path: Path) -> None:
    program = shutil.which("pipx", path=f"{sys.prefix}/bin:{os.environ['PATH']}")
    if program is None:
        pytest.skip("pipx is not installed")
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(
        '[project]\nname = "saysnothing"\nversion = "1"\n'
        '[project.scripts]\nsaysnothing = "saysnothing:main"\n'
    )
    (package / "saysnothing.py").write_text("def main(): pass\n")
    environment = watching.environment(PIPX_HOME=str(tmp_path / "pipx"), PIPX_BIN_DIR=str(tmp_path / "bin"))
    command = [program, "install", "--python", sys.executable, str(package)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pipx cannot install here: {done.stderr[-300:]}")

    found = find(places=_places(tmp_path, environ={"PIPX_HOME": str(tmp_path / "pipx")}))

    assert ("pipx", str(tmp_path / "pipx/venvs/saysnothing")) in [(one.layout, one.prefix) for one in found]


def test_a_conda_environment_is_a_base_of_its_own(tmp_path: Path) -> None:
    places = _places(tmp_path)
    home = Path(places.homes[0])
    for place in ("miniconda3", "miniconda3/envs/money", "elsewhere/listed"):
        executable = _copied(home / place)
        (home / place / "conda-meta").mkdir()
        assert executable.exists()
    (home / ".conda").mkdir()
    (home / ".conda/environments.txt").write_text(f"{home}/elsewhere/listed\n/no/such\n")

    found = find(places=places)

    assert {one.prefix for one in found} == {
        f"{home}/miniconda3",
        f"{home}/miniconda3/envs/money",
        f"{home}/elsewhere/listed",
    }
    assert all(one.layout == "conda" and not one.is_environment and one.obstacle is None for one in found)
    assert len({one.library for one in found}) == 3


def test_the_systems_own_interpreter_is_the_distributions() -> None:
    if not os.path.exists(SYSTEM):
        pytest.skip("there is no system Python")
    one = _only(find([SYSTEM], everywhere=False))
    assert one.layout == "distribution" and one.prefix == "/usr" and os.path.isfile(f"{one.library}/os.py")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_an_interpreter_that_is_too_old_is_told(version: str) -> None:
    found = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version}")
    one = _only(find([str(found[0])], everywhere=False))
    assert one.obstacle == f"Python {version} is older than 3.9" and one.version.startswith(version)


def test_what_is_found_runs_on_every_supported_version_without_the_rest_of_gnomon() -> None:
    package = Path(gnomon.__file__).parent
    code = "import sys; sys.path.insert(0, sys.argv[1]); from rollout import interpreters, running;"
    code += "print(len(interpreters.find([sys.executable], everywhere=False)), len(running.running()) > 0)"
    for version in interpreters.present():
        done = watching.bare([interpreters.needed(version), "-c", code, str(package)]).checked()
        assert done.stdout.split() == [b"1", b"True"], version


# Obstacles


def test_a_file_that_switches_site_off_is_an_obstacle(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "v"], check=True)
    switch = tmp_path / "v/bin/python._pth"
    switch.write_text("lib\n")
    base, one = find([str(tmp_path / "v")], everywhere=False)
    assert one.obstacle == "python._pth beside it switches site off" and base.obstacle is None

    switch.write_text("lib\nimport site\n")
    assert find([str(tmp_path / "v")], everywhere=False)[1].obstacle is None


def test_a_frozen_program_is_no_interpreter(tmp_path: Path) -> None:
    program = tmp_path / "report"
    program.write_bytes(Path("/bin/true").read_bytes() + b"MEI\x0c\x0b\x0a\x0b\x0e" + bytes(80))
    program.chmod(0o755)
    one = _only(find([str(program)], everywhere=False))
    assert (one.layout, one.obstacle) == ("frozen", "frozen by PyInstaller")


def test_a_program_for_another_processor_is_not_started(tmp_path: Path) -> None:
    data = bytearray(Path("/bin/true").read_bytes())
    struct.pack_into("<H", data, 18, 243)
    program = tmp_path / "python3.12"
    program.write_bytes(data)
    program.chmod(0o755)
    one = _only(find([str(program)], everywhere=False))
    assert one.machine == "riscv64" and (one.obstacle or "").startswith("wrong processor")


def test_an_environment_whose_base_is_gone_is_told(tmp_path: Path) -> None:
    places = _places(tmp_path)
    directory = Path(places.homes[0]) / "env"
    (directory / "bin").mkdir(parents=True)
    (directory / "bin/python").symlink_to("/no/such/bin/python3.11")
    (directory / "pyvenv.cfg").write_text("home = /no/such/bin\nversion = 3.11.4\n")
    one = _only(find(places=places))
    assert one.is_environment and one.library == "" and not covered(one)
    assert one.obstacle == "could not be asked: its base interpreter is not in /no/such/bin"


def test_an_interpreter_is_covered_by_what_lies_in_its_library(tmp_path: Path) -> None:
    executable = _copied(tmp_path / "one")
    one = _only(find([str(executable)], everywhere=False))
    place = _library(executable) / "sitecustomize.py"
    assert not covered(one)
    place.write_text("# gnomon: 1\n")
    assert covered(one)
    place.write_text("# not gnomon: 1\n")
    assert not covered(one)
    place.unlink()
    os.mkfifo(place)
    assert not covered(one)


# What others made


def test_nothing_but_files_is_opened_or_executed(tmp_path: Path) -> None:
    places = _places(tmp_path)
    folder = Path(places.homes[0]) / ".pyenv/versions/3.11.7/bin"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "python3", 0o777)
    (folder / "python3.10").mkdir()
    (folder / "python3.11").symlink_to("python3.12")
    (folder / "python3.12").symlink_to("python3.11")
    (folder / "python3.13").symlink_to("/dev/zero")
    (folder / "python3.14").write_text("#!/bin/sh\nsleep 1000\n")
    (folder / "python").write_bytes(b"\x7fELF" + bytes(range(256)))
    for name in ("python", "python3.14"):
        (folder / name).chmod(0o755)
    for name, target in (("a", "/dev/zero"), ("b", "pyvenv.cfg")):
        (folder.parent.parent / name).mkdir()
        (folder.parent.parent / name / "pyvenv.cfg").symlink_to(target)
    (folder.parent.parent / "c").mkdir()
    os.mkfifo(folder.parent.parent / "c/pyvenv.cfg")

    one = _only(find(places=places))
    assert one.executable == str(folder / "python") and one.obstacle

    for name in os.listdir(folder):
        assert _only(find([str(folder / name)], everywhere=False)).obstacle, name


@as_root
def test_what_another_user_could_have_written_is_asked_as_that_user(open_path: Path) -> None:
    executable = _copied(open_path / "python")
    diary = open_path / "diary"
    diary.mkdir(mode=0o777)
    diary.chmod(0o777)
    _starting_with(executable, _NOTES_ITS_USER % diary)
    _given_to(open_path / "python", STRANGER)

    one = _only(find([str(executable)], everywhere=False))

    assert one.obstacle is None and one.owner == STRANGER and one.prefix == str(open_path / "python")
    assert os.listdir(diary) == [str(STRANGER)]
    assert {place.stat().st_gid for place in diary.iterdir()} & {0} == set()


@as_root
@pytest.mark.parametrize("change", ["bin", "python3", "above", "other's link"])
def test_one_weak_place_on_the_way_is_enough(open_path: Path, change: str) -> None:
    executable = _copied(open_path / "python")
    diary = open_path / "diary"
    diary.mkdir()
    diary.chmod(0o777)
    _starting_with(executable, _NOTES_ITS_USER % diary)
    path = executable
    if change == "bin":
        executable.parent.chmod(0o777)
    elif change == "python3":
        executable.chmod(0o777)
    elif change == "above":
        os.chown(open_path / "python", STRANGER, STRANGER)
    else:
        (open_path / "link").symlink_to(executable)
        os.chown(open_path / "link", STRANGER, STRANGER, follow_symlinks=False)
        path = open_path / "link"
    find([str(path)], everywhere=False)
    assert "0" not in os.listdir(diary)


@as_root
def test_a_library_that_others_can_write_is_never_run_as_root(open_path: Path) -> None:
    # The program itself is root's, in a place that nobody else gets to.
    open_path.chmod(0o700)
    executable = _copied(open_path / "python")
    (open_path / "diary").mkdir()
    _starting_with(executable, _NOTES_ITS_USER % (open_path / "diary"))
    assert _only(find([str(executable)], everywhere=False)).obstacle is None
    assert os.listdir(open_path / "diary") == ["0"]
    (open_path / "diary/0").unlink()

    (_library(executable) / "encodings/aliases.py").chmod(0o666)
    one = _only(find([str(executable)], everywhere=False))
    assert (one.obstacle or "").startswith("could not be asked") and not os.listdir(open_path / "diary")


@as_root
@pytest.mark.parametrize(
    "lie",
    [
        '{"library": "/etc"}',
        '{"library": "%(known)s"}',
        '{"library": "relative"}',
        '{"prefix": "/tmp/a\\u0000b"}',
        '{"prefix": "/tmp/a\\nb"}',
        '{"version": "3.11.7; rm"}',
        '{"site": 7}',
        '{"suffix": "../../x"}',
    ],
)
def test_what_a_hostile_interpreter_says_is_not_believed(open_path: Path, lie: str) -> None:
    executable = _copied(open_path / "python")
    truth = {
        **{"implementation": "cpython", "version": "3.11.7", "stage": "", "suffix": ".so", "site": []},
        **{"prefix": "/x", "base_prefix": "/x", "library": str(_library(executable))},
        **{"free_threaded": False, "debug": False},
    }
    known = os.path.dirname(os.__file__)
    said = json.dumps(
        {**truth, **json.loads(lie % {"known": known} if "%(" in lie else lie.replace("\\\\", "\\"))}
    )
    _starting_with(executable, f"import posix; posix.write(1, {said.encode()!r} + b'\\n'); posix._exit(0)")
    _given_to(open_path / "python", STRANGER)

    one = _only(find([str(executable)], everywhere=False))

    assert (one.obstacle or "").startswith("could not be asked"), one
    assert one.library == "" and one.owner == -1


@as_root
@pytest.mark.parametrize(
    "said", ["b'x' * 10_000_000", "b'['*60000 + b'\\n'", "b'\\xff\\n'", "b'\\n'", "b'null\\n'"]
)
def test_nonsense_is_bounded(open_path: Path, said: str) -> None:
    executable = _copied(open_path / "python")
    _starting_with(executable, f"import posix; posix.write(1, {said}); posix._exit(0)")
    _given_to(open_path / "python", STRANGER)
    assert (_only(find([str(executable)], everywhere=False)).obstacle or "").startswith("could not be asked")


@as_root
def test_who_lets_us_wait_is_not_asked_for_ever(open_path: Path) -> None:
    executable = _copied(open_path / "python")
    diary = open_path / "diary"
    diary.mkdir()
    diary.chmod(0o777)
    # Its child leaves the session, and keeps the pipe.
    _starting_with(
        executable,
        "import posix, time\n"
        "def note(kind):\n"
        f" name = '{diary}/%s-%d-%d' % (kind, posix.getpid(), posix.getppid())\n"
        " posix.close(posix.open(name, posix.O_WRONLY | posix.O_CREAT))\n"
        "note('asked')\n"
        "if posix.fork() == 0: posix.setsid(); note('child')\n"
        "time.sleep(300)",
    )
    _given_to(open_path / "python", STRANGER)
    asker = asking.Asker(seconds=3)
    reasons = []
    for _ in range(4):
        with pytest.raises(asking.Unanswered) as caught:
            asker.ask(str(executable))
        reasons.append(str(caught.value))
    assert reasons[:2] == ["it did not answer within 3 seconds"] * 2
    assert reasons[2:] == [f"others of user {STRANGER} took too long"] * 2
    notes = [name.split("-") for name in os.listdir(diary)]
    for kind, pid, _ in notes:
        if kind == "child":
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    # Other tests may find it running, and ask it, too.
    assert sum((kind, parent) == ("asked", str(os.getpid())) for kind, _, parent in notes) == 2


@as_root
def test_writers_are_all_who_could_change_what_a_path_leads_to(open_path: Path) -> None:
    file = open_path / "a/b"
    file.parent.mkdir()
    file.touch(0o644)
    assert files.writers(str(file)) == set()  # /tmp is everybody's, but sticky
    file.chmod(0o664)
    assert files.writers(str(file)) == files.members(0) - {0}
    os.chown(file, 0, 54321)
    assert files.ANYBODY in files.writers(str(file)), "who is in that group is not known"
    file.chmod(0o644)
    os.chown(file.parent, STRANGER, 0)
    assert files.writers(str(file)) == {STRANGER}
    (open_path / "link").symlink_to("a/../a/./b")
    assert files.writers(str(open_path / "link")) == {STRANGER}
    file.parent.chmod(0o1757)
    assert files.writers(str(file)) == {STRANGER}
    file.parent.chmod(0o757)
    assert files.writers(str(file)) == {STRANGER, files.ANYBODY}


def test_a_search_is_bounded_and_says_what_it_left_out(tmp_path: Path) -> None:
    places = _places(tmp_path, max_directories=20)
    home = Path(places.homes[0])
    for number in range(30):
        (home / f"d{number:02}").mkdir()
    found = search(places=places)
    assert found == Found([], [f"{home}, beyond its first 20 directories"])


def test_what_is_on_the_network_is_not_touched_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = _places(tmp_path)
    home = Path(places.homes[0])
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "env"], check=True)
    (tmp_path / "link").symlink_to(home)
    monkeypatch.setattr(files, "distant_mounts", functools.cache(lambda: {str(home.parent): "nfs4"}))
    assert search(places=places) == Found([], [f"{home.parent} is on a file system of type nfs4"])
    for place in (home / "env/pyvenv.cfg", tmp_path / "link/env/pyvenv.cfg"):
        assert files.resolve(str(place)) is None and files.read_regular(str(place)) is None


def test_a_search_follows_no_link_and_leaves_environments_alone(tmp_path: Path) -> None:
    places = _places(tmp_path)
    home = Path(places.homes[0])
    (home / "here").symlink_to(home)
    outside = tmp_path / "outside"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", outside / "env"], check=True)
    (home / "there").symlink_to(outside)
    assert find(places=places) == []


# Processes


@contextlib.contextmanager
def _waiting(argv: list[str], env: dict[str, str], **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """`argv`, which says that it runs and waits for its input's end."""
    process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more)  # type: ignore
    try:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


WAITS = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n"


def _process(pid: int, known: list[Interpreter] | None = None) -> Running:
    (found,) = [process for process in running(known or ()) if process.pid == pid]
    return found


@pytest.fixture
def waiter(tmp_path: Path) -> Path:
    path = tmp_path / "waiter.py"
    path.write_text(WAITS)
    return path


def test_a_recorded_process_is_known_with_its_copy_and_its_spool(
    tmp_path: Path, waiter: Path, spool: Path
) -> None:
    with _waiting(
        [sys.executable, "-u", waiter.name], watching.armed_environment(spool), cwd=tmp_path
    ) as started:
        found = _process(started.pid)
    assert found.is_recorded and found.reason is None and found.spool == str(spool)
    assert found.library == os.path.realpath(gnomon._native.__file__)
    assert found.script == str(waiter) and found.executable == os.path.realpath(sys.executable)
    assert found.uid == os.getuid() and found.argv[1:] == ("-u", waiter.name)
    assert not found.is_embedded and not found.is_elsewhere


def test_a_process_whose_segment_was_deleted_is_not_recorded(waiter: Path, spool: Path) -> None:
    with _waiting([sys.executable, str(waiter)], watching.armed_environment(spool)) as started:
        for segment in spool.glob("*.gnomon"):
            segment.unlink()
        found = _process(started.pid)
    assert not found.is_recorded and found.reason == "its segment was deleted"
    if os.geteuid() == 0:
        code = f"import os; os.chroot({str(spool)!r})\n{WAITS}"
        with _waiting([sys.executable, "-c", code], watching.armed_environment(spool)) as started:
            for segment in spool.glob("*.gnomon"):
                segment.unlink()
            found = _process(started.pid)
        assert found.reason == "its segment was deleted, in another root directory (chroot)"


def test_a_process_that_is_not_recorded_says_why(tmp_path: Path, waiter: Path) -> None:
    executable = _copied(tmp_path / "python")
    place = _library(executable) / "sitecustomize.py"
    environment = watching.environment()
    with _waiting([str(executable), str(waiter)], environment) as before:
        assert _process(before.pid).reason == "its interpreter is not covered"
        started = _process(before.pid).started
        while time.time() < started + 0.1:  # a start is told to a hundredth of a second
            place.unlink(missing_ok=True)
        place.write_text("# gnomon: a stand-in that starts nothing\n")
        assert _process(before.pid).reason == "started before the installation"
    with _waiting([str(executable), "-SX", "dev", str(waiter)], environment) as started:
        assert _process(started.pid).reason == "-S"
        assert _process(started.pid).script == str(waiter)
    with _waiting([str(executable), "-c", WAITS], environment) as started:
        assert _process(started.pid).reason == "its interpreter is covered, but gnomon did not start in it"
        assert _process(started.pid).script == "-c"
    old = sorted((Path.home() / ".pyenv/versions").glob("3.8.*/bin/python"))
    if old:
        known = find([str(old[0])], everywhere=False)
        with _waiting([str(old[0]), str(waiter)], environment) as started:
            assert _process(started.pid, known).reason == "Python 3.8 is older than 3.9"


@as_root
def test_a_process_with_another_root_directory_is_elsewhere(open_path: Path) -> None:
    code = f"import os; os.chroot({str(open_path)!r})\n{WAITS}"
    with _waiting([sys.executable, "-c", code], watching.environment()) as started:
        found = _process(started.pid)
    assert found.is_elsewhere and found.reason == "in another root directory (chroot)"


@as_root
def test_an_ordinary_user_sees_own_processes_and_is_told_of_others(open_path: Path) -> None:
    shutil.copytree(Path(gnomon.__file__).parent / "rollout", open_path / "rollout")
    code = "import sys, json; sys.path.insert(0, sys.argv[1]); from rollout.running import running;"
    code += "print(json.dumps([process.as_dict() for process in running()]))"
    with _waiting([SYSTEM, "-c", WAITS], watching.environment()) as started:
        command = [SYSTEM, "-c", code, str(open_path)]
        said = subprocess.run(
            command, capture_output=True, check=True, user=STRANGER, group=STRANGER, extra_groups=[], cwd="/"
        )
    by_pid = {process["pid"]: process for process in json.loads(said.stdout)}
    assert by_pid[started.pid]["reason"] == "cannot be looked into (not root)"
    assert by_pid[started.pid]["script"] == "-c" and by_pid[started.pid]["user"] == "root"
    (own,) = [process for process in by_pid.values() if process["argv"][-1] == str(open_path)]
    assert own["uid"] == STRANGER
    assert own["executable"] == os.path.realpath(SYSTEM) and own["reason"] == "its interpreter is not covered"


def test_a_program_with_a_python_inside_is_embedded(tmp_path: Path) -> None:
    config = f"{sys.base_prefix}/bin/python3-config"
    compiler = shutil.which("cc")
    if compiler is None or not os.path.exists(config):
        pytest.skip("there is no C compiler, or no python3-config")
    flags = subprocess.run(
        [config, "--embed", "--cflags", "--ldflags"], capture_output=True, text=True, check=True
    ).stdout.split()
    source = tmp_path / "host.c"
    source.write_text(
        "#include <Python.h>\nint main(void) { Py_Initialize(); "
        "PyRun_SimpleString(\"import sys; print('ready', flush=True); sys.stdin.read()\"); return 0; }\n"
    )
    program = tmp_path / "host"
    libraries = f"{sys.base_prefix}/lib"
    subprocess.run(
        [compiler, source, "-o", program, *flags, f"-L{libraries}", f"-Wl,-rpath,{libraries}"], check=True
    )
    places = _places(tmp_path, with_processes=True)
    with _waiting([str(program)], watching.environment()) as started:
        process = _process(started.pid)
        found = find([sys.executable], places=places)
    assert (
        process.is_embedded and process.script is None and process.reason == "its interpreter is not covered"
    )
    (one,) = [one for one in found if one.executable == str(program)]
    assert one.layout == "embedded" and one.obstacle is None
    assert os.path.realpath(one.library) == os.path.realpath(os.path.dirname(os.__file__))


def test_running_interpreters_are_found(tmp_path: Path) -> None:
    executable = _copied(tmp_path / "hidden")
    with _waiting([str(executable), "-c", WAITS], watching.environment()):
        found = find(places=_places(tmp_path / "machine", with_processes=True))
    assert str(executable) in [one.executable for one in found]


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        ("python a.py b", "a.py"),
        ("python -u -X dev -Wignore a.py", "a.py"),
        ("python -m http.server 80", "-m http.server"),
        ("python -mhttp.server", "-m http.server"),
        ("python -Bc print() a.py", "-c"),
        ("python --check-hash-based-pycs always a.py", "a.py"),
        ("python -", None),
        ("python", None),
        ("python -W", None),
    ],
)
def test_the_script_is_read_from_the_command_line(argv: str, script: str | None) -> None:
    assert script_of(tuple(argv.split())) == script


def test_an_executable_tells_what_it_is() -> None:
    facts = elf.read_elf(os.path.realpath(sys.executable))
    assert facts and facts.starts_python and facts.machine == os.uname().machine and facts.loader
    other = elf.read_elf(os.path.realpath("/bin/sh"))
    assert other and not other.starts_python
    assert elf.read_elf("/etc/passwd") is None and elf.read_elf("/dev/zero") is None


# The verb


def _gnomon(*words: str) -> watching.Ended:
    return watching.bare([sys.executable, "-m", "gnomon", "pythons", *words], COLUMNS="120").checked()


def test_the_verb_says_what_is_covered(tmp_path: Path) -> None:
    original = _copied(tmp_path / "one")
    executable = tmp_path / "py\x1b[2Jthon"
    executable.symlink_to(original)
    (_library(original) / "sitecustomize.py").write_text("# gnomon: here\n")
    lines = _gnomon(str(executable), str(tmp_path / "none")).stdout.decode().splitlines()
    assert lines[0].split() == ["interpreter", "version", "layout", "environments", "gnomon"]
    assert "\\x1b[2J" in lines[1] and "\x1b" not in lines[1] and lines[1].endswith(" covered")
    assert lines[2].endswith("could not be asked: it does not lead to a file")

    (said,) = json.loads(_gnomon(str(executable), "--json").stdout)["interpreters"]
    assert said["covered"] is True and said["executable"] == str(executable)
    assert said["is_environment"] is False and said["library"] == str(_library(original))


def test_the_verb_lists_processes(waiter: Path, spool: Path) -> None:
    with _waiting([sys.executable, str(waiter)], watching.armed_environment(spool)) as started:
        listed = json.loads(_gnomon("--running", "--json").stdout)
        text = _gnomon("--running").stdout.decode()
    (said,) = [process for process in listed if process["pid"] == started.pid]
    assert said["is_recorded"] and said["spool"] == str(spool) and said["script"] == str(waiter)
    (line,) = [line for line in text.splitlines() if line.startswith(f"{started.pid} ")]
    assert line.endswith(f"recorded into {spool}")


def test_modes_are_kept(tmp_path: Path) -> None:
    executable = _copied(tmp_path / "one")
    before = {
        str(place): (os.lstat(place).st_mtime_ns, os.lstat(place).st_mode) for place in tmp_path.rglob("*")
    }
    assert stat.S_ISREG(executable.stat().st_mode)
    find([str(executable)], everywhere=False)
    after = {
        str(place): (os.lstat(place).st_mtime_ns, os.lstat(place).st_mode) for place in tmp_path.rglob("*")
    }
    assert after == before, "asking leaves nothing behind"
