"""`gnomon attach`: a Python that runs already is recorded from then on, and is otherwise left as it was."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from commands import events, gnomon
from interpreters import needed, present
from watching import BOOTSTRAP, Ended, Kept, environment

ATTACHABLE = ("3.14", "3.15")
ALICE, BOB = 12345, 12346
# Goes on in Python until it is told to do what follows.
WAITS = (
    "import os, sys, time\nprint('ready', flush=True)\n"
    "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
)
# Waits in C: Python code runs again when there is a line.
BLOCKS = "import os, sys\nprint('ready', flush=True)\nsys.stdin.readline()\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`attachable` is each Python of this test run that can be attached to."""
    if "attachable" in metafunc.fixturenames:
        found = [version for version in ATTACHABLE if version in present()]
        metafunc.parametrize("attachable", found or ATTACHABLE[:1], indirect=True)


@pytest.fixture
def attachable(request: pytest.FixtureRequest) -> str:
    return needed(request.param)


@contextmanager
def running(*argv: str | Path, user: int | None = None, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that has said `ready`, and is killed at the end if it still runs."""
    env = environment(**more.pop("env", {}))
    if user is not None:
        more.update(user=user, group=user, extra_groups=[])
    pipe = subprocess.PIPE
    with subprocess.Popen(
        list(map(str, argv)), stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env, **more
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "ready" in line, f"{line}{process.communicate()}"
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], line: str = "") -> Ended:
    """How it ends by itself, after `line` on its standard input."""
    out, err = process.communicate(line, timeout=60)
    return Ended(process.returncode, out.encode(), err.encode())


def attach(process: subprocess.Popen[str], spool: Path | None, *options: str | Path) -> dict[str, Any]:
    """What `gnomon attach --json` says."""
    place: list[str | Path] = ["--spool", spool] if spool else []
    done = gnomon("attach", str(process.pid), *place, "--json", *options)
    assert done.stdout, done.stderr.decode()
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.status == (0 if said["state"] == "recorded" else 1)
    return said


def refusal(pid: int | str, *options: str | Path, user: int | None = None) -> str:
    """Why it will not."""
    command = [sys.executable, "-m", "gnomon", "attach", str(pid), *map(str, options)]
    done = subprocess.run(
        command,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert done.returncode in (1, 2), done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    return done.stderr


def left_behind(pid: int) -> list[str]:
    return [name for name in os.listdir("/tmp") if name.startswith(f"gnomon-attach-{pid}-")]


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def of_alice() -> Iterator[Path]:
    """A directory of another user, who can read this gnomon."""
    as_root()
    place = Path(tempfile.mkdtemp(prefix="gnomon-test-", dir="/tmp"))
    package = BOOTSTRAP.parent / "__init__.py"
    try:
        os.chown(place, ALICE, ALICE)
        looks = [sys.executable, "-c", f"open({str(package)!r})"]
        try:
            found = subprocess.run(looks, user=ALICE, group=ALICE, check=False, capture_output=True, cwd="/")
        except PermissionError:
            pytest.skip("this gnomon is in a private directory")
        if found.returncode:
            pytest.skip("this gnomon is in a private directory")
        yield place
    finally:
        shutil.rmtree(place)


def test_what_it_does_from_then_on_is_recorded(attachable: str, spool: Path, tmp_path: Path) -> None:
    before, after, go = tmp_path / "before", tmp_path / "after", tmp_path / "go"
    code = f"open({str(before)!r}, 'w').close()\n{WAITS}open({str(after)!r}, 'w').close()\nsys.exit(7)"
    with running(attachable, "-c", code, go) as process:
        said = attach(process, spool)
        assert (said["state"], said["spool"], said["pid"]) == ("recorded", str(spool), process.pid)
        go.touch()
        done = ended(process)
    assert (done.status, done.stdout, done.stderr) == (7, b"", b"")
    kept = Kept(spool)
    recorded = kept.process(process.pid)
    assert recorded.id == said["process"]
    assert recorded.status == 7
    targets = {record.target for record in kept.records("open")}
    assert str(after) in targets
    assert str(before) not in targets
    assert kept.faults() == []
    assert not left_behind(process.pid)


def test_nothing_stays_in_it(attachable: str, spool: Path, tmp_path: Path) -> None:
    state = (
        "def state():\n"
        "    import threading, signal\n"
        "    names = set(globals()) - {'first', 'go'}\n"
        "    return [sorted(sys.modules), sys.path[:], sorted(names), threading.active_count(),\n"
        "        sorted(sys.path_importer_cache), signal.getsignal(signal.SIGINT), sys.gettrace()]\n"
        "import sys\n"
        "first = state()\n"
        "first = state()\n"
    )
    go = tmp_path / "go"
    code = f"import os, time\n{state}{WAITS}print(first == state())"
    with running(attachable, "-c", code, go) as process:
        descriptors = os.listdir(f"/proc/{process.pid}/fd")
        assert attach(process, spool)["state"] == "recorded"
        assert os.listdir(f"/proc/{process.pid}/fd") == descriptors
        go.touch()
        assert ended(process).checked().stdout == b"True\n"


def test_the_receipt_says_since_when(attachable: str, spool: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(attachable, "-c", WAITS, go) as process:
        assert attach(process, spool)["state"] == "recorded"
        go.touch()
        ended(process).checked()
    (receipt,) = json.loads(gnomon("show", "--format", "json", spool).checked().stdout)["coverage"][
        "attached"
    ]
    assert receipt == {"pid": process.pid, "since": Kept(spool).process(process.pid).started}
    shown = gnomon("show", "--all", spool, COLUMNS="200").checked().stdout.decode()
    assert re.search(rf"recorded since \d.*, what it did before is not known: pid {process.pid}\n", shown)
    # How it came to be recorded is in its record, and what its own code did is not told of ours.
    kinds = [(event["kind"], event["target"]) for event in events(spool)]
    assert ("tamper", "cpython.remote_debugger_script") in kinds
    assert not [target for kind, target in kinds if kind in ("setenv", "delete", "mkdir")]


@pytest.mark.parametrize("call", ["sys.stdin.readline()", "os.open(sys.argv[1], os.O_RDONLY)"])
def test_one_that_waits_is_recorded_when_it_goes_on(
    attachable: str, spool: Path, tmp_path: Path, call: str
) -> None:
    fifo, after = tmp_path / "fifo", tmp_path / "after"
    os.mkfifo(fifo)
    code = f"import os, sys\nprint('ready', flush=True)\n{call}\nopen({str(after)!r}, 'w').close()"
    with running(attachable, "-c", code, fifo) as process:
        assert attach(process, spool, "--wait", "0.3")["state"] == "pending"
        assert len(left_behind(process.pid)) == 1
        # Asked once more, the later one counts, and the earlier one leaves nothing behind.
        assert "did not come to it within 0.3 seconds" in refusal(process.pid, "--spool", spool, "--wait=0.3")
        assert len(left_behind(process.pid)) == 1
        if "argv" in call:
            os.close(os.open(fifo, os.O_WRONLY))
        done = ended(process, "\n")
    assert (done.status, done.stdout, done.stderr) == (0, b"", b"")
    assert str(after) in {record.target for record in Kept(spool).records("open")}
    assert not left_behind(process.pid)


def test_a_service(attachable: str, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("hello")
    code = (
        "import http.server\n"
        "class Handler(http.server.SimpleHTTPRequestHandler):\n"
        "    def log_message(self, *arguments): pass\n"
        "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)\n"
        "print('ready', server.server_port, flush=True)\n"
        "server.serve_forever()\n"
    )
    argv = [attachable, "-c", code]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().split()[1]
            assert attach(process, spool)["state"] == "recorded"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/page.txt", timeout=30) as page:
                assert page.read() == b"hello"
        finally:
            process.terminate()
    opened = [record for record in Kept(spool).records("open") if record.target == str(tmp_path / "page.txt")]
    assert [record.pid for record in opened] == [process.pid]


def test_twice(attachable: str, spool: Path, tmp_path: Path) -> None:
    with running(attachable, "-c", WAITS, tmp_path / "go") as process:
        assert attach(process, spool)["state"] == "recorded"
        said = refusal(process.pid, "--spool", tmp_path / "other")
    assert f"process {process.pid} is recorded already, into `{spool}`" in said
    assert f"hint: see `gnomon show --all {spool}`" in said
    assert not (tmp_path / "other").exists()


def test_one_that_is_recorded_already(a_python: str, spool: Path, tmp_path: Path) -> None:
    command = ["-m", "gnomon", "run", "--quiet", "--spool", str(spool), "--", a_python, "-c", WAITS]
    with running(sys.executable, *command, tmp_path / "go"):
        (process,) = [one for one in Kept(spool).processes() if one.role == "python"]
        said = refusal(process.pid)
        (tmp_path / "go").touch()
    assert f"process {process.pid} is recorded already, into `{spool}`" in said


def test_one_that_ends_meanwhile(attachable: str, spool: Path) -> None:
    with running(attachable, "-c", BLOCKS) as process:
        said: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: said.append(attach(process, spool, "--wait", "60")))
        thread.start()
        while not left_behind(process.pid):
            assert thread.is_alive()
            time.sleep(0.01)
        process.kill()
        process.wait()
        thread.join()
    assert said[0]["state"] == "ended"
    assert not left_behind(process.pid)


def test_one_that_ends_at_once(attachable: str, spool: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with running(attachable, "-c", f"{WAITS}os._exit(5)", go) as process:
        threading.Timer(0.05, go.touch).start()
        done = gnomon("attach", str(process.pid), "--spool", spool)
        assert process.wait() == 5
        assert done.status in (0, 1)
        assert b"Traceback" not in done.stderr
    assert not left_behind(process.pid)


def test_signals_are_the_programs_own(attachable: str, spool: Path, tmp_path: Path) -> None:
    # Raises where a signal comes while our script runs in it: exactly what it would lose.
    code = (
        "import signal\n"
        "hits = caught = 0\n"
        "class Tick(BaseException): pass\n"
        "def tick(number, frame):\n"
        "    global hits\n"
        "    if not hits and 'order' in frame.f_locals or 'package' in frame.f_locals:\n"
        "        hits += 1\n"
        "        if hits == 1: raise Tick\n"
        "signal.signal(signal.SIGALRM, tick)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)\n"
        "import os, sys\nprint('ready', flush=True)\n"
        "while not os.path.exists(sys.argv[1]):\n"
        "    try:\n"
        "        for _ in range(1000): pass\n"
        "    except Tick: caught += 1\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "print(hits, min(hits, 1) == caught, signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    )
    go = tmp_path / "go"
    with running(attachable, "-c", code, go) as process:
        assert attach(process, spool)["state"] == "recorded"
        go.touch()
        done = ended(process).checked()
    assert re.fullmatch(rb"[1-9]\d* True True\n", done.stdout)
    assert done.stderr == b""


def test_what_it_starts_is_recorded(attachable: str, spool: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = (
        f"import subprocess\n{WAITS}"
        "subprocess.run([sys.executable, '-c', 'open(\"/etc/passwd\")'], check=True)\n"
        "subprocess.run([sys.executable, '-c', '1'], env={**os.environ}, check=True)\n"
        "print(os.environ['PYTHONPATH'].rpartition(':')[2])"
    )
    with running(attachable, "-c", code, go, env={"PYTHONPATH": "/nowhere"}) as process:
        assert attach(process, spool)["state"] == "recorded"
        go.touch()
        assert ended(process).checked().stdout == b"/nowhere\n"
    assert len(Kept(spool).processes()) == 3
    parent = Kept(spool).process(process.pid).id
    assert sorted(one.parent == parent for one in Kept(spool).processes()) == [False, True, True]


def test_or_not(attachable: str, spool: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    code = (
        f"import subprocess\n{WAITS}subprocess.run([sys.executable, '-c', '1'], check=True)\n"
        "print([name for name in os.environ if name.startswith(('GNOMON', 'PYTHON'))])"
    )
    with running(attachable, "-c", code, go) as process:
        assert attach(process, spool, "--no-children")["state"] == "recorded"
        go.touch()
        assert ended(process).checked().stdout == b"[]\n"
    assert [one.pid for one in Kept(spool).processes()] == [process.pid]


def test_the_users_own_spool(attachable: str, tmp_path: Path) -> None:
    spool = tmp_path / ".local/state/gnomon/spool"
    with running(attachable, "-c", WAITS, tmp_path / "go", env={"HOME": str(tmp_path)}) as process:
        assert attach(process, None)["spool"] == str(spool)
    assert spool.stat().st_mode & 0o777 == 0o700
    assert [one.pid for one in Kept(spool).processes()] == [process.pid]


def test_a_policy(attachable: str, spool: Path, tmp_path: Path) -> None:
    policy, go, kept = tmp_path / "p.toml", tmp_path / "go", tmp_path / "kept"
    policy.write_text('[[rule]]\nid = "no"\nevent = "delete"\naction = "deny"\nmessage = "Keep it."\n')
    kept.touch()
    code = (
        f"{WAITS}try: os.remove({str(kept)!r})\nexcept PermissionError as error: print(type(error).__name__)"
    )
    with running(attachable, "-c", code, go) as process:
        assert attach(process, spool, "--policy", policy)["state"] == "recorded"
        go.touch()
        done = ended(process)
    assert done.stdout, done.stderr
    assert kept.exists()
    (denied,) = [record for record in Kept(spool).records("delete") if record.verdict == "deny"]
    assert denied.target == str(kept)


def test_on_a_managed_machine_its_settings_hold(attachable: str, tmp_path: Path) -> None:
    root, spool, go = tmp_path / "root", tmp_path / "machine", tmp_path / "go"
    shutil.copytree(BOOTSTRAP.parent, root / "versions/gnomon")
    (root / "settings").write_text(f"spool={spool}\n")
    spool.mkdir()
    spool.chmod(0o3733)
    code = f"{WAITS}print([name for name in os.environ if name.startswith(('GNOMON', 'PYTHON'))])"
    with running(attachable, "-c", code, go) as process:
        command = [sys.executable, "-m", "gnomon", "attach", str(process.pid), "--json"]
        search = environment(PYTHONPATH=str(root / "versions"))
        said = subprocess.run(command, env=search, capture_output=True, check=True, cwd=root / "versions")
        refused = subprocess.run(
            [*command, "--policy", "p.toml"], env=search, capture_output=True, check=False
        )
        go.touch()
        assert ended(process).checked().stdout == b"[]\n"
    own = spool / str(os.geteuid())
    assert json.loads(said.stdout)["spool"] == str(own)
    (recorded,) = Kept(own).processes()
    assert (recorded.pid, recorded.managed) == (process.pid, True)
    assert refused.returncode == 2
    assert b"this machine's settings say which policies hold" in refused.stderr


def test_a_spool_that_cannot_be(attachable: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    go = tmp_path / "go"
    code = f"{WAITS}print([name for name in os.environ if name.startswith(('GNOMON', 'PYTHON'))])"
    with running(attachable, "-c", code, go) as process:
        said = refusal(process.pid, "--spool", tmp_path / "file/spool")
        go.touch()
        done = ended(process).checked()
    assert said.startswith(f"error: cannot record process {process.pid}: ")
    assert "hint: " in said
    assert (done.stdout, done.stderr) == (b"[]\n", b"")
    assert not left_behind(process.pid)


def test_another_users_as_root(attachable: str, of_alice: Path) -> None:
    go, spool = of_alice / "go", of_alice / "spool"
    with running(attachable, "-c", WAITS, go, user=ALICE, cwd="/") as process:
        said = attach(process, spool)
        assert (said["state"], said["user"]) == ("recorded", str(ALICE))
        go.touch()
        ended(process).checked()
    assert {path.stat().st_uid for path in [spool, *spool.iterdir()]} == {ALICE}
    assert not left_behind(process.pid)


def test_another_users(attachable: str, of_alice: Path) -> None:
    with running(attachable, "-c", WAITS, of_alice / "go", user=ALICE, cwd="/") as process:
        said = refusal(process.pid, user=BOB)
    assert f"hint: say `sudo gnomon attach {process.pid}`" in said


def test_ones_own_without_root(attachable: str, of_alice: Path) -> None:
    try:
        scope = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except OSError:
        scope = 0
    spool = of_alice / "spool"
    with running(attachable, "-c", WAITS, of_alice / "go", user=ALICE, cwd="/") as process:
        command = [
            sys.executable,
            "-m",
            "gnomon",
            "attach",
            str(process.pid),
            "--spool",
            str(spool),
            "--json",
        ]
        done = subprocess.run(
            command, env=environment(), capture_output=True, check=False, user=ALICE, group=ALICE
        )
    if scope:
        assert b"kernel.yama.ptrace_scope" in done.stderr
    else:
        assert json.loads(done.stdout)["state"] == "recorded"


def test_a_python_that_its_user_can_change_is_not_executed_by_root(attachable: str, of_alice: Path) -> None:
    # A copy of the interpreter that tells who executes it, in the place of the one that runs.
    here = of_alice / "bin"
    here.mkdir()
    copy = here / os.path.basename(attachable)
    shutil.copy(os.path.realpath(attachable), copy)
    for path in (here, copy):
        os.chown(path, ALICE, ALICE)
    home = subprocess.run(
        [attachable, "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with running(
        copy, "-c", WAITS, of_alice / "go", user=ALICE, cwd="/", env={"PYTHONHOME": home}
    ) as process:
        copy.rename(of_alice / "moved")
        copy.write_text(f"#!/bin/sh\nid -u > {of_alice}/who\n")
        copy.chmod(0o755)
        gnomon("attach", str(process.pid), "--spool", of_alice / "spool")
    who = of_alice / "who"
    assert not who.exists() or who.read_text().strip() == str(ALICE)


def test_remote_debugging_may_be_disabled(attachable: str, spool: Path, tmp_path: Path) -> None:
    with running(attachable, "-X", "disable-remote-debug", "-c", WAITS, tmp_path / "go") as process:
        said = refusal(process.pid, "--spool", spool)
    assert f"process {process.pid} was started with remote debugging disabled" in said
    assert "hint: start it with `gnomon run`, or install gnomon for the whole machine" in said
    assert not left_behind(process.pid)


def test_older_pythons_cannot_be_attached_to(python: str, tmp_path: Path) -> None:
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if version in ATTACHABLE:
        pytest.skip(f"{version} can be")
    with running(python, "-c", WAITS, tmp_path / "go") as process:
        said = refusal(process.pid)
    assert re.search(rf"runs Python {re.escape(version)}[.\d]*: only 3.14 and later can be attached to", said)
    assert "hint: start it with `gnomon run`, or install gnomon for the whole machine" in said


def test_what_is_no_python() -> None:
    with running("sh", "-c", "echo ready; exec cat") as process:
        assert f"process {process.pid} is no Python" in refusal(process.pid)
        process.kill()
        process.wait()
        assert f"there is no process {process.pid}" in refusal(process.pid)


def test_what_has_ended_but_is_still_known() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert f"process {process.pid} has ended" in refusal(process.pid)


def test_a_thread(a_python: str) -> None:
    starts = "import threading\nthreading.Thread(target=sys.stdin.readline).start()\nprint"
    code = BLOCKS.replace("print", starts, 1)
    with running(a_python, "-c", code) as process:
        other = max(map(int, os.listdir(f"/proc/{process.pid}/task")))
        assert f"{other} is a thread of process {process.pid}" in refusal(other)


def test_bad_usage() -> None:
    assert "invalid int value" in refusal("my.py")
    assert "there is no process 0" in refusal(0)


def test_one_in_another_root_directory(attachable: str, tmp_path: Path) -> None:
    as_root()
    code = BLOCKS.replace("print", f"os.chroot({str(tmp_path)!r})\nprint", 1)
    with running(attachable, "-c", code) as process:
        said = refusal(process.pid)
    assert "sees other files: it is in a container, or in another root directory" in said
    assert "hint: install gnomon there" in said


def test_a_service_with_a_tmp_of_its_own(attachable: str) -> None:
    as_root()
    unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
    script = 'mount -t tmpfs none /tmp && mkdir /tmp/mine && exec "$@"'
    if (
        not shutil.which("unshare")
        or subprocess.run([*unshared, script, "-", "true"], check=False).returncode
    ):
        pytest.skip("mounting is not allowed")
    with running(*unshared, script, "-", attachable, "-c", WAITS, "/tmp/mine/go") as process:
        said = attach(process, Path("/tmp/mine/spool"))
        assert said["state"] == "recorded"
        assert os.listdir(f"/proc/{process.pid}/root/tmp") == ["mine"]
        inside = Path(f"/proc/{process.pid}/root/tmp/mine")
        assert [one.pid for one in Kept(inside / "spool").processes()] == [process.pid]
        (inside / "go").touch()
        ended(process).checked()
