"""`gnomon policy request`: what a denial tells people to run."""

from __future__ import annotations

import hashlib
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from commands import gnomon

POLICY = """
name = "finance"
[[rule]]
id = "hr"
path = "./hr/"
action = "deny"
message = "Salaries are for HR only."
owner = "hr-it@example.com"
link = "https://wiki.example/hr"
[[rule]]
id = "curl"
program = "curl"
action = "deny"
message = "Use requests."
[[rule]]
id = "ai"
host = ".example"
action = "justify"
message = "Only with a ticket."
[[rule]]
id = "text"
event = "script"
script = "-c"
action = "deny"
message = "Save it as a file."
[[rule]]
id = "pickle"
module = "pickle"
action = "deny"
message = "Use JSON."
[[rule]]
id = "telnet"
port = 23
action = "deny"
message = "Use SSH."
[[rule]]
id = "forks"
event = "fork"
action = "deny"
message = "No."
"""
REPORT = """
import os, socket, subprocess, urllib.request
def tried(operation, *arguments):
    try:
        operation(*arguments)
    except (OSError, ImportError):
        pass
for _ in range(3):
    tried(open, "hr/it's [1].csv")
tried(os.rename, "other.csv", "hr/other.csv")
tried(subprocess.run, ["curl", "-s", "https://x.example/[1]"])
tried(urllib.request.urlopen, "http://api.example/v1/files?key=1")
tried(socket.gethostbyname, "api.example")
tried(__import__, "pickle")
tried(socket.create_connection, ("127.0.0.1", 23))
tried(os.fork)
"""


@pytest.fixture
def work(spool: Path, tmp_path: Path) -> Path:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr" / "it's [1].csv").write_text("1")
    (tmp_path / "other.csv").write_text("1")
    (tmp_path / "report.py").write_text(REPORT)
    (tmp_path / "finance.toml").write_text(POLICY)
    gnomon(
        *("run", "--quiet", "--spool", spool, "--policy", "finance.toml", "report.py"), cwd=tmp_path
    ).checked()
    return tmp_path


def _rules(request: str) -> str:
    return request[request.index("[[rule]]") :]


def test_a_request_is_ready_to_send(work: Path, spool: Path) -> None:
    done = gnomon(
        "policy", "request", "finance/hr", spool, "--reason", "Ticket 4711", "--days", "14"
    ).checked()
    said = done.stdout.decode()
    assert said.startswith("Request for an exception to the policy rule finance/hr\n\n")
    for label, text in [
        ("To", "hr-it@example.com"),
        ("Script", f"{work}/report.py"),
        ("Rule says", "Salaries are for HR only."),
        ("See", "https://wiki.example/hr"),
        ("Reason", "Ticket 4711"),
    ]:
        assert f"  {label + ':':<11}{text}\n" in said, said
    digest = hashlib.sha256(REPORT.encode()).hexdigest()
    flat = " ".join(said.split())
    assert f"sha256 {digest}" in said and "owned by " in said
    assert "it's [1].csv at report.py:5: 3 times, last on 20" in flat
    assert f"until = {date.today() + timedelta(days=14)}" in said
    assert done.stderr == b""


@pytest.mark.parametrize("rule", ["hr", "curl", "ai", "pickle", "telnet", "forks"])
def test_the_rule_allows_just_that(rule: str, work: Path, spool: Path, tmp_path: Path) -> None:
    said = gnomon("policy", "request", f"finance/{rule}", spool, "--reason", 'He said "yes"').checked().stdout
    exception = _rules(said.decode())
    (work / "exception.toml").write_text(exception)
    gnomon("policy", "check", "--strict", "exception.toml", cwd=work).checked()
    head, rules = POLICY.split("[[rule]]", 1)
    (work / "finance.toml").write_text(f"{head}{exception}\n[[rule]]{rules}")
    again = tmp_path / "again"
    arguments = ("run", "--quiet", "--spool", again, "--policy", "finance.toml", "report.py")
    gnomon(*arguments, cwd=work).checked()
    found = gnomon("policy", "request", f"finance/{rule}", again)
    assert found.status == 1 and b"cannot find anything" in found.stderr, found.stdout.decode()
    (work / "report.py").write_text(REPORT + "\n# another script\n")
    gnomon(*arguments, cwd=work).checked()
    assert gnomon("policy", "request", f"finance/{rule}", again).status == 0


def test_code_on_the_command_line_may_be_asked_for(work: Path, spool: Path) -> None:
    arguments = ("run", "--quiet", "--spool", spool, "--policy", "finance.toml", "--", "python3", "-c", "1")
    assert gnomon(*arguments, cwd=work).status == 1
    done = gnomon("policy", "request", "text", spool).checked()
    assert b"  Script:    -c 1\n" in done.stdout
    assert b'--reason "' in done.stderr
    assert f'script_sha256 = "{hashlib.sha256(b"1").hexdigest()}"'.encode() in done.stdout


def test_who_asks_for_nothing_is_told(work: Path, spool: Path) -> None:
    done = gnomon("policy", "request", "finance/nothing", spool)
    assert done.status == 1
    assert (
        f"cannot find anything in `{spool}` that the rule `finance/nothing` stopped" in done.stderr.decode()
    )
    assert re.search(rb"hint: these rules stopped something there: `finance/ai`, `finance/curl`", done.stderr)
    done = gnomon("policy", "request", "hr", spool, "--days", "0")
    assert done.status == 2 and b"between 1 and 366 days" in done.stderr


def test_the_newest_script_is_asked_for(work: Path, spool: Path) -> None:
    (work / "later.py").write_text("open('hr/x.csv')\n")
    arguments = ("run", "--quiet", "--spool", spool, "--policy", "finance.toml", "later.py")
    assert gnomon(*arguments, cwd=work).status == 1
    done = gnomon("policy", "request", "hr", spool).checked()
    assert f"  Script:    {work}/later.py\n" in done.stdout.decode()
    assert b"note: the rule stopped 1 more: " in done.stderr
