"""What the README shows is what a reader gets."""

from __future__ import annotations

import re
import shlex
import sys
import tarfile
from pathlib import Path

import pytest

import gnomon as package
from commands import gnomon, run
from watching import bare

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _labels(answer: str) -> list[str]:
    return re.findall(r"^  ([A-Z][a-z]+) ", answer, re.MULTILINE)


def _unwrapped(answer: str) -> list[str]:
    """The lines, with what was wrapped to fit the screen put together again."""
    return re.sub(r"\n {15}", " ", answer).splitlines()


def test_the_main_command_prints_what_the_readme_shows(spool: Path) -> None:
    pytest.importorskip("pandas")
    command, tests = _blocks("sh")
    assert command.split("gnomon run ")[1].strip() == "examples/analyst.py"
    assert tests.strip() == "./test"
    done = gnomon("run", "--spool", spool, "examples/analyst.py", cwd=ROOT, COLUMNS="100").checked()
    (shown,) = _blocks("text")
    said = done.stdout.decode() + done.stderr.decode()
    assert _labels(said) == _labels(shown)
    assert len(said.splitlines()) <= 40
    # Line by line, but for what differs from run to run.
    volatile = r"sha256 \w+|:\d{4,5}|\d[\d.]*|(by|owner|on|from) \S+|\S*python3?\b|\(\S*venv\)|/tmp/\S+| {2,}"
    for name in ("Read", "Wrote", "Called", "Started", "Coverage"):
        expected, found = (
            re.sub(volatile, "~", next(line for line in _unwrapped(text) if line.startswith(f"  {name} ")))
            for text in (shown, said)
        )
        assert found == expected
    for library in ("pandas", "openpyxl", "numpy"):
        assert re.search(rf"{library} \d", said)


def test_the_policy_example_prints_what_the_readme_shows(spool: Path) -> None:
    shown = _blocks("console")[0]
    command, _, expected = shown.partition("\n")
    done = gnomon("run", "--spool", spool, *command.split("gnomon run ")[1].split(), cwd=ROOT).checked()
    said = done.stdout.decode()
    warning = next(line for line in done.stderr.decode().splitlines() if "warning" in line)

    def settled(text: str) -> str:
        return re.sub(r":\d{4,5}/|/\S*/examples/", "~", text)

    assert settled(f"{warning}\n{said}") == settled(expected)
    (rule,) = _blocks("toml")
    assert rule in (ROOT / "examples/policies/finance.toml").read_text()
    assert "1 denied, 3 warned" in done.stderr.decode()


def test_the_examples_beside_rules_hold() -> None:
    for policy in (ROOT / "examples" / "policies").glob("*.toml"):
        gnomon("policy", "check", "--strict", policy).checked()
        gnomon("policy", "test", policy).checked()


def test_the_python_example_runs(spool: Path) -> None:
    pytest.importorskip("duckdb")
    run(spool, "-c", "open('/dev/zero')").checked()
    reading, recording = _blocks("python")
    done = run(spool, sys.executable, "-c", reading, GNOMON_SPOOL=str(spool)).checked()
    assert b"open" in done.stdout
    done = bare([sys.executable, "-c", recording], cwd=spool, GNOMON_SPOOL=str(spool)).checked()
    assert b"totals.csv" in done.stdout


def test_every_option_in_the_readme_exists() -> None:
    for verb in ("run", "show", "events", "verify"):
        (row,) = re.findall(rf"^\| `gnomon ({verb} .*?)` \|", README, re.MULTILINE)
        usage = gnomon(verb, "--help").checked().stdout.decode()
        for option in re.findall(r"--[a-z]+", row):
            assert option in usage, (verb, option)


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page, target)


def test_the_documented_fields_are_the_columns() -> None:
    page = (ROOT / "docs" / "records.md").read_text()
    table = page[page.index("| field |") : page.index("## As tables")]
    first = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    named = [name for cell in first for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(package.columns())


def test_the_report_says_what_the_readme_shows(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    for name in ("spool", "beside"):
        with tarfile.open(ROOT / "tests" / "demo_week" / f"{name}.tar.xz") as archive:
            archive.extractall(tmp_path / ("week" if name == "spool" else "week.d"))
    for shown in _blocks("console")[1:]:
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE):
            words = shlex.split(command)
            if words[0] != ".venv/bin/gnomon":
                continue  # the demonstration itself: tests/test_demo_week.py
            done = gnomon(*words[1:], cwd=tmp_path, COLUMNS="100", TZ="UTC").checked()
            said = done.stdout.decode().splitlines()
            for line in expected.splitlines():
                assert line in ("…", *said), line
    assert (tmp_path / "risk.html").stat().st_size > 100_000
