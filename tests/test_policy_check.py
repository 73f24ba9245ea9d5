"""`gnomon policy check`; what each mistake is called is in tests/policies, beside the mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from commands import gnomon

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = (ROOT / "docs" / "policy.md").read_text()
RULE = '[[rule]]\nid = "{}"\naction = "warn"\n'


def test_a_policy_without_problems_is_counted(tmp_path: Path) -> None:
    policy = tmp_path / "finance.toml"
    policy.write_text(RULE.format("a") + RULE.format("b") + "until = 2020-01-01\n")
    done = gnomon("policy", "check", "finance.toml", cwd=tmp_path)
    assert (done.status, done.stdout.decode()) == (0, "finance.toml: 2 rules, 2 warnings\n")
    policy.write_text(RULE.format("b") + 'path = "/data/**"\n')
    done = gnomon("policy", "check", policy)
    assert (done.status, done.stdout.decode(), done.stderr) == (0, f"{policy}: 1 rule, no problems\n", b"")
    policy.write_text("")
    assert gnomon("policy", "check", policy).stdout.decode() == f"{policy}: no rules, no problems\n"


def test_problems_are_on_stderr_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "finance.toml").write_text(RULE.format("a") + 'hots = "x"\n')
    done = gnomon("policy", "check", "finance.toml", cwd=tmp_path)
    assert (done.status, done.stdout.decode()) == (1, "finance.toml: 1 error\n")
    assert done.stderr.decode() == (
        "finance.toml:4:1: error: unknown key `hots` in a rule\n  hint: did you mean `host`?\n"
    )


def test_warnings_fail_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(RULE.format("a") + "until = 2020-01-01\n")
    assert gnomon("policy", "check", "old.toml", cwd=tmp_path).status == 0
    done = gnomon("policy", "check", "--strict", "old.toml", cwd=tmp_path)
    assert done.status == 1
    assert done.stderr.decode().startswith("old.toml:4:9: warning: `until` is in the past")


def test_every_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(RULE.format("a"))
    done = gnomon("policy", "check", "gone.toml", "good.toml", cwd=tmp_path)
    assert done.status == 1
    assert (
        done.stderr.decode() == "gone.toml:1:1: error: cannot read `gone.toml`: no such file or directory\n"
    )
    assert done.stdout.decode() == "gone.toml: 1 error\ngood.toml: 1 rule, no problems\n"


def test_a_problem_of_a_list_is_where_the_value_stands(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("a.example\n10.0.0.1\n")
    lists = '[lists]\nhosts = { file = "hosts.txt" }\n'
    (tmp_path / "finance.toml").write_text(lists + RULE.format("a") + 'host = "@hosts"\n')
    done = gnomon("policy", "check", tmp_path / "finance.toml")
    assert f"{tmp_path.resolve()}/hosts.txt:2:1: error: `10.0.0.1` is no name" in done.stderr.decode()


def test_json_holds_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[rule]]\naction = "block"\n')
    (tmp_path / "b.toml").write_text(RULE.format("b"))
    done = gnomon("policy", "check", "--format", "json", "a.toml", "b.toml", cwd=tmp_path)
    assert (done.status, done.stderr) == (1, b"")
    first, second = json.loads(done.stdout)["policies"]
    assert second == {"file": "b.toml", "rules": 1, "problems": []}
    assert first["rules"] is None
    assert [(problem["line"], problem["column"]) for problem in first["problems"]] == [(1, 1), (2, 10)]
    assert first["problems"][1] == {
        "file": "a.toml",
        "line": 2,
        "column": 10,
        "severity": "error",
        "message": "unknown action `block`",
        "hint": "did you mean `deny`?",
    }


def test_what_a_file_holds_cannot_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "evil.toml").write_text(RULE.format("a") + r'"\u001b[2J\n\u202e" = 1' + "\n")
    (tmp_path / "\x1b[31m.toml").write_text("x = 1\n")
    done = gnomon("policy", "check", "evil.toml", "\x1b[31m.toml", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert b"\x1b" not in said and "\u202e" not in said.decode()
    assert "unknown key `\\x1b[2J\\n\\u202e`" in done.stderr.decode()


def test_without_a_verb_the_verbs_are_shown() -> None:
    done = gnomon("policy")
    assert done.status == 2 and b"check" in done.stdout


def _examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)


@pytest.mark.parametrize("example", _examples())
def test_the_reference_shows_policies_that_are_right(example: str, tmp_path: Path) -> None:
    (tmp_path / "blocked-hosts.txt").write_text("# From the security team.\nevil.example\n")
    text = example if "[[rule]]" in example else RULE.format("a") + example
    (tmp_path / "example.toml").write_text(text)
    done = gnomon("policy", "check", "--strict", "example.toml", cwd=tmp_path)
    assert done.status == 0, done.stderr.decode() + text


def test_the_reference_names_every_key() -> None:
    keys = "id event action message link owner until mode example name lists access"
    fields = (
        "path host address port url module distribution program argv user group script script_sha256 origin"
    )
    for word in f"{keys} {fields}".split():
        assert f"| `{word}` |" in REFERENCE, word
