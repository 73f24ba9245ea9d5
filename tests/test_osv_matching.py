"""Ranges, scores and tables, held against what was computed in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("packaging", reason="the extra `report` is not installed")
pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import given
from hypothesis import strategies as st

from gnomon.vulnerabilities import Database, install
from gnomon.vulnerabilities.importing import make_database
from gnomon.vulnerabilities.ranges import NotComparable, intervals, is_inside, parsed
from gnomon.vulnerabilities.severity import base_score, word_of

RECORDS = Path(__file__).resolve().parent / "osv"
# In the order of PEP 440, written down by hand; versions of one line are equal.
ORDER = [
    ["0.dev0", "0.0.dev0"],
    ["0", "0.0"],
    ["0.9"],
    ["0.10"],
    ["1.0.dev1"],
    ["1.0a1"],
    ["1.0a2.dev0"],
    ["1.0a2"],
    ["1.0b1"],
    ["1.0rc1", "1.0c1", "1.0-rc.1"],
    ["1.0", "v1.0", "1.0.0", "1", "1.0+local.9"],
    ["1.0.post1", "1.0-1"],
    ["1.0.1"],
    ["1.1"],
    ["1.9"],
    ["1.10"],
    ["2.0"],
    ["10.0"],
    ["2024.1"],
    ["1!0.1"],
]
PLACES = st.integers(0, len(ORDER) - 1)


@st.composite
def _ranges(draw: Any) -> list[dict[str, str]]:
    """Events as the schema allows them: `fixed` or `last_affected`, not both; in any order; none doubled."""
    end = draw(st.sampled_from(["fixed", "last_affected"]))
    places = draw(st.lists(PLACES, min_size=1, max_size=6, unique=True))
    kinds = [draw(st.sampled_from(["introduced", end])) for _ in places]
    events = [{kind: draw(st.sampled_from(ORDER[place]))} for kind, place in zip(kinds, places)]
    if draw(st.booleans()):
        events = [event for event in events if parsed(next(iter(event.values()))) != parsed("0")]
        events.append({"introduced": "0"})
    return list(draw(st.permutations(events)))


def _swept(events: list[dict[str, str]]) -> list[bool]:
    """Which places of ORDER are affected: from the lowest on, a switch is thrown at each event."""
    thrown = {
        next(place for place, same in enumerate(ORDER) if text in same): kind
        for event in events
        for kind, text in event.items()
        if (kind, text) != ("introduced", "0")
    }
    is_on = {"introduced": "0"} in events
    affected = []
    for place in range(len(ORDER)):
        kind = thrown.get(place)
        is_on = (is_on or kind == "introduced") and kind != "fixed"
        affected.append(is_on)
        is_on = is_on and kind != "last_affected"
    return affected


@given(_ranges())
def test_a_range_affects_what_a_sweep_over_all_versions_finds(events: list[dict[str, str]]) -> None:
    spans = intervals(events)
    expected = _swept(events)
    for place, same in enumerate(ORDER):
        for text in same:
            version = parsed(text)
            assert version is not None
            found = any(is_inside(version, span) for span in spans)
            assert found == expected[place], (text, spans)


def test_a_limit_ends_a_range() -> None:
    events = [{"introduced": "1.0"}, {"limit": "1.9"}, {"introduced": "2.0"}, {"fixed": "10.0"}]
    inside = [
        same[0]
        for same in ORDER
        if any(is_inside(parsed(same[0]), span) for span in intervals(events))  # type: ignore[arg-type]
    ]
    assert inside == ["1.0", "1.0.post1", "1.0.1", "1.1"]
    assert intervals([{"introduced": "1.0"}, {"limit": "*"}])[0].end is None


@pytest.mark.parametrize("text", ["", "1.0-x", "latest", "1..0", "٠.١-x", "1\n2"])
def test_what_is_no_version_is_not_compared(text: str) -> None:
    with pytest.raises(NotComparable):
        intervals([{"introduced": "0"}, {"fixed": text}])


@pytest.mark.parametrize(
    ("vector", "score"),
    [  # the examples of first.org/cvss/v3.1/examples, and scores that the NVD published
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 7.4),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8),
        ("CVSS:3.1/AV:A/AC:H/PR:H/UI:N/S:U/C:H/I:N/A:N", 4.2),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 9.8),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
        ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("CVSS:3.1/AV:N/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("", None),
    ],
)
def test_base_scores_are_those_that_were_published(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


def test_scores_have_words() -> None:
    words = [word_of(score) for score in (10.0, 9.0, 7.0, 6.9, 4.0, 3.9, 0.0)]
    assert words == ["high", "high", "high", "medium", "medium", "low", "low"]


def test_tables_have_a_row_for_each_pair_and_vulnerability(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    make_database([str(RECORDS)], str(tmp_path / "osv.sqlite"))
    connection = duckdb.connect()
    pairs = [
        ("requests", "2.19.0"),
        ("requests", "2.19.0"),
        ("urllib3", "2.2.0"),
        ("mystery", None),
        ("it's", '1"'),
    ]
    with Database(tmp_path / "osv.sqlite") as database:
        install(connection, pairs, database)
        install(connection, pairs, database)  # again, in place
    advisories = connection.execute(
        "select distribution, version, advisory, aliases, severity, score, fixed, year(published), "
        "is_malicious from advisories order by advisory"
    ).fetchall()
    assert advisories == [
        (
            "requests",
            "2.19.0",
            "PYSEC-2018-28",
            ["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"],
            "high",
            7.5,
            "2.20.0",
            2018,
            False,
        ),
        (
            "requests",
            "2.19.0",
            "PYSEC-2023-74",
            ["CVE-2023-32681", "GHSA-j8r2-6x86-q33q"],
            "medium",
            6.1,
            "2.31.0",
            2023,
            False,
        ),
    ]
    states = "select distribution, version, state from checked_distributions order by distribution"
    assert connection.execute(states).fetchall() == [
        ("it's", '1"', "no known vulnerability"),
        ("mystery", None, "not checked"),
        ("requests", "2.19.0", "vulnerable"),
        ("urllib3", "2.2.0", "no known vulnerability"),
    ]
    facts = connection.execute("select advisories, packages, path from vulnerability_database").fetchall()
    assert facts == [(8, 6, str(tmp_path / "osv.sqlite"))]


def test_tables_without_a_database_call_nothing_clean() -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    connection = duckdb.connect()
    install(connection, [("requests", "2.32.3")], None)
    (row,) = connection.execute("select state, reason from checked_distributions").fetchall()
    assert row[0] == "not checked" and "there is no vulnerability database" in row[1]
    assert connection.execute("select count(*) from advisories").fetchall() == [(0,)]
    assert connection.execute("select count(*) from vulnerability_database").fetchall() == [(0,)]
    assert len(connection.execute("select * from vulnerability_database").description) == 6
