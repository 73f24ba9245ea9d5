"""What gnomon.toml may say, and what it comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.rollout import settings
from gnomon.rollout.errors import RolloutError
from gnomon.rollout.layout import Layout

_ALL = """
[record]
spool = "/data/spool"
imports = "all"
native = "off"
privacy = true
[policy]
files = ["finance.toml", "/etc/own.toml"]
fail = "closed"
[skip]
programs = ["/opt/tool/bin/*"]
replace = true
[keep]
quota_user = "200 MB"
quota_machine = "1.5GiB"
retention = "90 days"
reserve = 1000
timer = false
"""


def _read(directory: Path, text: str) -> settings.Settings:
    (directory / "gnomon.toml").write_text(text)
    return settings.read(str(directory / "gnomon.toml"), "/var/spool/gnomon")


def test_every_key_comes_to_a_line(tmp_path: Path) -> None:
    found = _read(tmp_path, _ALL)
    assert found.policies == (f"{tmp_path}/finance.toml", "/etc/own.toml")
    assert not found.timer
    lines = found.lines(("/opt/gnomon/policies/a.compiled",), Layout()).decode().splitlines()[1:]
    assert lines == [
        "spool=/data/spool",
        "policy=/opt/gnomon/policies/a.compiled",
        "policy_fail=closed",
        "native=off",
        "imports=all",
        "privacy=1",
        "reserve=1000",
        "quota_user=200000000",
        "quota_machine=1610612736",
        "retention=7776000",
        "skip=/opt/gnomon/current/*",
        "skip=/opt/gnomon/versions/*",
        "skip=/opt/tool/bin/*",
    ]


def test_nothing_said_is_the_default(tmp_path: Path) -> None:
    assert _read(tmp_path, "") == settings.read(str(tmp_path / "none.toml"), "/var/spool/gnomon")
    assert "/usr/bin/py3compile" in _read(tmp_path, "").skipped()


def test_programs_are_added_to_the_default() -> None:
    found = settings.Settings("/spool", skip=("/opt/tool",)).skipped()
    assert {"/usr/bin/dnf", "/opt/tool"} < set(found)
    assert not any("pip" in program for program in found)
    assert all(program.startswith("/") and "*" not in program[:-1] for program in found)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[recrod]", "there is no table [recrod]", "`record`"),
        ('[record]\nimport = "all"', "there is no key import in [record]", "`imports`"),
        ('[record]\nimports = "some"', "[record] imports = 'some'", '"top" or "all"'),
        ('[record]\nspool = "here"', "[record] spool = 'here'", "absolute path"),
        ("[record]\nprivacy = 1", "[record] privacy = 1", "true or false"),
        ('[policy]\nfiles = "one"', "[policy] files = 'one'", "list of texts"),
        ('[skip]\nprograms = ["pip"]', "[skip] programs", "absolute path"),
        ('[skip]\nprograms = ["/a/*/b"]', "[skip] programs", "absolute path"),
        ('[skip]\nprograms = ["/a\\nspool=/b"]', "[skip] programs", "absolute path"),
        ('[keep]\nquota_user = "much"', "[keep] quota_user = 'much'", "500 MB"),
        ('[keep]\nretention = "3 fortnights"', "[keep] retention", "90 days"),
        ("record = 1", "record is no table", "[record]"),
        ("[record", "cannot use", "mend the file"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(RolloutError) as raised:
        _read(tmp_path, text)
    assert message in str(raised.value)
    assert hint in str(raised.value.hint)


def test_more_than_processes_read_is_refused() -> None:
    many = settings.Settings("/spool", skip=tuple(f"/opt/program{number}" for number in range(5000)))
    with pytest.raises(RolloutError, match="processes read"):
        many.lines((), Layout())
