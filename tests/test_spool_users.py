"""A spool of many users, as an attacker meets it: read, delete, forge, flood, block another's segments.

Users are numbers that no account has. What they do they do in processes of theirs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gnomon._native import Process, Spool
from gnomon.integrity import missing, verified
from gnomon.rollout import amounts, seals
from gnomon.rollout import keep as keeping
from gnomon.rollout.keep import keep
from watching import BOOTSTRAP, armed_environment, environment

VICTIM, ATTACKER = 41_001, 41_002
SECONDS = 60
DAY = 86400 * 10**9


def _runs(python: str) -> bool:
    """Whether another user can run it, with gnomon."""
    try:
        done = subprocess.run(
            [python, "-c", "import gnomon._native"],
            env=environment(PYTHONPATH=PACKAGES),
            user=VICTIM,
            group=VICTIM,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


PACKAGES = str(BOOTSTRAP.parent.parent)
# That of the suite may lie in a home that others may not enter.
PYTHON = next(filter(_runs, (sys.executable, "/usr/bin/python3")), "") if os.geteuid() == 0 else ""
_REASON = "needs root, to become other users" if os.geteuid() else "no Python that another user can run"
pytestmark = pytest.mark.skipif(not PYTHON, reason=_REASON)


@dataclass
class Shared:
    """A spool like the one that installing makes."""

    top: Path

    def folder(self, uid: int, name: str | None = None) -> Path:
        """A user's directory, as the user's first process makes it."""
        path = self.top / (name or str(uid))
        if not path.exists():
            act(uid, "import os, sys; os.mkdir(sys.argv[1], 0o750); os.chmod(sys.argv[1], 0o2750)", path)
        return path

    def record(
        self, uid: int, code: str = "open('/etc/hostname')", name: str | None = None, **more: str
    ) -> Path:
        """Lets a user's program be recorded, and gives its first segment."""
        folder = self.folder(uid, name)
        before = set(folder.glob("*-0000.gnomon"))
        done = subprocess.run(
            [PYTHON, "-c", code],
            env=armed_environment(folder, GNOMON_DEBUG="1", **more),
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        (made,) = [
            path
            for path in folder.glob("*-0000.gnomon")
            if path not in before and "distributions" not in path.name
        ]
        return made

    def processes(self) -> list[Process]:
        return Spool(self.top).processes()[0]

    def findings(self) -> dict[str, str]:
        """What `gnomon verify` finds: kinds by name."""
        found = verified(str(self.top), Spool(self.top).verify())
        return {os.path.relpath(one.path, self.top): one.kind for one in found}

    def evictions(self) -> list[tuple[str, str, int]]:
        """Directory, reason and count of what is recorded as removed."""
        records = Spool(self.top, kinds=["evict"]).records()
        return sorted((Path(one.target or "").name, one.detail or "", one.count) for one in records)


@pytest.fixture
def shared() -> Iterator[Shared]:
    # Not below pytest's own directory, which others may not enter.
    top = Path(tempfile.mkdtemp(prefix="gnomon-users-", dir="/tmp"))
    os.chmod(top, 0o3733)
    yield Shared(top)
    shutil.rmtree(top)


def act(uid: int, code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs Python as a user; that it fails is an answer too."""
    return subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, *map(str, arguments)],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def forged(segment: bytes, process: uuid.UUID) -> bytes:
    """The same segment as if another process had written it."""
    header = bytearray(segment[:60])
    header[16:32] = process.bytes
    header[56:60] = zlib.crc32(bytes(header[:56])).to_bytes(4, "little")
    return bytes(header) + segment[60:]


def plant(uid: int, path: Path, content: bytes) -> None:
    """Writes a file as a user."""
    code = "import sys; open(sys.argv[1], 'xb').write(sys.stdin.buffer.read())"
    subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, str(path)],
        user=uid,
        group=uid,
        extra_groups=[],
        input=content,
        cwd="/",
        check=True,
        timeout=SECONDS,
    )


def gnomon(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the command as root, in bounded time and memory."""
    return subprocess.run(
        ["prlimit", f"--as={1 << 31}", sys.executable, "-m", "gnomon", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


COLLECTORS = 41_900


@pytest.fixture
def machine(shared: Shared) -> Path:
    """A payload whose settings name the spool, of the group that collects; gives what goes on PYTHONPATH."""
    os.chown(shared.top, 0, COLLECTORS)
    os.chmod(shared.top, 0o3733)
    root = shared.top / ".payload"
    package = root / "versions" / "gnomon"
    package.parent.mkdir(parents=True)
    shutil.copytree(BOOTSTRAP.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "settings").write_text(f"spool={shared.top}\n")
    return package / "bootstrap"


def managed(uid: int, bootstrap: Path, code: str = "open('/etc/hostname')") -> None:
    """Runs a user's program on a managed machine."""
    done = subprocess.run(
        [PYTHON, "-c", code],
        env=environment(PYTHONPATH=str(bootstrap), GNOMON_DEBUG="1"),
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()


@pytest.mark.parametrize(
    "how", ["os.mkdir(there)", "os.symlink('/tmp', there)", "os.mkfifo(there)", "open(there, 'x')"]
)
def test_a_name_that_somebody_took_keeps_nobody_out(shared: Shared, machine: Path, how: str) -> None:
    done = act(ATTACKER, f"import os, sys; there = sys.argv[1]; {how}", shared.top / str(VICTIM))
    assert done.returncode == 0, done.stderr
    managed(VICTIM, machine)
    managed(ATTACKER, machine)
    (found,) = [one for one in shared.processes() if one.uid == VICTIM]
    assert (found.owner_uid, found.is_forged) == (VICTIM, False)
    (own,) = shared.top.glob(f"{VICTIM}-*")
    assert own.stat().st_uid == VICTIM
    kept = keep(shared.top)
    assert kept.sealed == 2 and shared.findings() == {}


def test_the_collectors_group_reads_and_nobody_else(shared: Shared, machine: Path) -> None:
    managed(VICTIM, machine)
    managed(0, machine)
    code = "import gnomon, sys; print(sorted(one.uid for one in gnomon.Spool(sys.argv[1]).processes()[0]))"

    def seen(*groups: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PYTHON, "-c", code, str(shared.top)],
            env=environment(PYTHONPATH=PACKAGES),
            user=41_003,
            group=41_003,
            extra_groups=groups,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd="/",
            check=False,
        )

    os.chmod(shared.top, 0o3773)
    assert seen(COLLECTORS).stdout == f"[0, {VICTIM}]\n"
    assert "PermissionError" in seen().stderr
    keep(shared.top)
    assert (shared.top / seals.NAME).stat().st_gid == COLLECTORS


def test_what_a_umask_closed_is_opened_to_the_group_and_nothing_else(shared: Shared, tmp_path: Path) -> None:
    os.chmod(shared.top, 0o3773)
    segment = shared.record(VICTIM)
    folder = segment.parent
    others = tmp_path / "secret"
    others.write_text("x")
    others.chmod(0o600)
    (folder / "link.gnomon").symlink_to(others)
    os.link(segment, folder / f"{uuid.uuid4().hex}-0000.gnomon")
    alone = shared.record(VICTIM)
    for path, mode in ((segment, 0o600), (alone, 0o600), (folder, 0o2700)):
        os.chown(path, -1, shared.top.stat().st_gid)
        os.chmod(path, mode)
    keep(shared.top, is_dry_run=True)
    assert folder.stat().st_mode & 0o7777 == 0o2700
    keep(shared.top)
    assert folder.stat().st_mode & 0o7777 == 0o2750
    assert alone.stat().st_mode & 0o777 == 0o640
    # It may be reached by a name elsewhere, too.
    assert segment.stat().st_mode & 0o777 == others.stat().st_mode & 0o777 == 0o600


def test_a_worker_that_gives_up_roots_rights_is_no_forger(shared: Shared, machine: Path) -> None:
    code = f"""if True:
        import os
        if os.fork() == 0:
            os.setgroups([]); os.setgid({VICTIM}); os.setuid({VICTIM})
            open("/etc/hostname").close()
            os._exit(0)
        os.wait()
    """
    managed(0, machine, code)
    found = {(one.uid, one.owner_uid) for one in shared.processes()}
    assert not any(one.is_forged for one in shared.processes()), found
    assert (0, 0) in found and shared.findings() == {}


def test_everybody_is_in_the_spool_with_the_owner_of_their_files(shared: Shared) -> None:
    shared.record(VICTIM)
    shared.record(ATTACKER)
    found = shared.processes()
    assert {(one.uid, one.owner_uid, one.is_forged) for one in found} == {
        (VICTIM, VICTIM, False),
        (ATTACKER, ATTACKER, False),
    }
    assert [one.id for one in found] == sorted(one.id for one in found)
    assert all(one.distributions is not None for one in found)
    assert not Spool(shared.top).processes()[1]


def test_a_user_does_nothing_to_anothers_segments(shared: Shared) -> None:
    segment = shared.record(VICTIM)
    before = segment.read_bytes()
    own = shared.folder(ATTACKER)
    attempts = {
        "read": "open(there).read()",
        "list": "os.listdir(os.path.dirname(there))",
        "list the spool": "os.listdir(os.path.dirname(os.path.dirname(there)))",
        "write": "open(there, 'r+b')",
        "truncate": "os.truncate(there, 0)",
        "delete": "os.unlink(there)",
        "rename": "os.rename(there, own + '/x.gnomon')",
        "hard-link": "os.link(there, own + '/x.gnomon')",
        "rename the directory": "os.rename(os.path.dirname(there), os.path.dirname(there) + '-ff')",
        "remove the directory": "os.rmdir(os.path.dirname(there))",
        "create beside": "open(os.path.dirname(there) + '/y.gnomon', 'x')",
        "change the mode": "os.chmod(os.path.dirname(there), 0o777)",
    }
    for what, code in attempts.items():
        done = act(ATTACKER, f"import os, sys; there, own = sys.argv[1:]; {code}", segment, own)
        assert "PermissionError" in done.stderr, f"{what}: {done.stderr}"
    assert segment.read_bytes() == before


def test_a_user_sees_his_own_and_is_told_so(shared: Shared) -> None:
    shared.record(VICTIM)
    shared.record(ATTACKER)
    code = """if True:
        import gnomon, sys
        found, faults = gnomon.Spool(sys.argv[1]).processes()
        print([one.uid for one in found], [fault.severity for fault in faults])
    """
    done = subprocess.run(
        [PYTHON, "-c", code, str(shared.top)],
        env=environment(PYTHONPATH=PACKAGES),
        user=ATTACKER,
        group=ATTACKER,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.stdout == f"[{ATTACKER}] ['io']\n", done.stderr


@pytest.mark.parametrize("claimed", [0, VICTIM])
def test_a_forged_user_is_flagged(shared: Shared, claimed: int) -> None:
    if claimed == 0:
        (shared.top / "0").mkdir(mode=0o2750)
    source = shared.record(claimed)
    process = uuid.UUID(int=uuid.uuid4().int & ~(0xF << 76) | 7 << 76)
    path = shared.folder(ATTACKER) / f"{process.hex}-0000.gnomon"
    plant(ATTACKER, path, forged(source.read_bytes(), process))
    flagged = {one.id: (one.uid, one.owner_uid) for one in shared.processes() if one.is_forged}
    assert flagged == {str(process): (claimed, ATTACKER)}
    assert shared.findings() == {f"{ATTACKER}/{path.name}": "forged"}
    done = gnomon("verify", shared.top)
    assert done.returncode == 1 and "forged" in done.stdout, done
    lines = gnomon("events", shared.top, "--format", "jsonl", "--kind", "process").stdout.splitlines()
    told = {one["process"]: one.get("is_forged", False) for one in map(json.loads, lines)}
    assert told[str(process)] and not told[str(uuid.UUID(source.name[:32]))]
    shown = gnomon("show", shared.top, "--all").stdout
    assert f"says to be of user {claimed}" in " ".join(shown.split()), shown


def test_who_takes_anothers_process_id_is_flagged(shared: Shared) -> None:
    source = shared.record(VICTIM)
    other = shared.record(ATTACKER)
    plant(ATTACKER, other.parent / source.name, forged(other.read_bytes(), uuid.UUID(source.name[:32])))
    flagged = {(one.uid, one.is_forged) for one in shared.processes()}
    assert flagged == {(VICTIM, True), (ATTACKER, True), (ATTACKER, False)}


def test_a_process_that_gave_up_roots_rights_is_one_and_no_forger(shared: Shared) -> None:
    (shared.top / "0").mkdir(mode=0o2750)
    first = shared.record(0)
    process = uuid.UUID(first.name[:32])
    source = shared.record(VICTIM)
    second = bytearray(forged(source.read_bytes(), process))
    second[32:36] = (1).to_bytes(4, "little")
    second[56:60] = zlib.crc32(bytes(second[:56])).to_bytes(4, "little")
    plant(VICTIM, source.parent / f"{process.hex}-0001.gnomon", bytes(second))
    (found,) = [one for one in shared.processes() if one.id == str(process)]
    assert (found.segments, found.uid, found.owner_uid, found.is_forged) == (2, 0, 0, False)
    assert shared.findings() == {}


def test_a_squatted_name_gives_nothing(shared: Shared) -> None:
    code = "open('/etc/hostname')\n" + _LONG  # more than the other has
    squatted = shared.record(ATTACKER, code, name=str(VICTIM))
    theirs = shared.record(VICTIM, name=f"{VICTIM}-0123456789abcdef")
    assert {(one.uid, one.owner_uid, one.is_forged) for one in shared.processes()} == {
        (ATTACKER, ATTACKER, False),
        (VICTIM, VICTIM, False),
    }
    # What lies under the victim's name counts for who owns it.
    kept = keep(shared.top, quota_user=squatted.stat().st_blocks * 512 - 1)
    assert not squatted.exists() and theirs.exists() and not kept.held


def test_a_flood_drowns_its_owner_only(shared: Shared) -> None:
    theirs = shared.record(VICTIM)
    source = shared.record(ATTACKER)
    code = """if True:
        import os, sys
        os.chdir(sys.argv[1])
        data = sys.stdin.buffer.read()
        for number in range(10_000):
            with open(f"{number:032x}-0000.gnomon", "xb") as file:
                file.write(data[:16] + number.to_bytes(16, "big") + data[32:])
    """
    plain = source.read_bytes()
    subprocess.run(
        [PYTHON, "-I", "-S", "-c", code, str(source.parent)],
        user=ATTACKER,
        group=ATTACKER,
        extra_groups=[],
        input=plain[:4096],
        check=True,
        timeout=SECONDS,
    )
    kept = keep(shared.top, quota_user=4_000_000, now=time.time_ns() + DAY // 2)
    assert theirs.exists()
    assert kept.bytes <= 8_000_000 and not kept.held and not kept.problems
    assert {(one.directory, one.reason) for one in kept.removed} == {(str(ATTACKER), "no segment")}
    assert sum(one.files for one in kept.removed) > 8_000
    (record,) = shared.evictions()
    assert record == (str(ATTACKER), "no segment", sum(one.files for one in kept.removed))


def test_the_machines_quota_takes_from_who_has_most(shared: Shared) -> None:
    theirs = shared.record(VICTIM)  # the oldest of all
    own = [shared.record(ATTACKER) for _ in range(6)]
    keep(shared.top)  # sealed
    size = theirs.stat().st_blocks * 512
    total = keep(shared.top, is_dry_run=True).bytes
    kept = keep(shared.top, quota_machine=total - 3 * size)
    assert theirs.exists()
    assert [path.exists() for path in own] == [False, False, False, True, True, True]
    assert [(one.directory, one.reason, one.files) for one in kept.removed] == [
        (str(ATTACKER), "machine quota", 3)
    ]
    assert shared.findings() == {}


def test_sealing_gives_back_and_the_ledger_says_what_is_there(shared: Shared) -> None:
    segment = shared.record(VICTIM)
    before = segment.stat().st_size
    kept = keep(shared.top)
    assert kept.sealed == 1 and kept.given_back == before - segment.stat().st_size > 0
    ledger = shared.top / seals.NAME
    assert ledger.stat().st_mode & 0o7777 == 0o640 and ledger.stat().st_uid == 0
    line = ledger.read_text().split()
    assert line[0] == f"{VICTIM}/{segment.name}" and int(line[2]) == segment.stat().st_size
    assert keep(shared.top).sealed == 0 and shared.findings() == {}


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("os.truncate(there, 256)", "truncated"),
        ("os.truncate(there, 0)", "truncated"),
        ("os.unlink(there)", "deleted"),
        ("open(there, 'r+b').write(b'\\x89GNOMON\\n' + bytes(8))", "changed"),
        ("f = open(there, 'r+b'); f.seek(64); f.write(bytes(8))", "changed"),
        ("os.unlink(there); os.symlink('/etc/passwd', there)", "changed"),
        ("os.unlink(there); os.mkfifo(there)", "changed"),
    ],
)
def test_what_a_user_does_to_his_sealed_segments_is_found(shared: Shared, what: str, kind: str) -> None:
    segment = shared.record(ATTACKER)
    theirs = shared.record(VICTIM)
    keep(shared.top)
    done = act(ATTACKER, f"import os, sys; there = sys.argv[1]; {what}", segment)
    assert done.returncode == 0, done.stderr
    assert shared.findings() == {f"{ATTACKER}/{segment.name}": kind}
    done = gnomon("verify", shared.top)
    assert done.returncode == 1 and f"{segment.name}: {kind}" in done.stdout, done
    if kind != "changed":
        assert [one.kind for one in missing(str(shared.top))] == [kind]
        shown = " ".join(gnomon("show", shared.top, "--all").stdout.split())
        assert f"segments are not as they were sealed: 1 {kind}" in shown
    assert theirs.exists()


# More than a few segments hold.
_LONG = """
for number in range(3000):
    try: open(f'/nowhere/{number}/' + 'x' * 200)
    except OSError: pass
"""


def test_segments_that_are_missing_between_others_are_found(shared: Shared) -> None:
    first = shared.record(ATTACKER, _LONG)
    process = first.name[:32]
    parts = sorted(first.parent.glob(f"{process}-*.gnomon"))
    assert len(parts) > 3
    assert shared.findings() == {}
    parts[1].unlink()
    assert shared.findings() == {f"{ATTACKER}/{parts[1].name}": "gap"}


@pytest.mark.parametrize(("cut", "kind"), [(True, "truncated"), (False, "changed")])
def test_an_unsealed_segment_is_held_against_what_the_next_one_says(
    shared: Shared, cut: bool, kind: str
) -> None:
    first = shared.record(ATTACKER, _LONG)
    data = bytearray(first.read_bytes())
    assert {one.follows for one in Spool(shared.top).verify() if one.number > 0 and one.process} == {"same"}
    at = 256
    for _ in range(40):  # to the start of some record, so that nothing else looks wrong
        length = int.from_bytes(data[at : at + 4], "little")
        at += (length + 7 & ~7) + (32 if data[at + 22] & 1 else 0)
    if cut:
        os.truncate(first, at)
    else:
        length = int.from_bytes(data[at : at + 4], "little")
        data[at + 24] ^= 1  # its time
        data[at + 4 : at + 8] = zlib.crc32(bytes(data[at + 20 : at + length])).to_bytes(4, "little")
        first.write_bytes(data)
    assert shared.findings() == {f"{ATTACKER}/{first.name}": kind}


def test_segments_go_by_age_and_are_counted(shared: Shared) -> None:
    old = [shared.record(VICTIM) for _ in range(3)]
    keep(shared.top)
    later = time.time_ns() + 91 * DAY
    dry = keep(shared.top, now=later, is_dry_run=True)
    assert all(path.exists() for path in old)
    kept = keep(shared.top, now=later)
    assert [one for one in dry.removed if one.reason == "age"] == [
        one for one in kept.removed if one.reason == "age"
    ]
    assert not any(path.exists() for path in old)
    assert (str(VICTIM), "age", 3) in shared.evictions()
    (record,) = [one for one in Spool(shared.top, kinds=["evict"]).records() if one.detail == "age"]
    assert record.target == f"{shared.top}/{VICTIM}" and (record.size or 0) > 0
    (keeper,) = [one for one in shared.processes() if one.role == "keep"]
    assert (keeper.owner_uid, keeper.status) == (0, 0)
    # The lists that only they referred to, too; and nothing is missing.
    assert not list((shared.top / str(VICTIM)).iterdir())
    assert shared.findings() == {} and missing(str(shared.top)) == []


def test_what_segments_refer_to_stays_as_long_as_they(shared: Shared) -> None:
    library = shared.top / "site-packages"
    (library / "thing-1.0.dist-info").mkdir(parents=True)
    (library / "thing.py").touch()
    segment = shared.record(VICTIM, "import thing", PYTHONPATH=str(library))
    (listed,) = segment.parent.glob("distributions-*")
    assert shared.processes()[0].distributions
    keep(shared.top)
    keep(shared.top, now=time.time_ns() + 100 * DAY, retention=200 * 86400)
    assert listed.exists() and segment.exists()
    keep(shared.top, now=time.time_ns() + 100 * DAY)
    assert not listed.exists() and not segment.exists()


def test_a_live_process_keeps_its_segments(shared: Shared) -> None:
    folder = shared.folder(VICTIM)
    running = subprocess.Popen(
        [PYTHON, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        env=armed_environment(folder),
        user=VICTIM,
        group=VICTIM,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert running.stdout is not None and running.stdin is not None
    running.stdout.readline()
    (segment,) = folder.glob("*-0000.gnomon")
    size = segment.stat().st_size
    kept = keep(shared.top, quota_user=0, quota_machine=0, retention=0)
    assert segment.stat().st_size == size
    assert [(one.owner, one.pids) for one in kept.held] == [(VICTIM, (running.pid,)), (None, (running.pid,))]
    running.stdin.close()
    assert running.wait(SECONDS) == 0
    keep(shared.top, quota_user=0)
    assert not segment.exists() and shared.findings() == {}


def test_a_users_claim_to_be_a_process_of_others_keeps_nothing(shared: Shared) -> None:
    """The segment says that init wrote it, which runs for ever."""
    source = shared.record(ATTACKER)
    code = "import os, sys; os.link(sys.argv[1], sys.argv[2])"
    data = source.read_bytes()
    pid = int.from_bytes(data[36:40], "little")
    assert pid
    assert keeping._users_of(1) == {0}
    assert act(ATTACKER, code, source, source.parent / "second.gnomon").returncode == 0
    kept = keep(shared.top, quota_user=0, now=time.time_ns() + DAY // 2)
    assert not source.exists()
    assert [one.pids for one in kept.held] == [()]  # what the segment referred to, which goes with age


def test_a_hard_link_is_not_cut(shared: Shared) -> None:
    """Where the system lets users make them: to a segment of root's, and one of their own."""
    (shared.top / "0").mkdir(mode=0o2750)
    root = shared.record(0)
    size = root.stat().st_size
    folder = shared.folder(ATTACKER)
    os.link(root, folder / root.name)
    keep(shared.top)
    assert root.stat().st_size == size
    (folder / root.name).unlink()
    assert keep(shared.top).sealed == 1 and root.stat().st_size < size


HOSTILE = """if True:
    import os, socket, sys
    os.chdir(sys.argv[1])
    name = lambda number: f"{number:032x}-0000.gnomon"
    os.mkfifo(name(1))
    os.mkfifo("pipe")
    os.symlink("/etc/shadow", name(2))
    os.symlink(name(3), name(3))
    os.symlink("/dev/zero", name(4))
    os.symlink("/proc/self/fd/0", name(5))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(name(6))
    os.mkdir(name(7))
    os.mkdir("folder")
    open("folder/file", "x")
    for number in range(100, 116):
        with open(name(number), "xb") as file:
            file.truncate(64 << 20)
    with open(name(8), "xb") as file:
        file.write(b"\\x89GNOMON\\n")
        file.truncate(64 << 20)
    with open(name(9), "xb") as file:
        file.truncate(1 << 40)
    with open(name(10), "xb") as file:
        file.write(os.urandom(100_000))
    odd = ("new\\nline.gnomon", "\\x1b[31mred.gnomon", " .gnomon", b"\\xff\\xfe.gnomon", ".gnomon")
    for odd in (*odd, "." * 200 + ".gnomon"):
        open(odd, "x")
    for number in range(20_000):
        os.close(os.open(f"empty-{number}.gnomon", os.O_CREAT))
    os.symlink("/etc", "../41007")
    os.symlink("41008", "../41008")
    os.mkfifo("../41009")
    os.mkdir("../41010")
    os.mkdir("../41010/41011")
    os.symlink("/etc/passwd", "../link.gnomon")
    os.mkfifo("../pipe.gnomon")
"""


def test_a_hostile_directory_neither_blocks_nor_leads_elsewhere(shared: Shared) -> None:
    theirs = shared.record(VICTIM)
    done = act(ATTACKER, HOSTILE, shared.folder(ATTACKER))
    assert done.returncode == 0, done.stderr
    shadow = os.stat("/etc/shadow")
    for arguments in (
        ("show", shared.top, "--all"),
        ("events", shared.top),
        ("events", shared.top, "--format", "jsonl"),
        ("verify", shared.top),
        ("keep", shared.top),
        ("keep", shared.top, "--quota-user", "1MB", "--retention", "1d"),
    ):
        done = gnomon(*arguments)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1), done
        assert "\x1b" not in done.stdout + done.stderr and "root:" not in done.stdout
        if arguments[0] == "events":
            assert "/etc/hostname" in done.stdout
            assert len(done.stderr.splitlines()) < 200
    kept = keep(shared.top, now=time.time_ns() + 2 * DAY)
    assert theirs.exists()
    left = {path.name for path in (shared.top / str(ATTACKER)).iterdir()}
    assert left == {"folder"}, left  # which is not empty
    assert any("`41002/folder`" in one for one in kept.problems), kept.problems
    assert {path.name for path in shared.top.iterdir()} >= {"41010", str(VICTIM)}
    assert not any((shared.top / name).is_symlink() for name in ("41007", "41008", "link.gnomon"))
    after = os.stat("/etc/shadow")
    assert (after.st_mtime_ns, after.st_size) == (shadow.st_mtime_ns, shadow.st_size)


def test_a_file_that_changes_while_it_is_read_does_no_harm(shared: Shared) -> None:
    source = shared.record(ATTACKER, _LONG)
    code = """if True:
        import os, sys
        data = open(sys.argv[1], "rb").read()
        print(flush=True)
        while True:
            for size in (0, 8, 100, 256, 1000, len(data) // 2, len(data)):
                with open(sys.argv[1], "r+b") as file:
                    file.truncate(size)
                    file.write(data[:size])
    """
    changing = subprocess.Popen(
        [PYTHON, "-I", "-S", "-c", code, str(source)],
        user=ATTACKER,
        group=ATTACKER,
        extra_groups=[],
        stdout=subprocess.PIPE,
    )
    try:
        assert changing.stdout is not None
        changing.stdout.readline()
        for _ in range(30):
            spool = Spool(shared.top)
            spool.processes()
            list(spool.records())
            spool.verify()
            keep(shared.top)
    finally:
        changing.kill()
        changing.wait()


@pytest.mark.parametrize(
    "how", ["os.symlink('/etc/shadow', there)", "os.mkfifo(there)", "open(there, 'x')", "os.mkdir(there)"]
)
def test_the_name_of_the_ledger_cannot_be_taken(shared: Shared, how: str) -> None:
    shadow = Path("/etc/shadow").read_bytes()
    done = act(ATTACKER, f"import os, sys; there = sys.argv[1]; {how}", shared.top / seals.NAME)
    assert done.returncode == 0, done.stderr
    shared.record(VICTIM)
    kept = keep(shared.top)
    assert kept.sealed == 1 and any("put aside" in one for one in kept.problems)
    ledger = shared.top / seals.NAME
    assert ledger.stat().st_uid == 0 and not ledger.is_symlink() and ledger.is_file()
    assert Path("/etc/shadow").read_bytes() == shadow
    assert shared.findings() == {} and not keep(shared.top).problems


def test_a_second_keeper_stands_back(shared: Shared) -> None:
    import fcntl

    descriptor = os.open(shared.top, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        done = gnomon("keep", shared.top)
    finally:
        os.close(descriptor)
    assert done.returncode == 0 and "another `gnomon keep`" in done.stdout


def test_who_is_killed_at_it_is_finished_and_counted_by_the_next(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = [shared.record(VICTIM) for _ in range(4)]
    keep(shared.top)
    calls = []
    unlink = keeping._unlink

    def killed(descriptor: int, item: keeping._Item) -> bool:
        calls.append(item)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return unlink(descriptor, item)

    later = time.time_ns() + 91 * DAY
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(keeping, "_unlink", killed)
        keep(shared.top, now=later)
    assert sum(path.exists() for path in segments) in (
        2,
        3,
    )  # or what they referred to was among the first two
    keep(shared.top, now=later)
    keep(shared.top, now=later)
    counted = sum(count for _, reason, count in shared.evictions() if reason == "age")
    assert counted == 4 and not any(path.exists() for path in segments)
    assert shared.findings() == {}


def test_the_ledger_forgets_what_is_long_gone(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "_MAX_DEAD", 2)
    shared.record(VICTIM)
    keep(shared.top)
    keep(shared.top, now=time.time_ns() + 91 * DAY)
    stays = shared.record(VICTIM)
    keep(shared.top)
    names = {line.split()[0] for line in (shared.top / seals.NAME).read_text().splitlines()}
    assert f"{VICTIM}/{stays.name}" in names
    assert not list(shared.top.glob(".sealed*")) and shared.findings() == {}


def test_a_torn_line_of_the_ledger_costs_that_line(shared: Shared) -> None:
    shared.record(VICTIM)
    keep(shared.top)
    with open(shared.top / seals.NAME, "a") as file:
        file.write("41001/0123")
    second = shared.record(VICTIM)
    assert keep(shared.top).sealed == 1
    lines = (shared.top / seals.NAME).read_text().splitlines()
    assert lines[-1].startswith(f"{VICTIM}/{second.name} ")


def test_sizes_and_times_are_said_in_words() -> None:
    assert amounts.parse_size("200MB") == 200_000_000
    assert amounts.parse_size("1.5 GiB") == 3 << 29
    assert amounts.parse_size("4096") == 4096
    assert amounts.parse_period("90d") == 90 * 86400
    assert amounts.parse_period("12h") == amounts.parse_period("43200")
    for wrong in ("", "MB", "12 XB", "-1", "1ib"):
        with pytest.raises(ValueError, match="cannot understand"):
            amounts.parse_size(wrong)
    with pytest.raises(ValueError, match="cannot understand"):
        amounts.parse_period("soon")


def test_settings_are_lines_of_keys_and_values(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("# made\nspool=/var/spool/gnomon\nquota_user=1000\nodd\n")
    assert keeping.settings(str(path)) == {"spool": "/var/spool/gnomon", "quota_user": "1000"}
    assert keeping.settings(str(tmp_path / "none")) == {}
