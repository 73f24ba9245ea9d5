"""Each layout of an interpreter that can be made here: one installation for all, runs by another, no trace.

The whole story happens once, on this machine under an overlay; each test looks at its part of it.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import interpreters
from commands import gnomon
from gnomon._native import Process
from machines import PACKAGE, Machine, copied_prefix, machine, why_no_machine
from watching import Ended, Kept

REPOSITORY = PACKAGE.parent.parent
USER = 12345
SPOOL = "/var/spool/gnomon"
FLAGS = ("", "-I", "-E")
BASE = "/usr/bin/python3"

# What groupadd and dpkg-divert write anew, and where: the same but for the time. Their backups.
_REWRITTEN = ("/tmp", "/etc", "/etc/group", "/etc/gshadow", "/var/lib/dpkg", "/var/lib/dpkg/diversions")
_BACKUPS = ("/etc/group-:", "/etc/gshadow-:", "/var/lib/dpkg/diversions-old:")

_why_not = functools.cache(why_no_machine)


@dataclass(frozen=True)
class Layout:
    """A way in which an interpreter comes to a machine.

    Attributes:
        name: How the tests call it.
        python: What a user starts.
        made: The shell commands that make it, where it is not there.
        needs: A tool from the package index that they take.
        library: The directory that gets the loader, where the layout has one of its own.
        has_own: Whether a sitecustomize of its own is to run after gnomon's.
    """

    name: str
    python: str
    made: str = ""
    needs: str = ""
    library: str = ""
    has_own: bool = False


def _pyenv() -> Iterator[Layout]:
    for version in interpreters.present():
        path = str(interpreters.interpreter(version))
        if "/.pyenv/versions/" in path:
            yield Layout(f"pyenv-{version}", path, library=f"{Path(path).parent.parent}/lib/python{version}")


_VERSION = next(iter(reversed(interpreters.present())), "3.11")
_NEWEST = interpreters.interpreter(_VERSION) or BASE
_LIBRARY = f"lib/python{_VERSION}"
# What writes its name, and reads a file: a record of which shows that gnomon came before it.
_OWN = "print('own'); open('/srv/data/own').close()"

LAYOUTS = (
    Layout("debian", BASE, library="/usr/lib/python3.11"),
    *_pyenv(),
    Layout(
        "pyenv-of-a-user",
        f"/home/ann/.pyenv/versions/{_VERSION}.0/bin/python{_VERSION}",
        f"chown -R {USER}:{USER} /home/ann",
        library=f"/home/ann/.pyenv/versions/{_VERSION}.0/{_LIBRARY}",
    ),
    Layout(
        "conda",
        f"/opt/conda/bin/python{_VERSION}",
        f'mkdir /opt/conda/conda-meta; echo "{_OWN}" > /opt/conda/{_LIBRARY}/sitecustomize.py',
        library=f"/opt/conda/{_LIBRARY}",
        has_own=True,
    ),
    Layout("venv", "/srv/venv/bin/python", f"{BASE} -m venv --without-pip /srv/venv"),
    Layout(
        "venv-of-a-venv",
        "/srv/nested/bin/python",
        f"{_NEWEST} -m venv --without-pip /srv/outer;/srv/outer/bin/python -m venv --without-pip /srv/nested",
    ),
    Layout(
        "venv-with-sitecustomize",
        "/home/ann/venv/bin/python",
        f"{_NEWEST} -m venv --without-pip /home/ann/venv;"
        f'echo "{_OWN}" > /home/ann/venv/{_LIBRARY}/site-packages/sitecustomize.py;'
        f"chown -R {USER}:{USER} /home/ann/venv",
        has_own=True,
    ),
    Layout(
        "virtualenv",
        "/srv/virtualenv/bin/python",
        f"virtualenv --quiet --no-seed --python {_NEWEST} /srv/virtualenv",
        needs="virtualenv",
    ),
    Layout("uv", "/srv/uv/bin/python", f"uv venv --quiet --offline --python {_NEWEST} /srv/uv", needs="uv"),
    Layout(
        "pipx",
        "/opt/pipx/venvs/tabulate/bin/python",
        f"PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install --python {BASE} tabulate",
        needs="pipx",
    ),
)
# Copied from the newest interpreter.
_COPIES = ("/home/ann/.pyenv/versions/" + f"{_VERSION}.0", "/opt/conda")


@dataclass
class Story:
    """What happened, from a machine without gnomon to one without gnomon.

    Attributes:
        missing: Layouts that could not be made, with the reason.
        runs: How each layout's script ended, by the layout's name and the interpreter's option.
        processes: Whom they belong to, as the spool says, by process id.
        reads: What each process read, by its id in the spool.
        owners: Of the loaders, by library.
        planned, removal: What was said before installing and before taking out: states by subject.
        changed_by_plan: What differed after the first of them.
        removed: What was said to be taken out.
        left: What differs on the whole machine at the end.
    """

    missing: dict[str, str] = field(default_factory=dict)
    runs: dict[tuple[str, str], Ended] = field(default_factory=dict)
    processes: dict[int, Process] = field(default_factory=dict)
    reads: dict[str, set[str]] = field(default_factory=dict)
    owners: dict[str, set[int]] = field(default_factory=dict)
    installed: Ended = field(default_factory=lambda: Ended(-1, b"", b""))
    doctor: Ended = field(default_factory=lambda: Ended(-1, b"", b""))
    planned: dict[str, str] = field(default_factory=dict)
    changed_by_plan: list[str] = field(default_factory=list)
    removal: dict[str, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def of(self, layout: Layout) -> None:
        """Skips the test where the layout could not be made."""
        if layout.name in self.missing:
            pytest.skip(f"cannot make this layout here: {self.missing[layout.name]}")


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    if not Path("/usr/lib/python3.11/sitecustomize.py").is_symlink():
        pytest.skip("this is no Debian with its Python 3.11 and a sitecustomize")
    with machine() as found:
        yield _told(found)


def _told(computer: Machine) -> Story:
    story = Story()
    _prepare(computer)
    tools = _tools(computer)
    for layout in LAYOUTS:
        path = f"{tools}:{os.environ['PATH']}"
        made = computer.run("sh", "-euc", layout.made, PATH=path) if layout.made else None
        if layout.needs and not tools:
            story.missing[layout.name] = f"pip cannot install {layout.needs}"
        elif made and made.status:
            story.missing[layout.name] = made.stderr.decode()[-300:]
        computer.shell(f"echo data > /srv/data/{layout.name}")
        computer.path(f"/srv/{layout.name}.py").write_text(
            f"import os; open('/srv/data/{layout.name}').close(); print(os.getpid())\n"
        )
    before = computer.written()
    story.planned = _outcomes(computer.gnomon("install", "--all", "--dry-run", "--json"))
    story.changed_by_plan = computer.changes(before, timeless=_REWRITTEN)
    story.installed = computer.gnomon("install", "--all", "--yes", "--json")
    for layout in LAYOUTS:
        if layout.name not in story.missing:
            _run(computer, layout, story)
    _read(computer, story)
    story.doctor = computer.gnomon("doctor", "--json")
    story.removal = _outcomes(computer.gnomon("uninstall", "--all", "--purge", "--dry-run", "--json"))
    story.removed = _outcomes(computer.gnomon("uninstall", "--all", "--purge", "--json"))
    story.left = computer.changes(before, timeless=_REWRITTEN)
    return story


def _outcomes(done: Ended) -> dict[str, str]:
    """The state of each subject."""
    return {one["subject"]: one["state"] for one in json.loads(done.checked().stdout)["outcomes"]}


def _prepare(computer: Machine) -> None:
    # An ordinary user's home, those of root open to it, and a cron that nothing has to run.
    computer.shell(
        f"useradd --no-create-home --uid {USER} --user-group ann; mkdir -p /home/ann /srv/data /etc/cron.d;"
        "chmod 755 /root; echo data > /srv/data/own; [ -e /usr/sbin/cron ] || ln -s /bin/true /usr/sbin/cron"
    )
    for place in _COPIES:
        copied_prefix(_NEWEST, computer.path(place))


def _tools(computer: Machine) -> str:
    """Where virtualenv, uv and pipx are, if they can be had."""
    done = computer.run(
        "sh", "-euc", f"{BASE} -m venv /srv/tools; /srv/tools/bin/pip install -q virtualenv uv pipx"
    )
    return "/srv/tools/bin" if done.status == 0 else ""


def _run(computer: Machine, layout: Layout, story: Story) -> None:
    for flag in FLAGS:
        command = [layout.python, "-B", *filter(None, [flag]), f"/srv/{layout.name}.py"]
        story.runs[layout.name, flag] = computer.run(*command, user=USER)
    if layout.library:
        library = computer.path(layout.library)
        loaders = [*library.glob("*sitecustomize.py"), *library.glob("__pycache__/sitecustomize.*")]
        story.owners[layout.library] = {path.lstat().st_uid for path in loaders}


def _read(computer: Machine, story: Story) -> None:
    kept = Kept(computer.path(SPOOL))
    story.processes = {process.pid: process for process in kept.processes()}
    story.reads = {
        process.id: {target for kind, target in kept.operations(process.id) if kind == "open"}
        for process in story.processes.values()
        if process.uid == USER
    }


@pytest.mark.parametrize("flag", FLAGS, ids=("plain", "-I", "-E"))
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_run_of_another_user_is_in_the_machines_spool(story: Story, layout: Layout, flag: str) -> None:
    story.of(layout)
    done = story.runs[layout.name, flag].checked()
    assert done.stderr == b""
    *said, pid = done.stdout.decode().split()
    assert said == (["own"] if layout.has_own else [])
    process = story.processes[int(pid)]
    assert (process.uid, process.owner_uid, process.is_forged) == (USER, USER, False)
    assert process.script == f"/srv/{layout.name}.py"
    assert (process.managed, process.hook_proven) == (True, True)
    wanted = {f"/srv/data/{layout.name}", *(["/srv/data/own"] if layout.has_own else [])}
    assert wanted <= story.reads[process.id]


@pytest.mark.parametrize("layout", [one for one in LAYOUTS if one.library], ids=lambda layout: layout.name)
def test_what_is_put_into_a_library_is_its_owners(story: Story, layout: Layout) -> None:
    story.of(layout)
    owner = USER if layout.library.startswith("/home/") else 0
    assert story.owners[layout.library] == {owner}


def test_installing_covers_all_that_can_be(story: Story) -> None:
    states = _outcomes(story.installed)
    covered = {os.path.dirname(subject) for subject, state in states.items() if state == "covered"}
    assert {os.path.dirname(layout.python) for layout in LAYOUTS if layout.library} <= covered


def test_what_would_be_done_is_what_is_done(story: Story) -> None:
    assert story.changed_by_plan == []
    planned = {subject for subject, state in story.planned.items() if state.startswith("would ")}
    states = _outcomes(story.installed)
    assert planned == {subject for subject, state in states.items() if state in ("covered", "done")}
    assert set(story.removal.values()) == {"would be removed"}
    assert set(story.removed.values()) == {"removed"}
    assert list(story.removal) == list(story.removed)


def test_the_doctor_finds_nothing_wrong(story: Story) -> None:
    found = json.loads(story.doctor.checked().stdout)
    assert found["is_well"]
    (canary,) = [check for check in found["checks"] if check["name"] == "canary"]
    assert canary["state"] == "ok"
    # What runs outside of this test's machine is in another container, as seen from there.
    warnings = [check for check in found["checks"] if check["state"] == "warning"]
    assert [check for check in warnings if "in another container" not in check["fact"]] == []


def test_every_file_of_the_machine_is_as_it_was(story: Story) -> None:
    assert [change for change in story.left if not change.startswith(_BACKUPS)] == []


def test_what_the_page_on_rollout_says_works(computer: Machine) -> None:
    page = (REPOSITORY / "docs" / "rollout.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    assert [block.split()[1] for block in blocks] == ["install", "bundle"]
    command = computer.path("/usr/local/sbin/gnomon")
    command.write_text(
        f"#!/bin/sh\nPYTHONPATH='{PACKAGE.parent}' exec '{sys.executable}' -B -m gnomon \"$@\"\n"
    )
    command.chmod(0o755)
    # To compress what a debug build has to say of itself would take half a minute.
    computer.run("sh", "-euc", f"strip --strip-debug '{PACKAGE}'/_native.*.so")
    before = computer.written()
    for block in blocks:
        path = f"/usr/local/sbin:{os.environ['PATH']}"
        computer.shell(f"cd '{REPOSITORY}'; {block}", PATH=path)
    left = computer.changes(before, timeless=(*_REWRITTEN, str(REPOSITORY)))
    made = [change for change in left if not change.startswith((*_BACKUPS, f"{REPOSITORY}/dist"))]
    # Records stay, with the group that may read them.
    assert [change for change in made if not change.startswith(("/var/spool", "/etc/g"))] == []


# As for tests/chroots; another root of Debian can be named instead, and stays as it is.
_MIRROR = os.environ.get("MIRROR", "http://deb.debian.org/debian")


@pytest.fixture
def other(is_long: bool, tmp_path: Path) -> Iterator[Machine]:
    """A machine with another Debian, and its Python."""
    if not is_long:
        pytest.skip("another Debian is only made with --long")
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    root = os.environ.get("ROOT")
    if not root:
        root = str(tmp_path / "root")
        _debootstrap(root)
    with machine(root) as found:
        yield found


def _debootstrap(root: str) -> None:
    if not shutil.which("debootstrap"):
        pytest.skip("debootstrap is not here")
    included = "--include=python3,python3-venv"
    command = ["debootstrap", "--variant=minbase", included, "trixie", root, _MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"debootstrap cannot make a Debian: {done.stdout[-300:]}")


def test_another_debian_is_covered_from_a_tarball(other: Machine, tmp_path: Path) -> None:
    gnomon("bundle", "--format", "tar", "--output", tmp_path).checked()
    (tarball,) = tmp_path.glob("gnomon-*.tar.gz")
    other.run("tar", "-xz", "-C", "/opt", stdin=tarball.read_bytes()).checked()
    bundle = f"/opt/{tarball.name[: -len('.tar.gz')]}"
    pythons = other.shell("ls /usr/bin/python3.* | grep -x '/usr/bin/python3[.][0-9]*'").split()
    for python in pythons:
        other.shell(f"{python} -m venv --without-pip /srv/{Path(python).name}")
    other.path("/srv/script.py").write_text("import os; open('/etc/hostname').close(); print(os.getpid())\n")
    before = other.written()

    other.shell(f"sh {bundle}/install.sh --no-timer")
    starts = [f"/srv/{Path(python).name}/bin/python" for python in pythons]
    ran = [
        other.run(start, "-B", *filter(None, [flag]), "/srv/script.py", user=USER).checked()
        for start in starts
        for flag in FLAGS
    ]
    kept = Kept(other.path(SPOOL))
    for done in ran:
        process = kept.process(int(done.stdout))
        assert (process.uid, process.managed, process.hook_proven) == (USER, True, True)
        assert ("open", "/etc/hostname") in kept.operations(process.id)
    rollout = f"{bundle}/payload/rollout.pyz"
    doctor = other.run(pythons[0], "-I", "-B", rollout, "doctor", "--json").checked()
    assert json.loads(doctor.stdout)["is_well"]
    other.shell(f"sh {bundle}/remove.sh --purge")
    left = other.changes(before, timeless=_REWRITTEN)
    assert [change for change in left if not change.startswith(_BACKUPS)] == []
