"""`gnomon policy explain` and `gnomon policy test`, as people use them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from commands import gnomon
from watching import Ended

REFERENCE = (Path(__file__).resolve().parent.parent / "docs" / "policy.md").read_text()
POLICY = """\
name = "finance"

[lists]
ai = [".openai.com", ".anthropic.com", "bedrock.*.amazonaws.com", "api.mistral.ai", "ai.example"]

[[rule]]
id = "own"
path = "/data/hr/own/"
user = "ann"
action = "allow"

[[rule]]
id = "no-hr"
path = "/data/hr/**"
action = "deny"
message = "Personnel data stays in the HR system."
owner = "hr-it@example.com"

[[rule]]
id = "trial"
event = "network"
host = "@ai"
action = "warn"
mode = "observe"

[[rule]]
id = "over"
module = "dill"
action = "warn"
until = 2020-01-01

[[rule]]
id = "archive"
path = "/data/"
access = "write"
action = "warn"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "finance.toml"
    path.write_text(POLICY)
    return path


def explained(policy: Path, event: str, *who: str) -> list[str]:
    asked = ["--who", *who] if who else []
    done = gnomon("policy", "explain", policy.name, "--event", event, *asked, cwd=policy.parent)
    assert (done.status, done.stderr) == (0, b"")
    return done.stdout.decode().splitlines()


def test_the_rule_that_decides_is_told_with_what_it_matched(policy: Path) -> None:
    assert explained(policy, "open:write /data/hr/own/x.csv", "user=bob") == [
        "deny, by `finance/no-hr` (finance.toml:12)",
        "  Personnel data stays in the HR system.",
        "  ask hr-it@example.com",
        "    event: `open`",
        "    path: `/data/hr/own/x.csv` matches `/data/hr/**`",
        "",
        "matches as well, but an earlier rule of its policy decides:",
        "  `finance/archive` (finance.toml:32): warn",
        "",
        "came close:",
        "  `finance/own` (finance.toml:6): allow, but user is `bob`, and not `ann`",
    ]
    assert explained(policy, "open /data/hr/own/x.csv", "user=ann")[0].startswith("allow, by `finance/own`")


def test_what_observed_rules_would_do_is_told_apart(policy: Path) -> None:
    assert explained(policy, "connect api.openai.com:443") == [
        "allow: no enforced rule matches",
        "",
        "if observed rules were enforced: warn, by `finance/trial` (finance.toml:19)",
        "    event: `connect`",
        "    host: `api.openai.com` matches `.openai.com`",
    ]


def test_a_rule_that_comes_close_says_what_it_lacks(policy: Path) -> None:
    close = "  `finance/trial` (finance.toml:19): warn, but host is `api.mistral.com`, and not "
    likest = "`api.mistral.ai`, "
    lines = explained(policy, "connect api.mistral.com")
    assert lines[:3] == ["allow: no rule matches", "", "came close:"]
    assert lines[3].startswith(close + likest) and lines[3].endswith(" or one of 2 more")
    assert explained(policy, "import dill.source")[-1] == (
        "  `finance/over` (finance.toml:26): warn, but it only counted until 2020-01-01T00:00:00Z"
    )
    assert explained(policy, "open /data/x")[3] == (
        "  `finance/archive` (finance.toml:32): warn, but access is `read`, and not `write`"
    )


def test_of_two_files_the_one_that_decides_is_named(policy: Path) -> None:
    first = explained(policy, "rename /tmp/x /data/x")[0]
    assert first == "warn, by `finance/archive` (finance.toml:32) about /data/x"


def test_the_strictest_of_several_policies_decides(policy: Path) -> None:
    (policy.parent / "machine.toml").write_text(
        '[[rule]]\nid = "csv"\npath = "*.csv"\naction = "justify"\nmessage = "Why?"\n'
    )
    event = ["--event", "open:write /data/x.csv"]
    done = gnomon("policy", "explain", "finance.toml", "machine.toml", *event, cwd=policy.parent)
    lines = done.checked().stdout.decode().splitlines()
    assert lines[0] == "justify, by `machine/csv` (machine.toml:1)"
    at = lines.index("the strictest of these policies decides:")
    assert lines[at + 1 : at + 3] == ["  finance: warn, by `archive`", "  machine: justify, by `csv`"]


def test_relative_paths_are_of_the_current_directory(policy: Path) -> None:
    policy.write_text('[[rule]]\nid = "here"\npath = "./exports/"\naction = "warn"\n')
    assert explained(policy, "open exports/x")[0] == "warn, by `finance/here` (finance.toml:1)"
    policy.write_text('[[rule]]\nid = "keys"\npath = "~/.ssh/"\naction = "warn"\n')
    assert explained(policy, "open ~/.ssh/id_rsa")[0] == "warn, by `finance/keys` (finance.toml:1)"


def test_json_says_the_same(policy: Path) -> None:
    event = ["--event", "open /data/hr/own/x", "--who", "user=bob", "group=hr", "--format", "json"]
    done = gnomon("policy", "explain", policy, *event).checked()
    said = json.loads(done.stdout)
    assert (said["event"], said["action"], said["rule"]["id"]) == ("open", "deny", "no-hr")
    assert said["shadow"]["id"] == "no-hr" and said["rule"]["file"] == str(policy)
    assert said["policies"] == [{"name": "finance", "rule": "no-hr", "shadow": "no-hr"}]
    assert [rule["id"] for rule in said["close"]] == ["archive", "own"]
    user = said["close"][1]["checks"][-1]
    assert (user["name"], user["holds"], user["values"], user["wanted"]) == ("user", False, ["bob"], ["ann"])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--event", "opne /x"],
            "error: cannot understand the event `opne /x`: there is no event `opne`\n"
            "hint: did you mean `open`?\n",
        ),
        (
            ["--event", "fork", "--who", "ann"],
            "error: cannot understand `ann` of `--who`: it is no KEY=VALUE\nhint: say `user=ann`\n",
        ),
        (["--event", "open /my data"], "hint: quote what has spaces in it\n"),
    ],
)
def test_what_is_not_understood_has_a_hint(policy: Path, arguments: list[str], error: str) -> None:
    done = gnomon("policy", "explain", policy, *arguments)
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.decode().endswith(error)


def test_a_policy_with_errors_explains_nothing(policy: Path) -> None:
    policy.write_text('[[rule]]\nid = "a"\naction = "block"\n')
    for verb in (["explain", policy, "--event", "fork"], ["test", policy]):
        done = gnomon("policy", *verb)
        assert (done.status, done.stdout) == (1, b"")
        assert f"{policy}:3:10: error: unknown action `block`" in done.stderr.decode()
        assert "it has errors" in done.stderr.decode()


def example(event: str, expect: str, **who: str) -> str:
    lines = ["[[rule.example]]", f'event = "{event}"', f'expect = "{expect}"']
    return "\n".join([*lines, *(f'{key} = "{value}"' for key, value in who.items())]) + "\n"


def tried(policy: Path, *others: str) -> Ended:
    return gnomon("policy", "test", policy.name, *others, cwd=policy.parent)


def test_examples_are_tried_on_the_whole_policy(policy: Path) -> None:
    good = example("open /data/hr/own/x", "allow", user="ann") + example("open /data/hr/x", "deny")
    # Also of a rule that is only observed.
    policy.write_text(POLICY + good + example("connect api.openai.com:443", "warn"))
    done = tried(policy)
    assert (done.status, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "finance.toml:37: ok: open /data/hr/own/x (user=ann): allow",
        "finance.toml:41: ok: open /data/hr/x: deny",
        "finance.toml:44: ok: connect api.openai.com:443: warn",
        "3 examples, all ok",
    ]


def test_an_example_that_fails_says_what_it_got(policy: Path) -> None:
    policy.write_text(POLICY + example("open /data/hr/x", "allow") + example("open /y", "deny"))
    done = tried(policy)
    assert done.status == 1
    assert done.stdout.decode().splitlines() == [
        "finance.toml:37: FAILED: open /data/hr/x: expected allow, got deny, by `no-hr` in line 12",
        "finance.toml:40: FAILED: open /y: expected deny, got allow, as no rule matches",
        "2 examples, 2 failed",
    ]


def test_a_policy_without_examples_says_so(policy: Path) -> None:
    done = tried(policy)
    assert done.status == 0
    assert done.stdout.decode().startswith("finance.toml: no examples; write some beside its rules")


def test_an_example_that_is_no_event_is_an_error_of_the_policy(policy: Path) -> None:
    policy.write_text(POLICY + example("connect api.example.com:https", "deny"))
    done = gnomon("policy", "check", policy)
    assert done.status == 1
    assert f"{policy}:38:9: error: `https` is no port" in done.stderr.decode()


def test_the_reference_shows_what_is_printed(policy: Path) -> None:
    examples = REFERENCE.partition("## Examples\n")[2]
    policy.write_text(examples.partition("```toml\n")[2].partition("```")[0])
    shown = [part.partition("```")[0] for part in examples.split("```console\n$ gnomon ")[1:]]
    # Those about what was recorded are for the tests of the verbs that they show.
    shown = [text for text in shown if text.startswith(("policy test", "policy explain"))]
    assert len(shown) == 2
    for command, _, output in (text.partition("\n") for text in shown):
        done = gnomon(*shlex.split(command), cwd=policy.parent).checked()
        assert done.stdout.decode() == output
