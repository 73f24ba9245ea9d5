"""A program that puts itself under a policy: `gnomon.enforce`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import gnomon
from commands import run
from watching import Ended, Kept, bare, environment

PACKAGE = str(Path(gnomon.__file__).resolve().parent.parent)

POLICY = """\
name = "finance"

[[rule]]
id = "hr"
path = "**/hr.csv"
action = "deny"
message = "Salaries are for HR only."

[[rule]]
id = "draft"
path = "**/draft.csv"
action = "warn"

[[rule]]
id = "why"
path = "**/why.csv"
action = "justify"
"""

# What all subjects begin with: `say` opens a file and says what came of it.
BEGIN = """\
import gnomon, os, subprocess, sys
def say(name):
    try: open(name + ".csv").close()
    except PermissionError as error: print(name, "denied", getattr(error, "rule", None))
    else: print(name, "read")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place with files and a policy."""
    for name in ("hr", "draft", "why"):
        (tmp_path / f"{name}.csv").touch()
    (tmp_path / "p.toml").write_text(POLICY)
    return tmp_path


def _said(python: str, folder: Path, *lines: str) -> list[str]:
    code = BEGIN + "\n".join(lines)
    return bare([python, "-c", code], cwd=folder, PYTHONPATH=PACKAGE).checked().stdout.decode().splitlines()


def test_a_policy_holds_for_its_block(python: str, folder: Path) -> None:
    assert _said(
        python,
        folder,
        "before = dict(os.environ)",
        "say('hr')",
        "with gnomon.enforce('p.toml', spool='spool') as session: say('hr'); say('draft'); say('why')",
        "say('hr')",
        "print(before == dict(os.environ), gnomon.process_id())",
        "print([(one.rule, one.target) for one in session.denied])",
        "print([one.rule for one in session.warned])",
        "print([(one.kind, one.detail) for one in session.records(kinds=['policy'])])",
    ) == [
        "hr read",
        "hr denied finance/hr",
        "draft read",
        "why denied finance/why",
        "hr read",
        "True None",
        f"[('finance/hr', '{folder}/hr.csv'), ('finance/why', '{folder}/why.csv')]",
        "['finance/draft']",
        "[('policy', 'loaded'), ('policy', 'ended')]",
    ]


def test_alone_it_holds_to_the_end_also_after_a_recording_around_it(python: str, folder: Path) -> None:
    assert (
        _said(
            python,
            folder,
            "with gnomon.record('spool'): gnomon.enforce(['p.toml'])",
            "say('hr')",
            "gnomon.start(); gnomon.stop()",
            "say('hr')",
        )
        == ["hr denied finance/hr"] * 2
    )


def test_policies_within_policies_combine_by_the_strictest(a_python: str, folder: Path) -> None:
    rule = '[[rule]]\\nid = \\"x\\"\\npath = \\"**/{}.csv\\"\\naction = \\"{}\\"'
    assert _said(
        a_python,
        folder,
        "with gnomon.enforce('p.toml', spool='spool'):",
        f"    with gnomon.enforce(text='{rule.format('draft', 'deny')}'): say('draft'); say('hr')",
        f"    with gnomon.enforce(text='{rule.format('hr', 'allow')}'): say('draft'); say('hr')",
        "    with gnomon.enforce('p.toml'): pass",
        "    say('draft'); say('hr')",
    ) == [
        "draft denied policy/x",
        "hr denied finance/hr",
        *["draft read", "hr denied finance/hr"] * 2,
    ]


def test_what_ends_out_of_order_ends(a_python: str, folder: Path) -> None:
    rule = '[[rule]]\\nid = \\"x\\"\\npath = \\"**/draft.csv\\"\\naction = \\"deny\\"'
    assert _said(
        a_python,
        folder,
        "one = gnomon.enforce('p.toml', spool='spool')",
        f"two = gnomon.enforce(text='{rule}')",
        "one.stop(); say('hr'); say('draft')",
        "two.stop(); say('draft')",
        "print(gnomon.process_id(), os.environ.get('GNOMON_POLICY'), os.environ.get('GNOMON_SPOOL'))",
    ) == ["hr read", "draft denied policy/x", "draft read", "None None None"]


def test_observed_and_justified(python: str, folder: Path) -> None:
    assert _said(
        python,
        folder,
        "with gnomon.enforce('p.toml', mode='observe', spool='spool') as session: say('hr')",
        "print([(one.verdict, one.shadow_rule) for one in session.records(verdicts=['deny'])])",
        "print(session.denied)",
        "with gnomon.enforce('p.toml', justify=' ticket 4711 ') as session: say('why'); say('hr')",
        "print([one.reason for one in session.records(verdicts=['justify'])])",
        "with gnomon.enforce('p.toml'): say('why')",
    ) == [
        "hr read",
        "[('allow', 'finance/hr')]",
        "[]",
        "why read",
        "hr denied finance/hr",
        "['ticket 4711']",
        "why denied finance/why",
    ]


def test_children_obey_too_unless_they_shall_not(python: str, folder: Path) -> None:
    child = "subprocess.run([sys.executable, '-c', open('begin.py').read() + \"say('hr')\"])"
    (folder / "begin.py").write_text(BEGIN.replace("gnomon, ", ""))
    done = _said(
        python,
        folder,
        "sys.stdout.reconfigure(line_buffering=True)",
        f"with gnomon.enforce('p.toml', spool='spool') as session: {child}",
        "print([one.rule for one in session.denied])",
        f"with gnomon.enforce('p.toml', spool='spool', children=False): {child}",
        "with gnomon.enforce('p.toml', spool='spool', children=False):",
        "    if os.fork() == 0: say('hr'); os._exit(0)",
        "    os.wait()",
    )
    assert done == ["hr denied finance/hr", "['finance/hr']", "hr read", "hr denied finance/hr"]
    assert not list(Kept(folder / "spool").records("setenv", "tamper"))


def test_in_a_run_it_adds_to_the_policies_of_the_run(python: str, spool: Path, folder: Path) -> None:
    (folder / "machine.toml").write_text('[[rule]]\nid = "d"\npath = "**/draft.csv"\naction = "deny"\n')
    (folder / "a.py").write_text(
        BEGIN + "with gnomon.enforce('p.toml', spool='own') as session: say('hr'); say('draft')\n"
        "say('hr'); say('draft'); print(session.is_shared, len(session.denied), 'own' in os.listdir())\n"
    )
    for options in ([], ["--policy", str(folder / "machine.toml")]):
        done = _run(spool, folder, python, *options)
        draft = "draft denied machine/d" if options else "draft read"
        count = 2 if options else 1
        assert done == ["hr denied finance/hr", draft, "hr read", draft, f"True {count} False"]
    # What gnomon itself changes in the environment is not the program's doing.
    assert not list(Kept(spool).records("setenv", "tamper"))


def _run(spool: Path, folder: Path, python: str, *options: str) -> list[str]:
    from commands import gnomon as command

    done = command(
        "run", "--quiet", "--spool", spool, *options, "--", python, "a.py", cwd=folder, PYTHONPATH=PACKAGE
    )
    return done.checked().stdout.decode().splitlines()


def test_rules_about_scripts_hold_for_a_script_that_asks_late(python: str, folder: Path) -> None:
    rule = '[[rule]]\nid = "s"\nscript = "**/{}"\npath = "**/draft.csv"\naction = "deny"\n'
    (folder / "s.toml").write_text(rule.format("a.py"))
    (folder / "a.py").write_text(BEGIN + "gnomon.enforce('s.toml', spool='spool')\nsay('draft')\n")
    (folder / "b.py").write_text((folder / "a.py").read_text())

    def said(name: str) -> bytes:
        return bare([python, name], cwd=folder, PYTHONPATH=PACKAGE).checked().stdout

    assert (said("a.py"), said("b.py")) == (b"draft denied s/s\n", b"draft read\n")
    done: Ended = run(folder / "spool", python, "a.py", cwd=folder, PYTHONPATH=PACKAGE)
    assert done.checked().stdout == b"draft denied s/s\n"


def test_all_threads_are_under_it(a_python: str, folder: Path) -> None:
    assert _said(
        a_python,
        folder,
        "import threading",
        "with gnomon.enforce('p.toml', spool='spool'):",
        "    thread = threading.Thread(target=say, args=['hr']); thread.start(); thread.join()",
    ) == ["hr denied finance/hr"]


def test_another_policy_asks_and_warns_for_itself(a_python: str, folder: Path) -> None:
    # A rule's number stands for another rule in the second: neither its warning nor its record is that one's.
    code = BEGIN + (
        "def same(): open('draft.csv').close()\n"
        'rule = \'[[rule]]\\nid = "{}"\\npath = "**/draft.csv"\\naction = "warn"\'\n'
        "for name in ('one', 'two'):\n"
        "    with gnomon.enforce(text=rule.format(name), spool='spool') as session: same()\n"
        "    print([(one.rule, one.count) for one in session.warned])\n"
    )
    done = bare([a_python, "-c", code], cwd=folder, PYTHONPATH=PACKAGE).checked()
    assert done.stdout == b"[('policy/one', 1)]\n[('policy/two', 1)]\n"
    assert done.stderr.count(b"gnomon: warning: ") == 2


def test_a_wrong_policy_says_all_and_changes_nothing(a_python: str, folder: Path) -> None:
    (folder / "bad.toml").write_text('[[rule]]\nid = "A B"\naction = "stop"\n')
    said = _said(
        a_python,
        folder,
        "before = dict(os.environ)",
        "try: gnomon.enforce(['p.toml', 'bad.toml'], spool='spool')",
        "except gnomon.PolicyError as error: print(error, isinstance(error, ValueError))",
        "print(before == dict(os.environ), gnomon.process_id(), os.path.exists('spool'))",
        "for wrong in ({}, {'text': '', 'mode': 'deny'}):",
        "    try: gnomon.enforce(**wrong)",
        "    except (TypeError, ValueError) as error: print(type(error).__name__)",
    )
    assert [line for line in said if line.startswith("bad.toml:")]
    assert sum(": error: " in line for line in said) >= 2
    assert said[-3:] == ["True None False", "TypeError", "ValueError"]


def test_the_package_loads_nothing_before_it_is_used(a_python: str) -> None:
    code = "import sys, gnomon; print([name for name in sys.modules if name.startswith('gnomon')])"
    done = subprocess.run(
        [a_python, "-c", code], env=environment(PYTHONPATH=PACKAGE), capture_output=True, check=True
    )
    assert done.stdout == b"['gnomon']\n"
