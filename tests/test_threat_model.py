"""What docs/threat-model.md says of each way around gnomon is what happens: one test for each of its rows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import gnomon
from gnomon.answer import Answer
from obeying import policy
from watching import armed_environment, environment, program

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/threat-model.md"
NO_TAMPERING = '[[rule]]\nid = "no"\nevent = "tamper"\naction = "deny"\n'
ACT = "seen-or-not"


@dataclass(frozen=True)
class Way:
    """What comes of one way.

    Attributes:
        signs: The findings in the receipt.
        is_seen: Whether what it does next is recorded all the same.
        silent: Why a Python is silent: words of the reason.
        is_deniable: A rule about `tamper` stops it.
        since: It works from this version on.
        before: In versions before this one it gives no sign.
        seen_since: In versions before this one what it does is not seen.
    """

    signs: frozenset[str] = frozenset()
    is_seen: bool = False
    silent: str | None = None
    is_deniable: bool = False
    since: int = 9
    before: int = 9
    seen_since: int = 9

    @property
    def outcome(self) -> str:
        if self.is_deniable:
            return "denied"
        return "detected" if self.signs or self.silent or self.is_seen else "neither"


def way(*signs: str, **more: object) -> Way:
    return Way(frozenset(signs), **more)  # type: ignore[arg-type]


ELSEWHERE = "its environment differs"
WAYS = {
    "hook_by_memory_file": way("memory-written", "hook-gone", is_seen=True, is_deniable=True),
    "hook_by_address": way("interpreter-reached", "hook-gone", is_seen=True, is_deniable=True),
    "hook_by_memmove": way("hook-gone", is_seen=True, is_deniable=True),
    "hook_by_memmove_then_exit": way("hook-gone"),
    "hook_by_memmove_then_leave": way(),
    "hook_by_another_program": way("hook-gone", is_seen=True, is_deniable=True),
    "hook_code_overwritten": way("hook-gone", is_seen=True),
    "finalised": way("interpreter-reached", is_seen=True, is_deniable=True),
    "events_silenced": way("audit-replaced", before=12),
    "hook_added": way(is_seen=True),
    "library_loaded_again": way("interpreter-reached", is_seen=True, is_deniable=True),
    "stopped_by_its_own_function": way(is_seen=True),
    "slots_by_memory_file": way("memory-written", "calls-undone", is_seen=True, is_deniable=True),
    "slots_by_memmove": way("calls-undone", is_seen=True),
    "called_by_ctypes": way(is_seen=True),
    "called_by_address": way(),
    "machine_code": way(),
    "started_by_the_inner_function": way(is_seen=True, seen_since=10),
    "memory_by_thread": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_pid": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_descriptor": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_directory": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_own_link": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_link_of_another": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_ctypes": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_number": way("memory-written", is_seen=True, is_deniable=True),
    "memory_by_vm_write": way("interpreter-reached", is_seen=True, is_deniable=True),
    "library_overwritten": way("own-files-changed", is_seen=True, is_deniable=True),
    "variable_removed": way("environment-changed", silent=ELSEWHERE, is_deniable=True),
    "variable_removed_by_ctypes": way(silent=ELSEWHERE),
    "child_shadowed": way("sitecustomize-shadowed", silent=ELSEWHERE, is_deniable=True),
    "child_shadowed_by_exec": way("sitecustomize-shadowed", silent=ELSEWHERE, is_deniable=True),
    "child_without_environment": way(silent=ELSEWHERE),
    "child_elsewhere": way(silent=ELSEWHERE),
    "child_without_site": way("python-kept-out", silent="-S leaves out"),
    "child_isolated": way("python-kept-out", silent="-I makes it ignore"),
    "child_without_variables": way("python-kept-out", silent="-E makes it ignore"),
    "child_with_path_file": way("python-kept-out", silent="._pth", since=11),
    "child_under_another_name": way("python-kept-out", silent="-S leaves out"),
    "child_of_a_copy": way(),
    "child_by_a_shells_condition": way(),
    "child_without_native": way(is_seen=True),
    "left_to_another": way(),
    "descriptors_closed": way(is_seen=True),
    "descriptor_inherited": way(),
}
# What leaves no record behind, as the records themselves are gone; a `gnomon run` around it hears nothing.
GONE = {"segments_deleted": True, "segments_deleted_by_another_program": False, "spool_renamed": True}


def minor(python: str) -> int:
    return int(python.rpartition("python3.")[2])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where it happens. Beside it: a descriptor to inherit, and a Python that takes orders, unrecorded."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "inherited").touch()
    orders = tmp_path / "orders"
    os.mkfifo(orders)
    obey = "import sys; open(sys.argv[2] + '/' + open(sys.argv[1]).read(), 'w')"
    servant = subprocess.Popen(
        [sys.executable, "-c", obey, str(orders), str(tmp_path / "cwd")], env=environment()
    )
    yield tmp_path
    servant.kill()
    servant.wait()


def go(name: str, python: str, folder: Path, spool: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    with (folder / "inherited").open("w") as inherited:
        number = inherited.fileno()
        return subprocess.run(
            [python, program("evades_the_recorder.py"), name],
            env=armed_environment(spool, INHERITED=str(number), ORDERS=str(folder / "orders"), **more),
            cwd=folder / "cwd",
            pass_fds=[number],
            capture_output=True,
            check=False,
            timeout=60,
        )


def seen(spool: Path) -> bool:
    """Whether the deed itself is recorded."""
    records = gnomon.Spool(spool).records()
    deeds = (record for record in records if record.kind in ("open", "spawn"))
    return any(
        (record.target or "").endswith((ACT, "/inherited")) or (record.argv or [""])[0] == "touch"
        for record in deeds
    )


@pytest.mark.parametrize("name", WAYS)
def test_way(name: str, python: str, folder: Path, spool: Path) -> None:
    expected = WAYS[name]
    if minor(python) < expected.since:
        pytest.skip(f"there is nothing to it before 3.{expected.since}")
    done = go(name, python, folder, spool)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    coverage = Answer.of(gnomon.Spool(spool)).coverage
    signs = expected.signs if minor(python) >= expected.before else frozenset()
    assert {finding.id for finding in coverage.evasion} == signs
    assert seen(spool) == (expected.is_seen and minor(python) >= expected.seen_since)
    reasons = [silent.reason for silent in coverage.silent]
    assert len(reasons) == (expected.silent is not None)
    assert all((expected.silent or "") in reason for reason in reasons)


@pytest.mark.parametrize("name", [name for name, expected in WAYS.items() if expected.is_deniable])
def test_denied(name: str, python: str, folder: Path, spool: Path) -> None:
    done = go(name, python, folder, spool, GNOMON_POLICY=policy(NO_TAMPERING, folder))
    assert done.stdout.startswith(b"stopped: ") or b"NoneType" in done.stderr, done.stderr
    assert not (folder / "cwd" / ACT).exists()
    records = gnomon.Spool(spool).records()
    assert [record.kind for record in records if record.outcome == "denied"][:1] == ["tamper"]


@pytest.mark.parametrize("name", GONE)
def test_records_gone(name: str, python: str, folder: Path, spool: Path) -> None:
    assert go(name, python, folder, spool).returncode == 0
    assert (folder / "cwd" / ACT).exists()
    processes = gnomon.Spool(spool).processes()[0] if spool.exists() else []
    assert processes == []
    if spool.exists():
        shutil.rmtree(spool)
    shutil.rmtree(folder / "cwd")
    (folder / "cwd").mkdir()
    spool.mkdir(mode=0o700, exist_ok=True)
    done = go(name, python, folder, spool, GNOMON_POLICY=policy(NO_TAMPERING, folder))
    assert done.stdout.startswith(b"stopped: ") == GONE[name]


def test_segment_put_back(python: str, tmp_path: Path, spool: Path) -> None:
    code = "print(flush=True); input(); open('seen-or-not', 'w')"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [python, "-c", code], env=armed_environment(spool), cwd=tmp_path, stdin=pipe, stdout=pipe
    ) as running:
        assert running.stdout is not None and running.stdin is not None
        running.stdout.readline()
        (segment,) = spool.glob("*-0000.gnomon")
        copy = segment.read_bytes()
        running.stdin.write(b"\n")
        running.stdin.close()
    assert seen(spool)
    segment.write_bytes(copy)
    assert not seen(spool)
    assert gnomon.Spool(spool).processes()[1] == []
    coverage = Answer.of(gnomon.Spool(spool)).coverage
    assert (coverage.faults, coverage.missing, len(coverage.unended)) == ([], {}, 1)


def test_repeats(python: str, tmp_path: Path, spool: Path) -> None:
    code = "for _ in range(5000): open('seen-or-not', 'w').close()"
    subprocess.run([python, "-c", code], env=armed_environment(spool), cwd=tmp_path, check=True)
    records = gnomon.Spool(spool, kinds=["open"]).records()
    assert [record.count for record in records if (record.target or "").endswith(ACT)] == [5000]


def test_pid_used_again(a_python: str, tmp_path: Path, spool: Path) -> None:
    code = "import os, sys; open(sys.argv[1], 'w'); print(os.getpid())"
    script = (
        f'"{a_python}" -c "{code}" one\n'
        "echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid || exit 9\n"
        f'"{a_python}" -c "{code}" two\n'
    )
    # The first program of the shell is the second of the namespace.
    command = ["unshare", "--fork", "--pid", "--mount-proc", "sh", "-c", script, "sh", "2"]
    done = subprocess.run(
        command, env=armed_environment(spool), cwd=tmp_path, capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no namespace of pids here: {done.stderr.decode().strip()}")
    assert done.stdout.split() == [b"2", b"2"]
    processes, _ = gnomon.Spool(spool).processes()
    assert [process.pid for process in processes] == [2, 2] and processes[0].id != processes[1].id
    opens = gnomon.Spool(spool, kinds=["open"]).records()
    assert len({record.process for record in opens if record.access == "write+create"}) == 2


# A machine that is managed: the loader is in the standard library, of a prefix that is made of links.


@dataclass(frozen=True)
class Machine:
    python: str
    library: Path
    payload: Path
    spool: Path

    def run(self, code: str, cwd: Path, *arguments: str, **more: str) -> Answer:
        subprocess.run([self.python, "-c", code, *arguments], env=environment(**more), cwd=cwd, check=True)
        return self.answer()

    def answer(self) -> Answer:
        (own,) = self.spool.iterdir()
        return Answer.of(gnomon.Spool(own))


LOADER = """
import _imp, sys
spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin={library!r})
module = _imp.create_dynamic(spec)
_imp.exec_dynamic(module)
assert not hasattr(module, "error"), module.error
"""


@pytest.fixture
def machine(python: str, tmp_path: Path) -> Machine:
    if Path("/opt/gnomon/settings").exists():
        pytest.skip("gnomon is installed on this machine")
    version = f"python3.{minor(python)}"
    asked = "import os, sys; print(os.path.dirname(os.__file__)); print(os.path.realpath(sys.executable))"
    told = subprocess.run([python, "-c", asked], env=environment(), capture_output=True, check=True)
    source, executable = told.stdout.decode().splitlines()
    payload, prefix, top = tmp_path / "payload", tmp_path / "prefix", tmp_path / "top"
    (payload / "versions/a").mkdir(parents=True)
    native = next(Path(gnomon.__file__).parent.glob("_native.*.so"))
    shutil.copy(native, payload / "versions/a")
    (payload / "settings").write_text(f"spool={top}\n")
    top.mkdir()
    top.chmod(0o3733)
    library = prefix / "lib" / version
    library.mkdir(parents=True)
    for entry in Path(source).iterdir():
        # Bytecode of our sitecustomize has no place in the interpreter that is really there.
        if entry.name not in ("__pycache__", "sitecustomize.py", "site-packages", "dist-packages"):
            (library / entry.name).symlink_to(entry)
    (library / "site-packages").mkdir()
    loader = LOADER.format(library=str(payload / "versions/a" / native.name))
    (library / "sitecustomize.py").write_text(loader)
    (prefix / "bin").mkdir()
    shutil.copy(executable, prefix / "bin" / version)
    return Machine(str(prefix / "bin" / version), library, payload, top)


CHILDREN = """
import os, subprocess, sys
for options in (["-I"], ["-E"], []):
    subprocess.run([sys.executable, *options, "-c", "open('seen-or-not', 'w')"], check=True, env={})
"""


def test_managed_environment(machine: Machine, tmp_path: Path) -> None:
    answer = machine.run(CHILDREN, tmp_path)
    assert len(answer.processes) == 4 and all(process.managed for process in answer.processes)
    assert (answer.coverage.silent, answer.coverage.evasion) == ([], [])


def test_managed_without_site(machine: Machine, tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', 'pass'], check=True)"
    coverage = machine.run(code, tmp_path).coverage
    assert [silent.reason for silent in coverage.silent] == ["-S leaves out what starts gnomon"]
    assert [finding.id for finding in coverage.evasion] == ["python-kept-out"]


def test_managed_other_interpreter(machine: Machine, python: str, tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.argv[1], '-c', 'pass'], check=True)"
    coverage = machine.run(code, tmp_path, python).coverage
    assert ["gnomon is not installed for it" in silent.reason for silent in coverage.silent] == [True]


def test_managed_shadowed(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow/sitecustomize.py").touch()
    code = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'pass'], check=True, env={'PYTHONPATH': sys.argv[1]})"
    )
    coverage = machine.run(code, tmp_path, str(tmp_path / "shadow")).coverage
    assert [finding.id for finding in coverage.evasion] == ["sitecustomize-shadowed"]
    assert ["another sitecustomize came first" in silent.reason for silent in coverage.silent] == [True]


def test_managed_files(machine: Machine, tmp_path: Path) -> None:
    code = "import sys\nfor path in sys.argv[1:]:\n    open(path, 'a').close()\n"
    paths = [machine.library / "sitecustomize.py", machine.payload / "settings"]
    coverage = machine.run(code, tmp_path, *map(str, paths)).coverage
    (finding,) = coverage.evasion
    assert (finding.id, len(finding.records)) == ("own-files-changed", 2)


def test_managed_by_gnomon(machine: Machine, tmp_path: Path) -> None:
    own = machine.payload / "versions/a/rollout.py"
    own.write_text(f"open({str(machine.payload / 'installed.json')!r}, 'w').close()\n")
    subprocess.run([machine.python, str(own)], env=environment(), cwd=tmp_path, check=True)
    answer = machine.answer()
    assert [act.detail.endswith(" by gnomon") for act in answer.acts if act.detail] == [True]
    assert answer.coverage.evasion == []


def test_managed_started_before(machine: Machine, tmp_path: Path) -> None:
    """A process that runs already when gnomon is installed."""
    loader = machine.library / "sitecustomize.py"
    text = loader.read_text()
    loader.write_text("")
    code = "print(flush=True); input(); open('seen-or-not', 'w')"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [machine.python, "-c", code], env=environment(), cwd=tmp_path, stdin=pipe, stdout=pipe
    ) as running:
        assert running.stdout is not None and running.stdin is not None
        running.stdout.readline()
        loader.write_text(text)
        running.stdin.write(b"\n")
        running.stdin.close()
    assert (tmp_path / ACT).exists() and list(machine.spool.iterdir()) == []


# The document.

ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<outcome>denied|detected|neither)\b[^|]* "
    r"\| (?P<how>[^|]+) \| (?P<test>[^|]+) \|$"
)


def rows() -> list[re.Match[str]]:
    lines = DOCUMENT.read_text().splitlines()
    tables = [line for line in lines if line.startswith("| ") and not line.startswith(("| what", "|---"))]
    found = [ROW.match(line) for line in tables]
    assert all(found), [line for line, row in zip(tables, found) if not row]
    return [row for row in found if row]


def named_tests(row: re.Match[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row["test"])


def test_every_row_names_a_test_that_exists() -> None:
    here = Path(__file__).resolve().parent
    assert len(rows()) >= 35
    for row in rows():
        if "pending" in row["test"]:
            continue  # another part's, which fills it in
        assert named_tests(row), row.string
        for name in named_tests(row):
            file, _, function = name.rpartition("::")
            if not file:
                assert name in WAYS or name in GONE or name in globals(), name
                continue
            assert re.search(rf"^def {function}\b", (here / file).read_text(), re.MULTILINE), name


def test_every_way_has_a_row_that_says_what_comes_of_it() -> None:
    said = {name: row["outcome"] for row in rows() for name in named_tests(row)}
    assert {name: said.get(name) for name in WAYS} == {name: one.outcome for name, one in WAYS.items()}
    managed = [name for name in globals() if name.startswith("test_managed")]
    assert [name for name in [*GONE, *managed] if name not in said] == []
