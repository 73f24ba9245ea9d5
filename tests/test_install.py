"""Installing into an interpreter, and taking it out again: what programs notice, and what is left."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import gnomon
from gnomon.rollout import covering, payload, trust
from gnomon.rollout.install import Install, Options
from gnomon.rollout.interpreters import Interpreter
from gnomon.rollout.layout import Layout
from gnomon.rollout.outcome import Outcome
from gnomon.rollout.uninstall import Uninstall
from machines import copied_prefix, differences, tree
from watching import Ended, bare

LOADER = Path(covering.__file__).with_name("loader.py")
SAYS = 'import sys; print("kept", __name__, __file__, sys.modules["sitecustomize"].__file__ == __file__)\n'
NAME = "sitecustomize.py"


class Place:
    """A copied interpreter, and a prefix of its own to install in."""

    def __init__(self, directory: Path, executable: str) -> None:
        self.python = copied_prefix(executable, directory / "python")
        self.root = directory / "root"
        self.directory = directory

    @property
    def library(self) -> Path:
        return next((self.python.parent.parent / "lib").glob("python*"))

    def tree(self) -> dict[str, tuple[object, ...]]:
        return tree(self.python.parent.parent)

    def gnomon(self, verb: str, *arguments: object) -> Ended:
        more = ("--group", "root", "--no-timer") if verb == "install" else ()
        return gnomon(verb, "--prefix", self.root, *more, *arguments)

    def install(self, *arguments: object) -> Ended:
        return self.gnomon("install", self.python, *arguments)

    def uninstall(self, *arguments: object) -> Ended:
        return self.gnomon("uninstall", "--all", "--purge", *arguments)

    def start(self, *arguments: str, **more: str) -> Ended:
        """Starts a program as without gnomon, writing no bytecode: that would be no work of ours."""
        return bare([str(self.python), "-B", *(arguments or ("-c", "print('unharmed')"))], **more)


@pytest.fixture
def place(tmp_path: Path, a_python: str) -> Place:
    return Place(tmp_path, a_python)


@pytest.fixture
def covered(place: Place) -> Place:
    place.install().checked()
    return place


def _had_nothing(place: Place) -> None:
    pass


def _had_a_file(place: Place) -> None:
    (place.library / NAME).write_text(SAYS)


def _had_a_file_and_bytecode(place: Place) -> None:
    _had_a_file(place)
    os.utime(place.library / NAME, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    subprocess.run([place.python, "-c", ""], check=True, env={"HOME": "/"}, stdout=subprocess.DEVNULL)
    (compiled,) = place.library.glob("__pycache__/sitecustomize.*.pyc")
    os.utime(compiled, (1_600_000_001, 1_600_000_001))


def _had_an_odd_file(place: Place) -> None:
    (place.library / NAME).write_bytes(b"")
    (place.library / NAME).chmod(0o604)
    if os.geteuid() == 0:
        os.chown(place.library / NAME, 0, 12345)


def _had_a_link(place: Place) -> None:
    (place.directory / "etc.py").write_text(SAYS)
    (place.library / NAME).symlink_to("../../../etc.py")


def _had_no_cache(place: Place) -> None:
    shutil.rmtree(place.library / "__pycache__", ignore_errors=True)


_BEFORE = [_had_nothing, _had_a_file, _had_a_file_and_bytecode, _had_an_odd_file, _had_a_link, _had_no_cache]


@pytest.mark.parametrize("prepare", _BEFORE)
def test_uninstall_leaves_every_file_as_it_was(place: Place, prepare: Callable[[Place], None]) -> None:
    prepare(place)
    before, said = place.tree(), place.start()

    place.install().checked()
    installed = place.start()
    place.uninstall().checked()

    assert (installed.status, installed.stdout, installed.stderr) == (0, said.stdout, b"")
    assert differences(before, place.tree()) == []
    assert not place.root.exists()


def test_no_file_is_missing_while_it_is_replaced(place: Place) -> None:
    _had_a_file(place)
    place.install().checked()
    kept = place.library / "_gnomon_kept_sitecustomize.py"
    assert kept.read_text() == SAYS
    assert (place.library / NAME).read_text().startswith("# gnomon:")


def test_what_was_there_runs_as_it_did(place: Place) -> None:
    _had_a_file_and_bytecode(place)
    alone = place.start(
        "-c", "import sys, sitecustomize as s; print(s.__spec__.name, s.__spec__.origin, s.__cached__)"
    )
    place.install().checked()
    after = place.start(
        "-c", "import sys, sitecustomize as s; print(s.__spec__.name, s.__spec__.origin, s.__cached__)"
    )
    assert after == alone
    assert f"kept sitecustomize {place.library / NAME} True".encode() in after.stdout


_RAISES = {
    "exception": "raise ValueError('x')",
    "missing": "import no_such_module",
    "own_name": "raise ImportError('odd', name='sitecustomize')",
    "exit": "raise SystemExit(3)",
    "interrupt": "raise KeyboardInterrupt",
    "syntax": "def",
    "replaced": "import sys; sys.modules['sitecustomize'] = sys",
    "removed": "import sys; del sys.modules['sitecustomize']",
}


@pytest.mark.parametrize("source", _RAISES.values(), ids=_RAISES.keys())
def test_what_was_there_fails_as_it_did(place: Place, source: str) -> None:
    (place.library / NAME).write_text(source + "\n")
    question = "import sys; print(sys.modules.get('sitecustomize'))"
    alone = place.start("-c", question)
    place.install()
    after = place.start("-c", question)
    assert (after.status, after.stdout) == (alone.status, alone.stdout)
    assert _without_frames(after.stderr) == _without_frames(alone.stderr)


def _without_frames(text: bytes) -> list[bytes]:
    """The lines of an error but for those that name where it passed through."""
    own = text.replace(b"_gnomon_kept_sitecustomize.py", b"sitecustomize.py").splitlines()
    return [line for line in own if not line.startswith(b"  ")]


def test_without_another_one_none_is_there(covered: Place) -> None:
    told = covered.start(
        "-c",
        "import sys\nprint('sitecustomize' in sys.modules)\n"
        "try: import sitecustomize\nexcept ModuleNotFoundError as error: print(error, error.name)",
    )
    assert told.checked().stdout == b"False\nNo module named 'sitecustomize' sitecustomize\n"


def test_one_that_comes_later_on_the_path_runs(covered: Place) -> None:
    later = covered.library / "site-packages" / NAME
    later.write_text(SAYS)
    assert covered.start("-c", "").checked().stdout == f"kept sitecustomize {later} True\n".encode()


def test_one_that_comes_earlier_hands_on_to_it(covered: Place, tmp_path: Path) -> None:
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / NAME).write_text(
        "import sys\nprint('early')\nsys.path.remove(__file__.rpartition('/')[0])\n"
        "del sys.modules['sitecustomize']\nimport sitecustomize\n"
    )
    (covered.library / "site-packages" / NAME).write_text("print('late')\n")
    told = covered.start("-c", "", PYTHONPATH=str(tmp_path / "early"))
    assert told.checked().stdout == b"early\nlate\n"


def test_a_finder_of_the_environment_is_asked(covered: Place) -> None:
    packages = covered.library / "site-packages"
    (packages / "finding.py").write_text(
        "import sys\nfrom importlib.util import spec_from_loader\n"
        "class Finder:\n"
        "  def find_spec(self, name, path=None, target=None):\n"
        "    if name == 'sitecustomize': return spec_from_loader(name, self)\n"
        "  def create_module(self, spec): pass\n"
        "  def exec_module(self, module): print('found', module.__name__)\n"
        "sys.meta_path.append(Finder())\n"
    )
    (packages / "finding.pth").write_text("import finding\n")
    assert covered.start("-c", "").checked().stdout == b"found sitecustomize\n"


def test_gnomon_run_on_a_covered_interpreter_says_nothing_else(covered: Place, tmp_path: Path) -> None:
    _had_a_file(covered)
    covered.install().checked()
    done = gnomon(
        "run", "--quiet", "--spool", tmp_path / "own", "--", covered.python, "-c", "print('unharmed')"
    )
    assert done.checked().stdout.endswith(b"True\nunharmed\n")
    assert done.stderr == b""


def test_the_loader_alone_changes_nothing(python: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / NAME).write_text(LOADER.read_text().replace("/opt/gnomon", str(tmp_path / "none")))
    shutil.copy(LOADER, first / NAME)
    path = f"{first}{os.pathsep}{second}"
    nothing = bare([python, "-c", "import sys; print('sitecustomize' in sys.modules)"], PYTHONPATH=path)
    assert nothing == Ended(0, b"False\n", b"")
    (second / NAME).write_text("print(__name__)\n")
    assert bare([python, "-c", ""], PYTHONPATH=path) == Ended(0, b"sitecustomize\n", b"")
    (first / "_gnomon_kept_sitecustomize.py").write_text("print('kept')\n")
    assert bare([python, "-c", ""], PYTHONPATH=path) == Ended(0, b"kept\n", b"")


def _remove_payload(root: Path) -> None:
    shutil.rmtree(root)


def _library_of(root: Path) -> Path:
    return next((root / "current").resolve().glob("_native.*"))


def _garbage(root: Path) -> None:
    _library_of(root).write_bytes(b"garbage" * 1000)


def _empty(root: Path) -> None:
    _library_of(root).write_bytes(b"")


def _cut_short(root: Path) -> None:
    os.truncate(_library_of(root), 4096)


def _wrong_processor(root: Path) -> None:
    with open(_library_of(root), "r+b") as file:
        file.seek(18)
        file.write(b"\xf3\x00")  # RISC-V


def _directory_instead(root: Path) -> None:
    library = _library_of(root)
    library.unlink()
    library.mkdir()


def _dangling(root: Path) -> None:
    (root / "current").unlink()
    (root / "current").symlink_to("versions/gone")


def _loop(root: Path) -> None:
    (root / "current").unlink()
    (root / "current").symlink_to("current")


def _settings_garbage(root: Path) -> None:
    (root / "settings").write_bytes(bytes(range(256)) * 100)


def _settings_gone(root: Path) -> None:
    (root / "settings").unlink()


def _settings_unreadable(root: Path) -> None:
    (root / "settings").unlink()
    (root / "settings").mkdir()


def _spool_gone(root: Path) -> None:
    shutil.rmtree(root / "spool")


_BROKEN = [
    _remove_payload,
    _garbage,
    _empty,
    _cut_short,
    _wrong_processor,
    _directory_instead,
    _dangling,
    _loop,
    _settings_garbage,
    _settings_gone,
    _settings_unreadable,
    _spool_gone,
]


@pytest.mark.parametrize("breaks", _BROKEN)
def test_nothing_stops_an_interpreter_from_starting(covered: Place, breaks: Callable[[Path], None]) -> None:
    _had_a_file(covered)
    covered.install().checked()
    breaks(covered.root)
    told = covered.start()
    assert told.checked().stdout == f"kept sitecustomize {covered.library / NAME} True\nunharmed\n".encode()
    assert told.stderr == b""


def test_debug_says_why_nothing_is_recorded(covered: Place) -> None:
    _garbage(covered.root)
    told = covered.start(GNOMON_DEBUG="1").checked()
    assert told.stderr.startswith(b"gnomon: not recording: ImportError(")


def test_an_odd_preloaded_library_changes_nothing(covered: Place) -> None:
    told = covered.start(LD_PRELOAD="/nonexistent.so:/etc/passwd").checked()
    assert told.stdout == b"unharmed\n"


def test_installing_again_changes_nothing(covered: Place) -> None:
    before = covered.tree()
    done = covered.install().checked()
    assert b"unchanged" in done.stdout
    assert differences(before, covered.tree()) == []


def test_a_dry_run_changes_nothing(place: Place) -> None:
    before = place.tree()
    done = place.install("--dry-run").checked()
    assert b"would be covered" in done.stdout
    assert differences(before, place.tree()) == []
    assert not place.root.exists()


def test_json_says_what_was_done(place: Place) -> None:
    told = json.loads(place.install("--json").checked().stdout)
    assert told["ok"] is True
    assert [one["subject"] for one in told["outcomes"] if one["state"] == "covered"] == [str(place.python)]


def test_an_environment_stands_for_its_base(place: Place) -> None:
    environment = place.directory / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin/python").symlink_to(place.python)
    (environment / "pyvenv.cfg").write_text(f"home = {place.python.parent}\n")
    place.gnomon("install", environment / "bin/python").checked()
    assert (place.library / NAME).exists()
    told = bare([str(environment / "bin/python"), "-c", "print('unharmed')"])
    assert told == Ended(0, b"unharmed\n", b"")


def test_what_somebody_changed_meanwhile_stays(covered: Place) -> None:
    own = covered.library / NAME
    own.write_text("print('theirs')\n")
    done = covered.uninstall().checked()
    assert b"somebody else's by now" in done.stdout
    assert own.read_text() == "print('theirs')\n"


def test_a_changed_loader_stays_and_is_told(place: Place) -> None:
    _had_a_file(place)
    place.install().checked()
    with open(place.library / NAME, "a") as file:
        file.write("print('more')\n")
    done = place.uninstall()
    assert done.status == 1
    assert b"somebody changed" in done.stdout
    assert place.start().checked().stdout.endswith(b"True\nmore\nunharmed\n")


def test_an_overwritten_loader_comes_back(covered: Place) -> None:
    before = covered.tree()
    (covered.library / NAME).write_text(SAYS)  # as Homebrew does at each upgrade
    written = covered.tree()
    covered.install().checked()
    assert (covered.library / NAME).read_text().startswith("# gnomon:")
    covered.uninstall().checked()
    left = covered.tree()
    own = [path for path in (*before, *written) if "sitecustomize" in path]
    for path in own:
        written.pop(path, None), left.pop(path, None)
    assert differences(written, left) == []
    assert (covered.library / NAME).read_text() == SAYS


def test_a_lost_ledger_is_made_up_for(place: Place) -> None:
    _had_a_file_and_bytecode(place)
    before = place.tree()
    place.install().checked()
    (place.root / "installed.json").unlink()
    place.install().checked()
    place.uninstall().checked()
    assert differences(before, place.tree()) == []


def test_one_that_is_gone_is_forgotten(covered: Place) -> None:
    shutil.rmtree(covered.python.parent.parent)
    again = Place(covered.directory / "second", sys.executable)
    done = gnomon(
        "install", "--prefix", covered.root, "--group", "root", "--no-timer", again.python
    ).checked()
    assert b"is gone" in done.stdout


def test_a_second_gnomon_stands_back(covered: Place, tmp_path: Path) -> None:
    done = gnomon("install", "--prefix", tmp_path / "other", "--group", "root", "--no-timer", covered.python)
    assert done.status == 1
    assert f"the gnomon in `{covered.root}` is in it already".encode() in done.stdout


@pytest.mark.parametrize("name", ["sitecustomize/__init__.py", "sitecustomize.so", "sitecustomize.abi3.so"])
def test_what_would_run_before_it_is_an_obstacle(place: Place, name: str) -> None:
    (place.library / name).parent.mkdir(exist_ok=True)
    (place.library / name).touch()
    done = place.install()
    assert done.status == 1
    assert b"is loaded before any sitecustomize.py" in done.stdout
    assert not (place.library / NAME).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), b"no interpreter is named"),
        (("--all", "--here"), b"no interpreter is named"),
        (("--all",), b"cannot ask"),
        (("/nonexistent",), b"it does not lead to a file"),
        (("--config", "/nonexistent.toml", sys.executable), b"there is no such file"),
    ],
)
def test_bad_usage_says_what_would_be_right(
    tmp_path: Path, arguments: tuple[str, ...], message: bytes
) -> None:
    done = gnomon("install", "--prefix", tmp_path / "root", "--group", "root", "--dry-run", *arguments)
    if arguments == ("--all",):
        done = gnomon("install", "--prefix", tmp_path / "root", "--config", "/dev/null", "--all")
    assert done.status != 0
    assert message in done.stdout + done.stderr
    assert not (tmp_path / "root").exists()


def test_a_broken_policy_fails_before_anything_is_changed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[[rule]]\nnonsense = 1\n")
    before = place.tree()
    done = place.install("--policy", tmp_path / "bad.toml")
    assert done.status == 1
    assert b"bad.toml:" in done.stderr
    assert differences(before, place.tree()) == []
    assert not place.root.exists()


# Installing that is cut short, at each of its steps.

_STEPS = (
    "mkdir",
    "link",
    "symlink",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "utime",
    "chmod",
    "fchmod",
    "fchown",
    "chown",
)


def _die_at(step: int) -> None:
    """Has this process killed at the n-th change that it makes to files."""
    left = [step]

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*arguments, **named)

        return call

    for name in _STEPS:
        setattr(os, name, counted(getattr(os, name)))


def _in_child(work: Callable[[], object], step: int) -> bool:
    """Whether `work` ended, and was not cut short at that step."""
    child = os.fork()
    if child == 0:
        _die_at(step)
        work()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0
    return status == 0


class Small:
    """An interpreter that is only a directory, with a payload of a few bytes: hundreds are installed into."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.library = directory / "lib"
        self.layout = Layout.at(str(directory / "root"))
        (self.library / "__pycache__").mkdir(parents=True)
        (self.library / NAME).write_text(SAYS)
        (self.library / "__pycache__/sitecustomize.cpython-311.pyc").write_bytes(b"original")
        (self.library / "__pycache__/os.cpython-311.pyc").write_bytes(b"other")
        files = {"_native.so": b"x", "version": b'{"version": "1"}', "loader.py": LOADER.read_bytes()}
        monkeypatch.setattr(payload, "own", lambda: files)
        monkeypatch.setattr(trust, "run", lambda program, arguments, **_: self._answer(arguments))

    def _answer(self, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        name = Path(arguments[-1]).name.replace(".py", ".cpython-311.pyc")
        compiled = name.encode() + b"\0bytecode" if "customize" in name else b""
        return subprocess.CompletedProcess(arguments, 0, compiled, b"")

    def tree(self) -> dict[str, tuple[object, ...]]:
        return tree(self.library)

    def install(self, strong: str | None = None) -> list[Outcome]:
        one = Interpreter("/usr/bin/python", version="3.11.1", library=str(self.library))
        options = Options(group="root", has_timer=False, strong=strong)
        return Install(options, layout=self.layout, find=lambda _: [one]).carry_out()

    def uninstall(self) -> list[Outcome]:
        return Uninstall(self.layout, is_purged=True).carry_out()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    os.umask(0o022)
    yield Small(tmp_path, monkeypatch)


def test_an_install_that_is_killed_is_undone(small: Small) -> None:
    before, step = small.tree(), 0
    while not _in_child(small.install, step):
        assert (small.library / NAME).read_bytes()
        small.uninstall()
        assert differences(before, small.tree()) == [], f"killed at step {step}"
        step += 1
    assert step > 20
    assert (small.library / NAME).read_text().startswith("# gnomon:")


def test_an_install_that_is_killed_is_finished(small: Small) -> None:
    before, step = small.tree(), 0
    while not _in_child(small.install, step):
        assert all(one.state in ("done", "covered", "unchanged") for one in small.install())
        assert (small.library / NAME).read_text().startswith("# gnomon:")
        small.uninstall()
        assert differences(before, small.tree()) == [], f"killed at step {step}"
        assert not Path(small.layout.root).exists()
        step += 1


def test_an_uninstall_that_is_killed_is_finished(small: Small) -> None:
    before, step = small.tree(), 0
    small.install()
    while not _in_child(small.uninstall, step):
        assert (small.library / NAME).read_bytes()
        small.uninstall()
        assert differences(before, small.tree()) == [], f"killed at step {step}"
        small.install()
        step += 1
    assert differences(before, small.tree()) == []


def test_a_full_disk_leaves_all_as_it_was(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = small.tree()

    def full(library: str, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gnomon.rollout.startup.place", full)
    outcomes = small.install()
    assert [one.state for one in outcomes if one.version] == ["failed"]
    assert differences(before, small.tree()) == []


@pytest.mark.parametrize("had", [None, b"", b"/lib/of/ours.so # why", b"/lib/of/ours.so\n"])
def test_what_every_program_preloads_comes_and_goes(small: Small, had: bytes | None) -> None:
    small.layout = dataclasses.replace(small.layout, preload=f"{small.library}.preload")
    path = Path(small.layout.preload)
    payload.own()[payload.PRELOAD] = b"library"
    if had is not None:
        path.write_bytes(had)
        path.chmod(0o640)
        os.utime(path, (1_600_000_000, 1_600_000_000))
    before, step = tree(path), 0
    while not _in_child(lambda: small.install(strong="system"), step):
        small.uninstall()
        assert differences(before, tree(path)) == [], f"killed at step {step}"
        step += 1
    line = f"{small.layout.root}/current/libgnomon_preload.so\n".encode()
    assert path.read_bytes().splitlines(keepends=True)[-1] == line
    small.uninstall()
    assert differences(before, tree(path)) == []


def test_what_others_wrote_for_every_program_stays(small: Small) -> None:
    small.layout = dataclasses.replace(small.layout, preload=f"{small.library}.preload")
    payload.own()[payload.PRELOAD] = b"library"
    small.install(strong="system")
    with open(small.layout.preload, "a") as file:
        file.write("/lib/of/theirs.so\n")
    small.uninstall()
    assert Path(small.layout.preload).read_text() == "/lib/of/theirs.so\n"


# Upgrades.


def test_an_upgrade_swaps_and_removes_what_nobody_uses(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    small.install()
    old = Path(small.layout.current).resolve()
    newer = {
        "_native.so": b"y",
        "version": b'{"version": "2"}',
        "loader.py": LOADER.read_bytes() + b"# new\n",
    }
    monkeypatch.setattr(payload, "own", lambda: newer)
    outcomes = small.install()
    assert Path(small.layout.current).resolve().name.startswith("2-")
    assert old.exists()  # one that has just looked up `current` may be about to load it
    assert [one.remarks for one in outcomes if one.version] == [("brought up to date",)]
    os.utime(old, (1, 1))
    small.install()
    assert not old.exists()


def test_a_payload_in_use_stays(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    small.install()
    old = Path(small.layout.current).resolve()
    newer = {"_native.so": b"y", "version": b'{"version": "2"}', "loader.py": LOADER.read_bytes()}
    monkeypatch.setattr(payload, "own", lambda: newer)
    small.install()
    os.utime(old, (1, 1))
    maps = f"import mmap, sys\nfile = open({str(old / '_native.so')!r}, 'rb')\n"
    maps += (
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\nprint('held', flush=True)\nsys.stdin.read()"
    )
    user = subprocess.Popen([sys.executable, "-c", maps], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert user.stdout and user.stdout.readline() == b"held\n"
    small.install()
    assert old.exists()
    user.communicate()
    small.install()
    assert not old.exists()


# Root in directories of others.

_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def others(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Small]:
    """A library that belongs to an ordinary user, where that user can reach it."""
    import tempfile

    place = Path(tempfile.mkdtemp(prefix="others-"))
    place.chmod(0o755)
    found = Small(place, monkeypatch)
    for path in (found.library, *found.library.rglob("*")):
        os.chown(path, 12345, 12345)
    yield found
    shutil.rmtree(place)


@_as_root
def test_what_belongs_to_a_user_is_written_as_that_user(others: Small) -> None:
    before = others.tree()
    others.install()
    status = (others.library / NAME).stat()
    assert (status.st_uid, status.st_gid) in ((12345, 12345), (12345, 65534))
    others.uninstall()
    assert differences(before, others.tree()) == []


@_as_root
def test_a_link_to_what_is_roots_leads_nowhere(others: Small, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    shutil.rmtree(others.library / "__pycache__")
    (others.library / "__pycache__").symlink_to(victim)
    (others.library / NAME).unlink()
    (others.library / NAME).symlink_to(victim / "file")
    before = tree(victim)
    others.install()
    others.uninstall()
    assert differences(before, tree(victim)) == []


@_as_root
def test_a_fifo_is_not_waited_for(others: Small) -> None:
    (others.library / NAME).unlink()
    os.mkfifo(others.library / NAME)
    (refused,) = [one for one in others.install() if one.version]
    assert refused.state == "failed"
    assert "neither a file nor a link" in refused.remarks[0]


@_as_root
def test_what_anybody_can_change_is_refused(others: Small) -> None:
    others.library.chmod(0o777)
    before = others.tree()
    (refused,) = [one for one in others.install() if one.version]
    assert refused.state == "failed"
    assert "more than one user can change" in refused.remarks[0]
    assert differences(before, others.tree()) == []


@_as_root
def test_a_prefix_that_others_can_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    done = gnomon("install", "--prefix", tmp_path / "open/root", sys.executable)
    assert done.status == 1
    assert b"other users can change what is there" in done.stderr


# For oneself, in one environment.


def _here(environment: Path, *arguments: object) -> Ended:
    return bare([str(environment / "bin/python"), "-B", "-m", "gnomon", *map(str, arguments)])


def test_an_environment_of_ones_own_is_recorded_and_left_as_it_was(tmp_path: Path, a_python: str) -> None:
    environment, spool = tmp_path / "environment", tmp_path / "spool"
    subprocess.run([a_python, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "package.pth").write_text(f"{Path(covering.__file__).parent.parent.parent}\n")
    about = packages / "gnomon-9.9.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gnomon\nVersion: 9.9\n")
    (about / "RECORD").write_text("gnomon-9.9.dist-info/METADATA,,\ngnomon-9.9.dist-info/RECORD,,\n")
    before = tree(environment)

    _here(environment, "install", "--here", "--spool", spool).checked()
    _here(environment, "install", "--here", "--spool", spool).checked()
    program = "import os; print(os.environ.get('GNOMON_SPOOL')); open('/etc/hostname').close()"
    told = bare([str(environment / "bin/python"), "-B", "-c", program]).checked()
    assert (told.stdout, told.stderr) == (b"None\n", b"")
    assert b"/etc/hostname" in gnomon("events", spool, "--format", "jsonl").checked().stdout
    # Nobody is warned of what runs before programs here: it belongs to a distribution, as it was installed.
    hooks = gnomon("startup", spool).checked().stdout
    assert b"gnomon 9.9" in hooks and b"high" not in hooks

    _here(environment, "uninstall", "--here").checked()
    assert differences(before, tree(environment)) == []


def test_keep_of_the_payload_keeps_its_own_installation(covered: Place) -> None:
    covered.start("-c", "open('/etc/hostname').close()").checked()
    old = covered.root / "versions" / "0.0.0-00000000"
    shutil.copytree((covered.root / "current").resolve(), old)
    os.utime(old, (1_600_000_000, 1_600_000_000))
    program = str(covered.root / "current" / "rollout.pyz")
    done = bare([str(covered.python), "-I", "-B", program, "keep", "--json"]).checked()
    kept = json.loads(done.stdout)
    assert (kept["spool"], kept["problems"]) == (str(covered.root / "spool"), [])
    assert kept["sealed"] >= 1
    assert not old.exists()
    assert (covered.root / "current" / "rollout.pyz").exists()
