"""`gnomon policy replay`: the answer that was given live, for everything recorded."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path

import pytest

from commands import gnomon
from gnomon._native import compile_policy, replay_policy
from gnomon.policy import write
from watching import PROGRAMS, Kept, armed, bare, program

# A rule for each kind of event, some for a second field; nothing that depends on what was before.
RULES = """
name = "all"
[[rule]]
id = "made"
path = "**/made*"
access = "read"
action = "warn"
[[rule]]
id = "writes"
path = "{folder}/**"
access = "write"
action = "{strict}"
mode = "observe"
[[rule]]
id = "below"
path = "./"
action = "warn"
[[rule]]
id = "home"
path = "~/**"
action = "warn"
[[rule]]
id = "own"
event = ["connect", "bind", "send"]
address = ["loopback", "unix"]
port = ["1-65535"]
action = "warn"
[[rule]]
id = "names"
host = ["localhost", "*.example"]
action = "{strict}"
[[rule]]
id = "requests"
event = ["http", "request"]
url = "*://127.0.0.1*/*"
action = "{strict}"
[[rule]]
id = "sockets"
path = "**/*sock*"
event = ["connect", "bind", "send"]
action = "warn"
[[rule]]
id = "children"
program = ["true", "python*", "sh"]
action = "{strict}"
[[rule]]
id = "arguments"
argv = "* -c *"
action = "warn"
[[rule]]
id = "forks"
event = "fork"
action = "warn"
[[rule]]
id = "pickle"
module = "pickle"
action = "{strict}"
[[rule]]
id = "pip"
distribution = ["pip", "gnomon>=99"]
action = "warn"
mode = "observe"
[[rule]]
id = "scripts"
event = "script"
script = ["**/programs/", "-c", "-"]
action = "warn"
[[rule]]
id = "mine"
event = "list"
user = "{user}"
action = "warn"
[[rule]]
id = "group"
event = "mkdir"
group = "{group}"
action = "warn"
[[rule]]
id = "others"
event = ["code", "unpickle", "kill", "limit", "setenv", "tamper", "native", "database"]
script = "**/*operations.py"
action = "warn"
"""
Row = tuple["str | None", "str | None", "str | None", "str | None"]


def _operations(name: str) -> list[str]:
    tree = ast.parse((PROGRAMS / name).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def _policy(folder: Path, text: str, name: str = "policy.toml") -> tuple[bytes, Path]:
    (folder / name).write_text(text)
    data, problems = compile_policy([folder / name])
    assert data is not None, [problem.message for problem in problems]
    compiled = folder / f"{name}.gnomon-policy"
    write(data, compiled)
    return data, compiled


def _live(kept: Kept) -> dict[tuple[str, int], Row]:
    """What records say that policy said. That an import may go on is not recorded."""
    found = {}
    for record in kept.records():
        row = (record.verdict, record.rule, record.shadow_verdict, record.shadow_rule)
        if record.kind != "script" and row[0] is not None:
            found[record.process, record.seq] = row
    return found


def _replayed(data: bytes, spool: Path) -> dict[tuple[str, int], Row]:
    found = {}
    for process, seq, kind, verdict, rule, *shadow in replay_policy(data, [spool], each=True).each:
        row = (verdict or "allow", rule, *shadow)
        if kind != "script" and (kind != "import" or verdict != "allow" or shadow[0]):
            found[process, seq] = row
    return found


@pytest.mark.parametrize("strict", ["warn", "deny"])
@pytest.mark.parametrize("name", ["operations.py", "more_operations.py", "requests_made.py"])
def test_a_replay_gives_the_answer_that_was_given(
    name: str, strict: str, a_python: str, spool: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    user, group = bare(["id", "-un"]).stdout.decode().strip(), str(os.getgid())
    text = RULES.format(folder=folder, user=user, group=group, strict=strict)
    data, compiled = _policy(tmp_path, text)
    for number, operation in enumerate(_operations(name)):
        place = folder / str(number)
        place.mkdir()
        for file in ("made", "made.csv"):
            (place / file).write_text("x")
        armed([a_python, program(name), operation], spool, cwd=place, GNOMON_POLICY=str(compiled))
    kept = Kept(spool)
    live, replayed = _live(kept), _replayed(data, spool)
    differing = {key for key in live.keys() | replayed.keys() if live.get(key) != replayed.get(key)}
    by_key = {(record.process, record.seq): record for record in kept.records()}
    told = [
        (record.kind, record.target, record.requested, live.get(key), replayed.get(key))
        for key in differing
        for record in [by_key[key]]
        # Where a link points to, and which directory a descriptor is, is known in the moment only.
        if record.kind != "symlink" and not (record.kind == "open" and not str(record.target).startswith("/"))
    ]
    assert not told
    assert len(live) > 10


def test_a_script_is_judged_as_when_it_started(a_python: str, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "script.py").write_text("pass\n")
    (tmp_path / "link.py").symlink_to("real/script.py")
    data, compiled = _policy(
        tmp_path, '[[rule]]\nid = "real"\nevent = "script"\nscript = "./real/"\naction = "deny"\n'
    )
    done = armed([a_python, str(tmp_path / "link.py")], spool, GNOMON_POLICY=str(compiled))
    assert done.status != 0
    (finding,) = replay_policy(data, [spool]).findings
    assert (finding.rule, finding.events, finding.scripts[0].doing) == (
        "policy/real",
        1,
        f"running {tmp_path}/link.py",
    )


def test_versions_are_those_that_were_installed(a_python: str, spool: Path, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    (packages / "yaml").mkdir(parents=True)
    (packages / "yaml" / "__init__.py").touch()
    metadata = packages / "PyYAML-5.3.1.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("yaml/__init__.py,,\n")
    armed([a_python, "-c", "import yaml"], spool, PYTHONPATH=str(packages)).checked()
    metadata.rename(packages / "PyYAML-6.0.dist-info")
    rule = '[[rule]]\nid = "a"\ndistribution = "pyyaml{}"\naction = "deny"\n'
    data, compiled = _policy(tmp_path, rule.format("<5.4"))
    (finding,) = replay_policy(data, [spool]).findings
    assert finding.events == 1 and finding.scripts[0].doing == "importing yaml"
    (packages / "PyYAML-6.0.dist-info").rename(metadata)
    # Where all that is imported is denied, the list is there too.
    other = spool.with_name("other")
    other.mkdir(mode=0o700)
    armed([a_python, "-c", "import yaml"], other, PYTHONPATH=str(packages), GNOMON_POLICY=str(compiled))
    assert [finding.events for finding in replay_policy(data, [other]).findings] == [1]
    assert not replay_policy(_policy(tmp_path, rule.format(">=5.4"))[0], [spool, other]).findings


@pytest.fixture
def recorded(spool: Path, tmp_path: Path) -> Path:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "x.csv").write_text("1")
    (tmp_path / "report.py").write_text("for _ in range(3):\n    open('hr/x.csv').close()\n")
    (tmp_path / "other.py").write_text("\n\nopen('hr/x.csv').close()\n")
    for script in ("report.py", "other.py", "report.py"):
        gnomon("run", "--quiet", "--spool", spool, script, cwd=tmp_path).checked()
    return spool


HR = '[[rule]]\nid = "hr"\npath = "./hr/"\naction = "deny"\nmessage = "Ask HR."\n'


def test_a_manager_reads_what_would_have_been_stopped(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "finance.toml").write_text(HR + '[[rule]]\nid = "silent"\nport = 23\naction = "warn"\n')
    done = gnomon("policy", "replay", "finance.toml", recorded, cwd=tmp_path).checked()
    said = done.stdout.decode()
    print(said)
    assert "7 events would have been stopped, in 3 runs of 2 scripts by 1 person:" in said
    assert "  finance/hr: 7× in 3 runs of 2 scripts by 1 person\n    Ask HR.\n" in said
    assert "report.py: 6×\n" in said and "other.py: once\n" in said
    assert "other.py:3 reading hr/x.csv" in said and "report.py:2 reading hr/x.csv" in said
    assert "1 rule of 2 matched nothing." in said


def test_what_is_observed_is_shown_as_observed(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "finance.toml").write_text('mode = "observe"\n' + HR)
    said = gnomon("policy", "replay", "finance.toml", recorded, cwd=tmp_path).checked().stdout.decode()
    assert "7 events would have been stopped, were it enforced, in 3 runs" in said
    assert "finance/hr (observed): 7×" in said


def test_several_policies_speak_by_the_strictest(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HR.replace("deny", "allow"))
    (tmp_path / "b.toml").write_text(HR)
    arguments = ["policy", "replay", "a.toml", "b.toml", recorded, "--format", "json"]
    found = json.loads(gnomon(*arguments, cwd=tmp_path).checked().stdout)
    assert [(one["rule"], one["action"], one["events"]) for one in found["findings"]] == [("b/hr", "deny", 7)]
    assert found["findings"][0]["scripts"][0]["first"]["line"] in (2, 3)


def test_only_what_is_asked_for_is_replayed(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HR)
    run = next(process.run for process in Kept(recorded).processes() if process.run)

    def events(*arguments: str) -> list[int]:
        done = gnomon("policy", "replay", "a.toml", recorded, "--format", "json", *arguments, cwd=tmp_path)
        return [finding["events"] for finding in json.loads(done.checked().stdout)["findings"]]

    assert events("--run", str(run)) == [3]
    assert events("--since", "2100-01-01") == []
    assert events("--since", "1h") == [7]
    assert gnomon("policy", "replay", "a.toml", recorded, "--run", "x", cwd=tmp_path).status == 2


def test_what_cannot_be_replayed_is_said(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(HR)
    done = gnomon("policy", "replay", "a.toml", tmp_path / "gone", cwd=tmp_path)
    assert done.status == 1 and b"there is none" in done.stderr
    said = gnomon("policy", "replay", "a.toml", spool, cwd=tmp_path).checked().stdout.decode()
    assert said == "Nothing is recorded that a policy could speak of.\n"
    done = gnomon("policy", "replay", "gone.toml", spool, cwd=tmp_path)
    assert done.status == 1 and b"cannot read `gone.toml`" in done.stderr


def test_the_groups_of_the_account_are_recorded(spool: Path, tmp_path: Path) -> None:
    armed([sys.executable, "-c", "open('/etc/hostname')"], spool).checked()
    rule = '[[rule]]\nid = "a"\npath = "/etc/"\ngroup = {}\naction = "warn"\n'
    data, _ = _policy(tmp_path, rule.format(os.getgid()))
    found = replay_policy(data, [spool])
    assert len(found.findings) == 1 and found.without_groups == 0
    data, _ = _policy(tmp_path, rule.format('"no-such-group"'))
    assert not replay_policy(data, [spool]).findings
