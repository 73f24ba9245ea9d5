"""What a program and its user meet under a policy: live, in interpreters of every version."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import gnomon
from obeying import policy, under
from watching import Kept, armed_environment, bare, program

DENIES = """
[[rule]]
id = "files"
path = "{root}/protected/"
action = "deny"

[[rule]]
id = "maps"
event = "map"
path = "{root}/mapped"
action = "deny"

[[rule]]
id = "temporary"
path = "{root}/listed/"
access = "write"
action = "deny"

[[rule]]
id = "commands"
argv = "*/forbidden"
action = "deny"

[[rule]]
id = "forks"
event = "fork"
action = "deny"

[[rule]]
id = "hosts"
host = ".denied.example"
action = "deny"

[[rule]]
id = "addresses"
event = ["connect", "send"]
address = "127.0.0.2"
action = "deny"

[[rule]]
id = "listening"
event = "bind"
address = "127.0.0.3"
action = "deny"

[[rule]]
id = "urls"
url = "http://*/denied"
action = "deny"

[[rule]]
id = "modules"
module = ["denied_module", "denied_package", "_lsprof"]
action = "deny"

[[rule]]
id = "signals"
event = "kill"
action = "deny"
"""


def protected(root: Path) -> Path:
    """A folder for the subjects, with something that a policy protects."""
    for folder in ("protected/empty", "listed", "modules/denied_package"):
        (root / folder).mkdir(parents=True)
    (root / "protected/secret.txt").write_text("secret")
    (root / "protected/library.so").write_text("")
    (root / "protected-by-another-name").hardlink_to(root / "protected/secret.txt")
    (root / "mapped").write_text("mapped")
    (root / "public.txt").write_text("public")
    (root / "modules/denied_module.py").write_text("value = 1\n")
    (root / "modules/imports_denied_module.py").write_text("import denied_module\n")
    (root / "modules/denied_package/__init__.py").write_text("")
    (root / "modules/denied_package/below.py").write_text("")
    return root


def test_what_is_denied_does_not_happen(python: str, tmp_path: Path, spool: Path) -> None:
    root = protected(tmp_path / "subject")
    denies = policy(DENIES.format(root=root), tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "protected/socket"))
        server.listen()
        done = under(
            denies, [python, program("is_denied.py")], spool, cwd=root, PYTHONPATH=str(root / "modules")
        ).checked()
    found = json.loads(done.stdout)
    unlike = {
        name: outcome
        for name, outcome in found.items()
        if outcome != ("denied as ImportError" if name.startswith("import_") else "denied as PermissionError")
    }
    if "/python3.9" in python:  # whose http.client tells nothing: what it sends is stopped
        assert unlike.pop("http_client") == "PermissionError: [Errno 13] Permission denied"
    assert (unlike, done.stderr) == ({}, b"")
    assert not Kept(spool).damage() and not Kept(spool).lost()


DENY = """
[[rule]]
id = "no"
path = "{}"
action = "deny"
message = "It is protected."
owner = "it@example.com"
"""


def rule(action: str, path: Path | str, more: str = "") -> str:
    return f'[[rule]]\nid = "{action}"\npath = "{path}"\naction = "{action}"\n{more}\n'


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("secret")
    return path


def test_a_denial_is_stored_before_it_is_raised(
    python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    done = under(
        policy(DENY.format(secret), tmp_path), [python, program("dies_when_denied.py"), str(secret)], spool
    )
    assert done.status == -signal.SIGKILL
    (record,) = Kept(spool).records("open")
    assert (record.target, record.outcome, record.verdict) == (str(secret), "denied", "deny")
    assert (record.rule, record.line, record.file) == ("test/no", 8, program("dies_when_denied.py"))


@pytest.mark.parametrize("more", [[], ["exits"]])
def test_a_program_s_own_way_is_not_changed(
    a_python: str, tmp_path: Path, spool: Path, secret: Path, more: list[str]
) -> None:
    """It does, prints and returns what it does where the file is not there."""
    command = [a_python, program("goes_on_without.py")]
    denied = under(policy(DENY.format(secret), tmp_path), [*command, str(secret), *more], spool)
    assert denied == bare([*command, str(tmp_path / "nowhere"), *more])
    assert denied.stdout == b"without\n"


def test_who_handles_nothing_ends_with_the_traceback(
    python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    script = tmp_path / "reads.py"
    script.write_text(f"def read():\n    open({str(secret)!r})\n\nread()\n")
    done = under(policy(DENY.format(secret), tmp_path), [python, str(script)], spool)
    frames, error = done.stderr.decode().split("gnomon.PolicyDenied: ")
    assert frames.startswith("Traceback (most recent call last):\n") and frames.count("  File ") == 2
    assert error.splitlines() == [
        f"reading {secret} was stopped at reads.py:2 by the policy rule test/no",
        "  Why: It is protected.",
        "  Ask: it@example.com",
        "  To ask for an exception: gnomon policy request test/no",
    ]
    assert done.status == 1


STARTS: dict[str, tuple[str, list[str], bytes]] = {
    "path": ('script = "{folder}/"', ["{folder}/prints.py"], b""),
    "relative path": ('script = "{folder}/prints.py"', ["prints.py"], b""),
    "link": ('script = "{folder}/prints.py"', ["link.py"], b""),
    "content": ('script_sha256 = "{sha256}"', ["{folder}/prints.py"], b""),
    "command": ('script = "-c"', ["-c", "print(1)"], b""),
    "standard input": ('script = "-"', ["-"], b"print(1)\n"),
    "nothing": ('script = "-"', [], b"print(1)\n"),
    "module": ('script = "-m prints"', ["-m", "prints"], b""),
    "file of a module": ('script = "{folder}/prints.py"', ["-m", "prints"], b""),
    "folder": ('script = "{folder}/application/**"', ["application"], b""),
    "all": ("", ["-c", "print(1)"], b""),
}


@pytest.mark.parametrize("how", STARTS)
def test_a_start_is_denied(python: str, tmp_path: Path, spool: Path, how: str) -> None:
    condition, arguments, stdin = STARTS[how]
    folder = tmp_path / "folder"
    (folder / "application").mkdir(parents=True)
    text = "print(1)\n"
    for name in ("prints.py", "application/__main__.py"):
        (folder / name).write_text(text)
    (folder / "link.py").symlink_to("prints.py")
    places = {"folder": folder, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    rules = f'[[rule]]\nid = "no"\nevent = "script"\naction = "deny"\n{condition.format(**places)}\n'
    command = [python, *(argument.format(**places) for argument in arguments)]
    done = under(policy(rules, tmp_path), command, spool, stdin=stdin, cwd=folder, PYTHONPATH=str(folder))
    assert (done.status, done.stdout) == (1, b"")
    lines = done.stderr.decode().splitlines()
    assert lines[-2].startswith("gnomon.PolicyDenied: running ") and lines[-2].endswith(" rule test/no")
    # `-m` has started by then: its traceback has frames of runpy alone.
    assert len(lines) == 2 or how in ("module", "file of a module", "folder")
    (process,) = Kept(spool).processes()
    assert process.status == 1


def test_a_package_is_imported_before_its_module_is_denied(
    a_python: str, tmp_path: Path, spool: Path
) -> None:
    """By runpy, before the module is found: docs/policy.md says so."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").write_text("print('package')\n")
    (tmp_path / "package/module.py").write_text("print('module')\n")
    rules = '[[rule]]\nid = "no"\nevent = "script"\nscript = "-m package.*"\naction = "deny"\n'
    done = under(policy(rules, tmp_path), [a_python, "-m", "package.module"], spool, cwd=tmp_path)
    assert (done.status, done.stdout) == (1, b"package\n")


@pytest.mark.parametrize("how", STARTS)
def test_another_start_is_not_denied(a_python: str, tmp_path: Path, spool: Path, how: str) -> None:
    condition = STARTS[how][0].format(folder=tmp_path / "folder", sha256="0" * 64)
    if not condition:
        pytest.skip("this rule is about all starts")
    rules = f'[[rule]]\nid = "no"\nevent = "script"\naction = "deny"\n{condition}\n'
    under(policy(rules, tmp_path), [a_python, program("does_nothing.py")], spool).checked()


def test_a_warning_comes_once_for_each_place(python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    rules = rule("warn", secret, 'message = "Careful."')
    done = under(policy(rules, tmp_path), [python, program("opens_often.py"), str(secret)], spool).checked()
    assert done.stderr.decode().splitlines() == [
        f"gnomon: warning: reading {secret} at opens_often.py:{line}: Careful. (policy rule test/warn)"
        for line in (9, 18)
    ]
    records = list(Kept(spool).records("open"))
    assert sum(record.count for record in records) == 901
    assert {(record.verdict, record.rule, record.outcome) for record in records} == {
        ("warn", "test/warn", "done")
    }


def test_two_rules_warn_of_one_place(a_python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    policies = [policy(rule("warn", secret), tmp_path, name) for name in ("one", "two")]
    other = policy(rule("warn", f"{tmp_path}/*.txt"), tmp_path, "three")
    done = under([*policies, other], [a_python, program("opens_often.py"), str(secret)], spool).checked()
    # The strictest verdict counts, and among those that are alike the first.
    assert done.stderr.count(b"policy rule one/warn") == done.stderr.count(b"gnomon: warning") == 2


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_justification_is_recorded(
    a_python: str, tmp_path: Path, spool: Path, secret: Path, mode: str
) -> None:
    rules = rule("justify", secret, f'mode = "{mode}"')
    command = [a_python, program("goes_on_without.py"), str(secret), "exits"]
    done = under(policy(rules, tmp_path), command, spool, GNOMON_JUSTIFY=" ticket 4711 ")
    assert (done.status, done.stdout, done.stderr) == (7, b"secret\n", b"")
    (record,) = Kept(spool).records("open")
    if mode == "enforce":
        found = (record.verdict, record.outcome, record.reason, record.shadow_verdict)
        assert found == ("justify", "done", "ticket 4711", None)
    else:
        found = (record.verdict, record.outcome, record.reason, record.shadow_verdict)
        assert found == ("allow", "done", None, "justify")


def test_a_justification_on_the_command_line(tmp_path: Path, spool: Path, secret: Path) -> None:
    source = tmp_path / "p.toml"
    source.write_text(rule("justify", secret))
    command = ["run", "--quiet", "--spool", spool, "--policy", source]
    subject = [program("goes_on_without.py"), secret, "exits"]
    assert gnomon(*command, "--justify", "ticket 4711", *subject).stdout == b"secret\n"
    assert gnomon(*command, *subject).stdout == b"without\n"
    records = Kept(spool).records("open")
    found = sorted((str(record.outcome), str(record.reason)) for record in records if record.rule)
    assert found == [("denied", "None"), ("done", "ticket 4711")]


def test_without_a_justification_it_is_stopped_and_says_how(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    command = ["setsid", "--wait", a_python, "-c", f"open({str(secret)!r})"]
    done = under(policy(rule("justify", secret), tmp_path), command, spool, GNOMON_JUSTIFY="  ")
    assert done.status == 1
    assert done.stderr.decode().splitlines()[-1] == (
        '  To go on, say why: gnomon run --justify "the reason" …, or set GNOMON_JUSTIFY'
    )
    (record,) = Kept(spool).records("open")
    assert (record.verdict, record.outcome, record.reason) == ("justify", "denied", None)


@pytest.mark.parametrize("how", ["file", "rule", "command line"])
def test_what_is_observed_never_acts(a_python: str, tmp_path: Path, spool: Path, how: str) -> None:
    root = protected(tmp_path / "subject")
    rules = DENIES.format(root=root).replace('"deny"', '"justify"', 2)
    if how == "file":
        rules = 'mode = "observe"\n' + rules
    elif how == "rule":
        rules = rules.replace("[[rule]]", '[[rule]]\nmode = "observe"')
    source = tmp_path / "source.toml"
    source.write_text(rules)
    # Not what leaves the process, or the machine.
    harmless = ["open_to_read", "open_to_write", "os_open", "listdir", "import_statement", "import_extension"]
    command = [a_python, program("is_denied.py"), *harmless, "kill", "run", "fork", "dlopen"]
    if how == "command line":
        source.write_text(
            rules.replace('"deny"', '"deny"\nmessage = "No."').replace(
                '"justify"', '"justify"\nmessage = "Why?"'
            )
        )
        options = ["--quiet", "--spool", spool, "--policy", source, "--observe"]
        done = gnomon("run", *options, "--", *command, cwd=root, PYTHONPATH=str(root / "modules"))
    else:
        done = under(policy(rules, tmp_path), command, spool, cwd=root, PYTHONPATH=str(root / "modules"))
    bare_root = protected(tmp_path / "bare")
    alone = bare(command, cwd=bare_root, PYTHONPATH=str(bare_root / "modules"))
    assert done.stdout.replace(bytes(root), b"") == alone.stdout.replace(bytes(bare_root), b"")
    assert (done.status, done.stderr) == (0, b"")
    records = [record for record in Kept(spool).records() if record.verdict]
    assert {record.verdict for record in records} == {"allow"} and len(records) >= 8
    assert {record.shadow_verdict for record in records} == {"justify", "deny"}
    assert not any(record.outcome == "denied" for record in records)


def test_records_carry_the_enforced_and_the_shadow_verdict(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    enforced = policy(rule("warn", secret), tmp_path, "enforced")
    shadow = policy('mode = "observe"\n' + rule("deny", secret), tmp_path, "shadow")
    under([enforced, shadow], [a_python, program("opens_often.py"), str(secret)], spool).checked()
    for record in Kept(spool).records("open"):
        found = (record.verdict, record.rule, record.shadow_verdict, record.shadow_rule, record.outcome)
        assert found == ("warn", "enforced/warn", "deny", "shadow/deny", "done")


@pytest.mark.parametrize("until, status", [("2001-01-01", 0), ("2199-01-01", 1), ("2001-01-01T00:00:00Z", 0)])
def test_a_rule_counts_until_its_time(
    a_python: str, tmp_path: Path, spool: Path, secret: Path, until: str, status: int
) -> None:
    rules = rule("deny", secret, f"until = {until}")
    command = [a_python, "-c", f"open({str(secret)!r})"]
    assert under(policy(rules, tmp_path), command, spool).status == status


def test_children_are_under_the_same_policy(python: str, tmp_path: Path, spool: Path, secret: Path) -> None:
    done = under(
        policy(DENY.format(secret), tmp_path), [python, program("has_children.py"), str(secret)], spool
    )
    assert set(json.loads(done.checked().stdout).values()) == {"denied"}
    assert len(json.loads(done.stdout)) == 5
    assert sum(record.count for record in Kept(spool).records("open") if record.outcome == "denied") == 5


def newer(data: bytes) -> bytes:
    """A compiled policy of a later version, as far as this one can tell."""
    head = data[:8] + struct.pack("<I", 99) + data[12:24]
    return head + data[24:]


# Larger policies are mapped.
_NAMES = ", ".join(f'"host-{number}.example"' for number in range(10_000))
HOSTS = f'[[rule]]\nid = "hosts"\nhost = [{_NAMES}]\naction = "warn"\n'


def big(secret: Path) -> str:
    return HOSTS + DENY.format(secret)


UNUSABLE = {
    "missing": lambda path: path.unlink(),
    "broken": lambda path: path.write_bytes(b"\0" * 1000),
    "newer": lambda path: path.write_bytes(newer(path.read_bytes())),
    "writable": lambda path: path.chmod(0o666),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut at the end": lambda path: os.truncate(path, path.stat().st_size - 1),
}


@pytest.mark.parametrize("size", ["small", "big"])
@pytest.mark.parametrize("how", UNUSABLE)
def test_a_policy_that_cannot_be_used(
    a_python: str, tmp_path: Path, spool: Path, secret: Path, how: str, size: str
) -> None:
    path = Path(policy(DENY.format(secret) if size == "small" else big(secret), tmp_path))
    UNUSABLE[how](path)
    state = how if how in ("missing", "newer", "writable") else "broken"
    command = [a_python, program("opens_often.py"), str(secret)]
    done = under(str(path), command, spool).checked()
    assert done.stderr == b""
    (record,) = Kept(spool).records("policy")
    assert (record.target, record.detail, record.sha256) == (str(path), state, None)
    closed = under(str(path), command, spool, GNOMON_POLICY_FAIL="closed")
    assert (closed.status, closed.stdout) == (1, b"")
    assert closed.stderr.decode().splitlines() == [
        f"gnomon.PolicyDenied: running {command[1]} was stopped: the policy {path} is {state},"
        " and its owner wants nothing to run without it"
    ]


def test_a_policy_that_can_be_used_closes_nothing(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> None:
    command = [a_python, program("opens_often.py"), program("opens_often.py")]
    path = policy(big(secret), tmp_path)
    under(path, command, spool, GNOMON_POLICY_FAIL="closed").checked()
    (record,) = Kept(spool).records("policy")
    assert (record.target, record.detail) == (path, "loaded") and record.sha256


@pytest.fixture
def runs_on(
    a_python: str, tmp_path: Path, spool: Path, secret: Path
) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the subject that opens the secret on and on, under a policy."""
    started: list[subprocess.Popen[str]] = []

    def start(path: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [a_python, program("tries_on_and_on.py"), str(secret)],
                env=armed_environment(spool, GNOMON_POLICY=path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def says(subject: subprocess.Popen[str]) -> str:
    assert subject.stdout is not None
    assert select.select([subject.stdout], [], [], 60)[0], "it says nothing new for a minute"
    return subject.stdout.readline().rstrip("\n")


def states(spool: Path, wanted: list[str]) -> None:
    """Waits until the records of the policy say so."""
    deadline = time.monotonic() + 60
    while (found := [str(record.detail) for record in Kept(spool).records("policy")]) != wanted:
        assert time.monotonic() < deadline and wanted[: len(found)] == found, found
        time.sleep(0.05)


def test_a_policy_is_replaced_while_a_program_runs(
    runs_on: Callable[[str], subprocess.Popen[str]], tmp_path: Path, spool: Path, secret: Path
) -> None:
    # The first says nothing of files: that there is a new one is noticed all the same.
    path = policy(HOSTS, tmp_path)
    subject = runs_on(path)
    assert says(subject) == "done"
    source = tmp_path / "new.toml"
    source.write_text(DENY.format(secret))
    gnomon("policy", "compile", source, "-o", path).checked()
    assert says(subject) == "denied"
    os.unlink(path)
    states(spool, ["loaded", "replaced", "missing"])
    Path(path).write_bytes(b"broken")
    states(spool, ["loaded", "replaced", "missing", "broken"])
    source.write_text(rule("warn", tmp_path / "other"))
    gnomon("policy", "compile", source, "-o", path).checked()
    assert says(subject) == "done"
    states(spool, ["loaded", "replaced", "missing", "broken", "replaced"])
    out, _ = subject.communicate("\n")
    assert (out, subject.returncode) == ("", 0)


def test_a_policy_that_comes_late_is_taken_up(
    runs_on: Callable[[str], subprocess.Popen[str]], tmp_path: Path, spool: Path, secret: Path
) -> None:
    path = tmp_path / "late.gnomon-policy"
    subject = runs_on(str(path))
    assert says(subject) == "done"
    os.rename(policy(DENY.format(secret), tmp_path), path)
    assert says(subject) == "denied"
    states(spool, ["missing", "replaced"])
