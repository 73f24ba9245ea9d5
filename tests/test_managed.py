"""A machine whose settings have every Python recorded: they hold whatever the environment says."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import gnomon
from gnomon import Process
from watching import BOOTSTRAP, Ended, Kept, environment

ALICE, BOB = 12345, 12346

pytestmark = pytest.mark.skipif(
    os.path.exists("/opt/gnomon/settings"), reason="this machine is managed, and its settings would hold"
)


@dataclass(frozen=True)
class Machine:
    """A managed machine, below one directory that all users can read."""

    root: Path

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def bootstrap(self) -> Path:
        return self.root / "payload/versions/x/bootstrap"

    def settings(self, *lines: str) -> None:
        (self.root / "payload/settings").write_text("\n".join([f"spool={self.spool}", *lines, ""]))

    def own(self, uid: int | None = None) -> Path:
        """The directory of a user."""
        return self.spool / str(os.geteuid() if uid is None else uid)

    def kept(self, uid: int | None = None) -> Kept:
        return Kept(self.own(uid))

    def process(self, uid: int | None = None) -> Process:
        (found,) = self.kept(uid).processes()
        return found

    def is_empty(self) -> bool:
        """Whether nobody is recorded in it."""
        return not any(Kept(own).processes() for own in self.spool.iterdir())

    def run(
        self, python: str, *argv: str | Path, user: int | None = None, umask: int = -1, **more: str
    ) -> Ended:
        """Runs a Python as its loader arms it, to its end."""
        search = os.pathsep.join(filter(None, [more.pop("FIRST", ""), str(self.bootstrap)]))
        done = subprocess.run(
            [python, *map(str, argv)],
            env=environment(PYTHONPATH=search, **more),
            capture_output=True,
            check=False,
            timeout=60,
            cwd="/",
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            umask=umask,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def denies(self, tmp_path: Path, event: str) -> Path:
        """A compiled policy."""
        written, made = tmp_path / f"{event}.toml", self.root / f"{event}.compiled"
        written.write_text(f'[[rule]]\nid = "{event}"\nevent = "{event}"\naction = "deny"\nmessage = "No."\n')
        gnomon("policy", "compile", written, "-o", made).checked()
        return made


@pytest.fixture
def machine() -> Iterator[Machine]:
    # Not below `tmp_path`, which other users may not enter.
    made = Machine(Path(tempfile.mkdtemp(prefix="gnomon-machine-")))
    made.root.chmod(0o755)
    made.bootstrap.mkdir(parents=True)
    shutil.copy(BOOTSTRAP / "sitecustomize.py", made.bootstrap)
    for library in BOOTSTRAP.parent.glob("_native*.so"):
        shutil.copy(library, made.bootstrap.parent)
    made.spool.mkdir()
    made.spool.chmod(0o3733)
    made.settings()
    try:
        yield made
    finally:
        shutil.rmtree(made.root)


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def for_all(a_python: str) -> str:
    """A Python that every user may execute."""
    as_root()
    for python in (a_python, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-S", "-c", "1"], user=ALICE, group=ALICE, cwd="/", check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("other users may not execute this Python")


def test_a_process_is_in_the_directory_of_its_user(python: str, machine: Machine) -> None:
    machine.run(python, "-c", "open('/etc/passwd').close()").checked()
    assert machine.process().managed is True
    assert "/etc/passwd" in {record.target for record in machine.kept().records("open")}
    assert machine.own().stat().st_mode & 0o7777 == 0o2750
    assert {path.stat().st_mode & 0o777 for path in machine.own().iterdir()} == {0o640}
    assert machine.kept().damage() == []


def test_it_wins_over_the_environment(a_python: str, machine: Machine, spool: Path) -> None:
    code = "import ctypes; ctypes.CDLL(None).open(b'/dev/zero', 0)"
    machine.run(a_python, "-c", code, GNOMON_SPOOL=str(spool), GNOMON_NATIVE="off").checked()
    assert not list(spool.iterdir())
    assert machine.process().native == "on"
    opened = [record for record in machine.kept().records("open") if record.target == "/dev/zero"]
    assert [record.source for record in opened] == ["native"]


def test_native_code_is_left_alone_where_it_says_so(a_python: str, machine: Machine) -> None:
    machine.settings("native=off")
    machine.run(a_python, "-c", "1", GNOMON_NATIVE="on").checked()
    assert machine.process().native == "off"


@pytest.mark.parametrize("named", ["theirs", "empty", "nowhere"])
def test_policies_of_the_environment_only_add(
    a_python: str, machine: Machine, tmp_path: Path, named: str
) -> None:
    machine.settings(f"policy={machine.denies(tmp_path, 'delete')}")
    variable = {"theirs": str(machine.denies(tmp_path, "mkdir")), "empty": "", "nowhere": "/nowhere/p"}[named]
    (tmp_path / "kept").touch()
    code = (
        "import os, sys\n"
        "for act, name in (os.remove, 'kept'), (os.mkdir, 'made'):\n"
        "    try: act(os.path.join(sys.argv[1], name))\n"
        "    except PermissionError: print(act.__name__)\n"
    )
    done = machine.run(a_python, "-c", code, tmp_path, GNOMON_POLICY=variable).checked()
    assert done.stdout == (b"remove\nmkdir\n" if named == "theirs" else b"remove\n")
    assert (tmp_path / "kept").exists()
    denied = {record.kind for record in machine.kept().records() if record.verdict == "deny"}
    assert denied == ({"delete", "mkdir"} if named == "theirs" else {"delete"})


def test_without_its_policy_nothing_starts_where_it_says_so(a_python: str, machine: Machine) -> None:
    machine.settings("policy=/nowhere/p.compiled", "policy_fail=closed")
    closed = machine.run(a_python, "-c", "print('ran')")
    assert b"ran" not in closed.stdout
    assert closed.status != 0
    machine.settings("policy=/nowhere/p.compiled")
    assert machine.run(a_python, "-c", "print('ran')").checked().stdout == b"ran\n"


def test_programs_that_are_left_alone(a_python: str, machine: Machine, tmp_path: Path) -> None:
    script, other = tmp_path / "skipped.py", tmp_path / "seen.py"
    for path in (script, other):
        path.write_text("print('ran')\n")
    for skipped in (f"{tmp_path}/skip*", str(script)):
        machine.settings(f"skip={skipped}")
        assert machine.run(a_python, script).checked().stdout == b"ran\n"
        assert machine.is_empty()
    machine.settings(f"skip={a_python}")
    assert machine.run(a_python, other).checked().stdout == b"ran\n"
    assert machine.is_empty()
    machine.settings(f"skip={script}", "skip=/nowhere*")
    machine.run(a_python, other).checked()
    assert machine.process().script_file == str(other)


def test_every_import_where_it_says_so(a_python: str, machine: Machine) -> None:
    machine.settings("imports=all")
    machine.run(a_python, "-c", "import json.tool").checked()
    assert "json.tool" in {record.target for record in machine.kept().records("import")}


def test_pseudonyms_where_it_says_so(a_python: str, machine: Machine) -> None:
    place = os.path.expanduser("~/gnomon-test-nowhere")
    code = f"try: open({place!r})\nexcept OSError: pass"
    for line, is_stored in (("privacy=1", False), ("privacy=0", True)):
        machine.settings(line)
        machine.run(a_python, "-c", code).checked()
        targets = {record.target for record in machine.kept().records("open")}
        assert (place in targets) is is_stored


@pytest.mark.parametrize("text", [b"", b"\0\xff" * 1000, b"spool=relative\n", b"x" * (1 << 20), b"=\n==\n"])
def test_settings_that_make_no_sense_are_none(
    a_python: str, machine: Machine, spool: Path, text: bytes
) -> None:
    (machine.root / "payload/settings").write_bytes(text)
    assert machine.run(a_python, "-c", "print(1)").checked() == Ended(0, b"1\n", b"")
    assert machine.run(a_python, "-c", "print(1)", GNOMON_SPOOL=str(spool)).checked().stdout == b"1\n"
    assert [process.managed for process in Kept(spool).processes()] == [False]


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "none"])
def test_settings_that_are_no_file_are_none(a_python: str, machine: Machine, kind: str) -> None:
    place = machine.root / "payload/settings"
    place.unlink()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    elif kind == "link":
        (machine.root / "real").write_text(f"spool={machine.spool}\n")
        place.symlink_to(machine.root / "real")
    assert machine.run(a_python, "-c", "print(1)").checked() == Ended(0, b"1\n", b"")
    assert machine.is_empty()


def test_settings_that_its_user_may_not_read_are_none(for_all: str, machine: Machine) -> None:
    (machine.root / "payload/settings").chmod(0o600)
    assert machine.run(for_all, "-c", "print(1)", user=ALICE).checked() == Ended(0, b"1\n", b"")
    assert machine.is_empty()


def test_each_user_has_a_directory_whatever_the_umask(for_all: str, machine: Machine) -> None:
    for user, umask in ((ALICE, 0o077), (BOB, 0o777)):
        done = machine.run(for_all, "-c", "import os; print(os.umask(0))", user=user, umask=umask)
        assert done.checked().stdout == f"{umask}\n".encode()
        own = machine.own(user)
        assert (own.stat().st_uid, own.stat().st_mode & 0o7777) == (user, 0o2750)
        assert {path.stat().st_mode & 0o777 for path in own.iterdir()} == {0o640}
        assert machine.process(user).uid == user


def test_a_process_of_many_threads_keeps_its_umask(for_all: str, machine: Machine) -> None:
    """A recording that is begun late, while another thread may be creating files."""
    code = (
        "import os, sys, threading\n"
        f"sys.path.insert(0, {str(BOOTSTRAP.parent.parent)!r})\n"
        "import gnomon\n"
        "seen, goes_on = set(), threading.Event()\n"
        "def look():\n"
        "    while not goes_on.is_set():\n"
        "        with open('/proc/self/status') as status:\n"
        "            seen.update(line for line in status if line.startswith('Umask'))\n"
        "thread = threading.Thread(target=look)\n"
        "thread.start()\n"
        f"gnomon.start({str(machine.spool)!r})\n"
        "goes_on.set(); thread.join()\n"
        "print(*seen)\n"
    )
    done = subprocess.run(
        [for_all, "-c", code],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
        cwd="/",
        user=ALICE,
        group=ALICE,
        extra_groups=[],
        umask=0o077,
    )
    assert done.stdout.split() == [b"Umask:", b"0077"], done.stderr.decode()


def test_a_name_that_is_taken(for_all: str, machine: Machine) -> None:
    machine.own(ALICE).mkdir(mode=0o700)
    os.chown(machine.own(ALICE), BOB, BOB)
    machine.run(for_all, "-c", "1", user=ALICE).checked()
    (other,) = [path for path in machine.spool.iterdir() if path.name.startswith(f"{ALICE}-")]
    assert other.stat().st_uid == ALICE
    assert len(Kept(other).processes()) == 1
    assert not list(machine.own(ALICE).iterdir())


def test_who_becomes_another_user_goes_on_in_the_others_directory(a_python: str, machine: Machine) -> None:
    as_root()
    code = (
        f"import os\nopen('/etc/passwd').close()\nos.setgid({ALICE}); os.setuid({ALICE})\n"
        "for number in range(20000):\n"
        "    try: open(f'/nowhere/{number}')\n"
        "    except OSError: pass\n"
    )
    machine.run(a_python, "-c", code).checked()
    assert "/etc/passwd" in {record.target for record in machine.kept(0).records("open")}
    assert machine.process(ALICE).uid == ALICE
    assert "/nowhere/19999" in {record.target for record in machine.kept(ALICE).records("open")}
    assert {path.stat().st_uid for path in machine.own(ALICE).iterdir()} == {ALICE}


def test_where_its_disk_has_no_room_the_program_runs(a_python: str, machine: Machine) -> None:
    machine.settings(f"reserve={1 << 60}")
    assert machine.run(a_python, "-c", "open('/etc/passwd'); print(1)").checked() == Ended(0, b"1\n", b"")
    assert not [record for own in machine.spool.iterdir() for record in Kept(own).records("open")]


def test_a_spool_that_is_not_there(a_python: str, machine: Machine) -> None:
    shutil.rmtree(machine.spool)
    assert machine.run(a_python, "-c", "print(1)").checked() == Ended(0, b"1\n", b"")


def test_of_two_copies_one_records(a_python: str, machine: Machine, spool: Path) -> None:
    # One's own copy comes first, which is no part of the installation here.
    first = str(BOOTSTRAP)
    done = machine.run(
        a_python, "-c", "open('/etc/hostname').close()", FIRST=first, GNOMON_SPOOL=str(spool)
    ).checked()
    assert done == Ended(0, b"", b"")
    (process,) = Kept(spool).processes()
    opened = [record.count for record in Kept(spool).records("open") if record.target == "/etc/hostname"]
    assert (process.managed, opened) == (False, [1])
    assert machine.is_empty()
    stood_back = [os.path.dirname(record.target or "") for record in Kept(spool).records("standby")]
    assert stood_back == [str(machine.bootstrap.parent)]


def test_who_stands_back_leaves_no_trace_but_that(python: str, machine: Machine, spool: Path) -> None:
    done = machine.run(python, "-c", "pass", FIRST=str(BOOTSTRAP), GNOMON_SPOOL=str(spool)).checked()
    assert done == Ended(0, b"", b"")
    assert list(Kept(spool).records("standby"))
    opened = {record.target for record in Kept(spool).records("open", "list")}
    assert not {path for path in opened if path and path.startswith(("/proc/", "/etc/passwd", "/etc/group"))}


def test_a_recording_of_ones_own_shares_it(a_python: str, machine: Machine) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(BOOTSTRAP.parent.parent)!r})\n"
        "import gnomon\n"
        "before = dict(os.environ)\n"
        "with gnomon.record() as recording:\n"
        "    open('/etc/hostname').close()\n"
        "    print(recording.is_shared, recording.spool, os.environ == before)\n"
        "print([one.target for one in recording.records(kinds=['open'])])\n"
        "open('/etc/passwd').close()\n"
    )
    done = machine.run(a_python, "-c", code).checked()
    assert done.stdout.decode().splitlines() == [f"True {machine.own()} True", "['/etc/hostname']"]
    assert "/etc/passwd" in {record.target for record in machine.kept().records("open")}
    assert not list(machine.kept().records("setenv"))
