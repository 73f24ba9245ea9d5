"""What people and CI see of what policy said: the screen, `--fail-on`, SARIF, annotations, events."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from commands import events, gnomon
from gnomon import Spool
from gnomon._native import compile_policy, policy_rules
from gnomon.answer import Answer, as_json
from gnomon.screen import as_text
from watching import Ended

POLICY = """\
name = "finance"

[[rule]]
id = "hr"
path = "./hr/"
action = "deny"
message = "Salaries are for HR only."
owner = "hr-it@example.com"
link = "https://wiki.example/hr data"

[[rule]]
id = "pay"
path = "./pay*"
action = "justify"
message = "Payments need a ticket."

[[rule]]
id = "exports"
path = "./out/"
access = "write"
action = "warn"
message = "100% of exports, and more:\\nuse the share."

[[rule]]
id = "curl"
program = "curl"
action = "deny"
message = "Use requests."

[[rule]]
id = "pickle"
module = "pickle"
action = "deny"
message = "Use JSON."

[[rule]]
id = "logs"
path = "./logs/"
mode = "observe"
action = "deny"
message = "Logs go elsewhere."

[[rule]]
id = "withdrawn"
event = "script"
script = "./withdrawn.py"
action = "deny"
message = "This script was withdrawn."
"""


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a policy, and things that it speaks of."""
    for name in ("hr", "out", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "hr" / "salaries.csv").write_text("1\n")
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def _script(desk: Path, text: str, name: str = "s.py") -> str:
    (desk / name).write_text(text)
    return name


def _run(desk: Path, *arguments: str, **more: str) -> Ended:
    return gnomon(
        "run",
        "--spool",
        desk / "spool",
        "--policy",
        "policy.toml",
        *arguments,
        cwd=desk,
        COLUMNS="120",
        **more,
    )


def _tries(*lines: str) -> str:
    """A script that goes on whatever is denied; the first line is its second."""
    return "import subprocess\n" + "".join(
        f"try: {line}\nexcept (OSError, ImportError): pass\n" for line in lines
    )


def _section(text: str, label: str) -> list[str]:
    found = re.search(rf"^  {label} +(.*(?:\n {{13}}.*)*)", text, re.MULTILINE)
    return [line.strip() for line in found[1].splitlines()] if found else []


def test_what_was_denied_is_said_with_the_rule_and_not_as_if_it_had_happened(desk: Path) -> None:
    denied = _tries(
        "open('hr/salaries.csv')",
        "open('hr/new.csv', 'w')",
        "subprocess.run(['curl', 'example.com'])",
        "import pickle",
        "open('out/x.csv', 'w')",
        "open('hr/salaries.csv')",
    )
    text = _run(desk, _script(desk, denied)).checked().stderr.decode()
    policy = _section(text, "Policy")
    assert policy[0] == "finance: 5 denied, 1 warned"
    assert re.fullmatch(r"denied  reading hr/salaries.csv  ×2 +s.py:2, 12", policy[1])
    assert re.fullmatch(r"writing hr/new.csv +s.py:4", policy[2])
    assert policy[3].startswith("finance/hr: Salaries are for HR only. (hr-it@example.com, https://wiki.")
    assert re.fullmatch(r"denied  starting curl example.com +s.py:6", policy[4])
    assert "importing pickle" in "\n".join(policy) and "warned  writing out/x.csv" in "\n".join(policy)
    assert _section(text, "Read") == ["no file"]
    assert [line.split()[0] for line in _section(text, "Wrote")] == ["out/x.csv"]
    assert _section(text, "Started") == ["no program"]
    assert "complete: events and native calls were proven" in text


def test_what_was_denied_is_in_the_json_as_a_verdict_only(desk: Path) -> None:
    program = _tries("open('hr/salaries.csv')", "open('logs/x', 'w')")
    _run(desk, "--quiet", _script(desk, program)).checked()
    done = gnomon("show", desk / "spool", "--format", "json").checked()
    answer = json.loads(done.stdout)
    denied, observed = answer["verdicts"]
    assert [use["path"] for use in answer["files"]] == [str(desk / "logs" / "x")]
    assert (denied["verdict"], denied["rule"], denied["is_stopped"]) == ("deny", "finance/hr", True)
    assert (denied["kind"], denied["target"], denied["count"]) == (
        "open",
        str(desk / "hr" / "salaries.csv"),
        1,
    )
    assert [(place["file"], place["line"], place["count"]) for place in denied["by"]] == [
        (str(desk / "s.py"), 2, 1)
    ]
    assert (observed["rule"], observed["is_observed"], observed["is_stopped"]) == (
        "finance/logs",
        True,
        False,
    )
    assert answer["rules"]["finance/hr"]["owner"] == "hr-it@example.com"


def test_without_a_word_of_policy_there_is_no_section(desk: Path) -> None:
    text = _run(desk, _script(desk, "open('plain', 'w')")).checked().stderr.decode()
    assert "Policy" not in text


def test_a_reason_and_its_lack_are_told_apart(desk: Path) -> None:
    script = _script(desk, _tries("open('pay.csv', 'w')"))
    without = _section(_run(desk, script).checked().stderr.decode(), "Policy")
    assert without[0] == "finance: 1 not justified"
    given = _section(_run(desk, "--justify", "ticket 4711", script).checked().stderr.decode(), "Policy")
    assert given[0] == "finance: 1 justified"
    assert given[-1] == "finance/pay: Payments need a ticket. Reason given: ticket 4711"


def test_observed_rules_say_what_they_would_have_done(desk: Path) -> None:
    script = _script(desk, _tries("open('hr/salaries.csv')", "open('pay.csv', 'w')", "open('logs/x', 'w')"))
    text = _run(desk, "--observe", script).checked().stderr.decode()
    assert _section(text, "Policy")[0] == "finance: 2 would be denied, 1 would need a reason"
    assert "hr/salaries.csv" in "".join(_section(text, "Read"))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_files_and_rules_stay_a_screen(desk: Path, width: int) -> None:
    many = "for at in range(40):\n    try: open(f'hr/d{at}.csv')\n    except OSError: pass\n"
    _run(desk, "--quiet", _script(desk, many + "open('out/x', 'w')"))
    text = as_text(Answer.of(Spool(desk / "spool")), width=width)
    policy = _section(text, "Policy")
    assert policy[0].startswith("finance: 40 denied, 1 warned")
    assert "40 files: d0.csv, d1.csv … d39.csv" in " ".join(policy)
    assert len(policy) < 20
    assert max(map(len, text.splitlines())) <= width


def test_a_script_that_was_denied_did_not_run(desk: Path) -> None:
    script = _script(desk, "open('out/x', 'w')", "withdrawn.py")
    done = _run(desk, "--fail-on", "deny", script)
    text = done.stderr.decode()
    assert done.status == 1  # its own
    assert "(denied: it did not run, " in _section(text, "Script")[0]
    assert _section(text, "Policy")[:2] == ["finance: 1 denied", "denied  running withdrawn.py"]
    (record,) = events(desk / "spool", "--verdict", "deny")
    assert (record["kind"], record["rule"], record["outcome"]) == ("script", "finance/withdrawn", "denied")
    line = gnomon("events", desk / "spool", "--rule", "withdrawn").checked().stdout.decode()
    assert line.strip().endswith("withdrawn.py [deny finance/withdrawn]")


def test_a_forked_child_is_not_said_to_be_started_again(desk: Path) -> None:
    (desk / "policy.toml").write_text(
        '[[rule]]\nid = "scripts"\nevent = "script"\naction = "justify"\nmessage = "Say why."\n'
    )
    script = _script(desk, "import os\nif os.fork() == 0: open('plain', 'w'); os._exit(0)\nos.wait()\n")
    _run(desk, "--quiet", "--justify", "password=hunter2 4711", script).checked()
    started = events(desk / "spool", "--kind", "script")
    assert [record["verdict"] for record in started] == ["justify", None]
    assert started[0]["reason"] == "password=*** 4711"


@pytest.mark.parametrize(
    ("tried", "level", "status"),
    [
        ("open('plain', 'w')", "warn", 0),
        ("open('out/x', 'w')", "warn", 3),
        ("open('out/x', 'w')", "justify", 0),
        ("open('pay', 'w')", "justify", 3),
        ("open('pay', 'w')", "deny", 3),  # without a reason it was stopped
        ("open('hr/salaries.csv')", "deny", 3),
        ("open('logs/x', 'w')", "warn", 0),  # only observed
    ],
)
def test_fail_on_fails_a_program_that_succeeded(desk: Path, tried: str, level: str, status: int) -> None:
    done = _run(desk, "--quiet", "--fail-on", level, _script(desk, _tries(tried)))
    assert done.status == status, done.stderr
    said = f"gnomon: exit code 3 by --fail-on {level}: 1 " in done.stderr.decode()
    assert said == (status == 3)


def test_fail_on_counts_what_was_justified_as_that(desk: Path) -> None:
    script = _script(desk, "open('pay', 'w')")
    for level, status in [("deny", 0), ("justify", 3)]:
        assert _run(desk, "--quiet", "--justify", "4711", "--fail-on", level, script).status == status


def test_fail_on_with_observe_counts_what_would_have_been(desk: Path) -> None:
    script = _script(desk, "open('hr/salaries.csv')")
    done = _run(desk, "--quiet", "--observe", "--fail-on", "deny", script)
    assert done.status == 3
    assert done.stderr == b"gnomon: exit code 3 by --fail-on deny: 1 would be denied (finance/hr)\n"


def test_a_failing_program_keeps_its_own_code(desk: Path) -> None:
    script = _script(desk, _tries("open('hr/salaries.csv')") + "raise SystemExit(7)")
    done = _run(desk, "--quiet", "--fail-on", "warn", script)
    assert (done.status, done.stderr) == (7, b"")
    killed = _script(desk, "import os\nos.kill(os.getpid(), 9)")
    assert _run(desk, "--quiet", "--fail-on", "warn", killed).status == -9


def test_a_policy_that_was_not_in_force_is_said_and_fails_the_check(desk: Path) -> None:
    broken = desk / "broken.gnomon-policy"
    broken.write_bytes(b"no policy")
    missing = f"{desk}/missing.gnomon-policy"
    policies = {"GNOMON_POLICY": f"{broken}:{missing}"}
    script = _script(desk, "open('hr/salaries.csv')")
    done = gnomon("run", "--spool", desk / "spool", "--fail-on", "warn", script, cwd=desk, **policies)
    text = done.stderr.decode()
    said = f"the policy {broken} was broken: nothing of it was enforced"
    assert done.status == 3
    coverage = " ".join(_section(text, "Coverage"))
    assert coverage == f"{said} the policy {missing} was missing: nothing of it was enforced"
    assert f"exit code 3 by --fail-on warn: {said}" in text
    closed = gnomon(
        "run", "--spool", desk / "spool", script, cwd=desk, GNOMON_POLICY_FAIL="closed", **policies
    )
    text = closed.stderr.decode()
    assert closed.status == 1
    assert _section(text, "Policy")[0] == "no policy: 1 denied"
    assert f"the policy {broken} was broken: nothing could run" in " ".join(_section(text, "Coverage"))


def _validated(path: Path) -> dict[str, Any]:
    """The document's only run, as the official schema has it."""
    document = json.loads(path.read_text())
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text())
    jsonschema.Draft4Validator(schema).validate(document)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def _place(result: Mapping[str, Any]) -> tuple[str, int]:
    (location,) = result["locations"]
    place = location["physicalLocation"]
    return place["artifactLocation"]["uri"], place["region"]["startLine"]


def test_sarif_has_a_result_for_each_verdict_and_line(desk: Path) -> None:
    (desk / "tools").mkdir()
    tries = _tries(
        "open('hr/salaries.csv')",
        "[open('hr/new.csv', 'w') for _ in range(1)]",
        "open('pay', 'w')",
        "[open(f'out/{at}', 'w') for at in range(3)]",
        "open('logs/x', 'w')",
    )
    script = _script(desk, tries, "tools/a b ü.py")
    _run(desk, "--quiet", "--sarif", "out.sarif", script).checked()
    run = _validated(desk / "out.sarif")
    found = [
        (result["ruleId"], result["level"], *_place(result), result["occurrenceCount"])
        for result in run["results"]
    ]
    uri = "tools/a%20b%20%C3%BC.py"
    assert found == [
        ("finance/hr", "error", uri, 2, 1),
        ("finance/hr", "error", uri, 4, 1),
        ("finance/pay", "error", uri, 6, 1),
        ("finance/exports", "warning", uri, 8, 3),
        ("finance/logs", "note", uri, 10, 1),
    ]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [rule for rule, *_ in found]
    assert rules[0]["shortDescription"]["text"] == "Salaries are for HR only."
    assert rules[0]["helpUri"] == "https://wiki.example/hr%20data"
    assert rules[0]["properties"]["owner"] == "hr-it@example.com"
    text = run["results"][3]["message"]["text"]
    assert text.startswith("writing out/0 and 2 more was warned of: 100% of exports, and more:")
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_has_no_result_without_a_place(desk: Path) -> None:
    """Code hosts refuse the whole document for one."""
    (desk / "elsewhere").mkdir()
    text = _tries(f"open({str(desk / 'hr' / 'salaries.csv')!r})")
    command = ("run", "--quiet", "--spool", desk / "spool", "--policy", desk / "policy.toml")
    for program in ([desk / _script(desk, text)], ["-c", text]):
        gnomon(*command, "--sarif", "out.sarif", *program, cwd=desk / "elsewhere").checked()
        run = _validated(desk / "elsewhere" / "out.sarif")
        (note,) = run["invocations"][0]["toolExecutionNotifications"]
        assert run["results"] == []
        assert note["level"] == "error"
        assert note["message"]["text"].endswith("ask hr-it@example.com)")


def test_sarif_of_nothing_is_a_document_too(desk: Path) -> None:
    _run(desk, "--quiet", "--sarif", "out.sarif", _script(desk, "pass")).checked()
    run = _validated(desk / "out.sarif")
    assert run["results"] == [] and run["tool"]["driver"]["rules"] == []


def test_sarif_that_cannot_be_written_is_an_error(desk: Path) -> None:
    script = _script(desk, "print('done')")
    done = _run(desk, "--quiet", "--sarif", "no/such/out.sarif", script)
    assert (done.status, done.stdout) == (1, b"done\n")
    assert done.stderr.startswith(
        b"error: cannot write `no/such/out.sarif`: no such file or directory\nhint: "
    )


def test_annotations_are_on_stderr_and_escaped(desk: Path) -> None:
    script = _script(desk, "open('out/a,b:c%', 'w')\nprint('mine')\nopen('logs/x', 'w')\n", "a,b.py")
    done = _run(desk, "--quiet", "--annotations", "github", script).checked()
    assert done.stdout == b"mine\n"
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("::")]
    assert lines == [
        "::warning file=a%2Cb.py,line=1,title=warned%3A finance/exports::writing out/a,b:c%25 was warned of: "
        "100%25 of exports, and more:\\nuse the share. (policy rule finance/exports)",
        "::notice file=a%2Cb.py,line=3,title=would be denied%3A finance/logs::writing logs/x "
        "would be denied: Logs go elsewhere. (policy rule finance/logs)",
    ]
    assert b"::" not in _run(desk, "--quiet", script).checked().stderr


def test_annotations_are_seen_from_the_root_of_the_repository(desk: Path) -> None:
    inner = desk / "out"
    (desk / "out" / "s.py").write_text("open('x', 'w')\n")
    command = ("run", "--quiet", "--spool", desk / "spool", "--policy", desk / "policy.toml")
    for root, file in [(desk, "out/s.py"), (desk / "hr", "s.py")]:
        done = gnomon(
            *command, "--annotations", "github", "s.py", cwd=inner, GITHUB_WORKSPACE=str(root)
        ).checked()
        assert f"::warning file={file},line=1," in done.stderr.decode()


def test_texts_of_rules_come_from_the_policy_that_decided_wherever_the_spool_is(desk: Path) -> None:
    _run(desk, "--quiet", _script(desk, "open('out/x', 'w')")).checked()
    moved = desk / "moved"
    os.rename(desk / "spool", moved)
    (policy,) = moved.glob("*.gnomon-policy")
    assert "exports: 100% of exports" in as_text(Answer.of(Spool(moved)))
    other, _ = compile_policy([_other(desk)])
    assert other is not None
    policy.write_bytes(other)  # of another policy nothing is said
    text = as_text(Answer.of(Spool(moved)))
    assert "finance/exports" in text and "of exports" not in text
    assert json.loads(as_json(Answer.of(Spool(moved))))["rules"] == {}


def _other(desk: Path) -> Path:
    path = desk / "other.toml"
    path.write_text(
        'name = "finance"\n[[rule]]\nid = "exports"\npath = "/x"\naction = "deny"\nmessage = "No."\n'
    )
    return path


def test_rules_of_a_compiled_policy_are_read(desk: Path) -> None:
    data, _ = compile_policy([desk / "policy.toml"])
    assert data is not None
    path = desk / "p.gnomon-policy"
    path.write_bytes(data)
    digest, rules = policy_rules(path)
    assert len(digest) == 64
    assert rules[0] == (
        "finance/hr",
        "deny",
        "enforce",
        "Salaries are for HR only.",
        "https://wiki.example/hr data",
        "hr-it@example.com",
    )
    assert ("finance/logs", "deny", "observe", "Logs go elsewhere.", None, None) in rules
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match="it is broken"):
        policy_rules(path)
    for wrong in (desk, desk / "missing"):
        with pytest.raises(OSError, match="cannot read policy"):
            policy_rules(wrong)
