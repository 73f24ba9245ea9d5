"""`gnomon sbom`: a bill of what really ran, valid as CycloneDX says, whatever the programs are called."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx", reason="the extra `report` is not installed")
pytest.importorskip("duckdb", reason="the extra `report` is not installed")

from commands import gnomon
from gnomon.analysis import Analysis
from gnomon.sbom import bill, choose, written
from gnomon.vulnerabilities.importing import make_database
from watching import armed

RECORDS = Path(__file__).resolve().parent / "osv"
HOSTILE = 'x\x1b[31m<img onerror="a">\u202e.py'


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool in which two scripts import an old requests, one of them with a hostile name."""
    place = tmp_path_factory.mktemp("sbom")
    site = place / "site-packages"
    for name, version in (("requests", "2.19.0"), ("urllib3", "2.2.0"), ("idle_thing", "1.0")):
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (site / f"{name}.py").write_text("")
    (place / "plain.py").write_text("import requests, urllib3\n")
    (place / HOSTILE).write_text("import requests\n")
    (place / "spool").mkdir(mode=0o700)
    for script in ("plain.py", HOSTILE):
        command = [sys.executable, str(place / script)]
        armed(command, place / "spool", PYTHONPATH=str(site)).checked()
    make_database([str(RECORDS)], str(place / "osv.sqlite"))
    return place


def _bill(recorded: Path, *options: str) -> dict[str, Any]:
    done = gnomon("sbom", recorded / "spool", "--database", recorded / "osv.sqlite", *options).checked()
    return dict(json.loads(done.stdout))


def _libraries(bill: dict[str, Any]) -> dict[str, dict[str, Any]]:
    components = [one for one in bill["components"] if one.get("purl", "").startswith("pkg:pypi/")]
    return {one["purl"]: one for one in components}


def _values(component: dict[str, Any], name: str) -> list[str]:
    return [one["value"] for one in component["properties"] if one["name"] == f"gnomon:{name}"]


def test_a_bill_has_what_was_imported_and_by_which_script(recorded: Path) -> None:
    whole = _bill(recorded)
    assert (whole["bomFormat"], whole["specVersion"]) == ("CycloneDX", "1.6")
    found = _libraries(whole)
    assert {"pkg:pypi/requests@2.19.0", "pkg:pypi/urllib3@2.2.0"} <= set(found)
    assert "pkg:pypi/idle-thing@1.0" not in found
    requests = found["pkg:pypi/requests@2.19.0"]
    assert requests["scope"] == "required"
    assert len(_values(requests, "script")) == 2
    assert _values(requests, "vulnerabilities") == ["vulnerable"]
    assert _values(found["pkg:pypi/urllib3@2.2.0"], "vulnerabilities") == ["no known vulnerability"]
    assert requests["evidence"]["occurrences"]
    (python,) = (one for one in whole["components"] if one["type"] == "platform")
    assert (python["name"], python["version"]) == ("CPython", sys.version.split()[0])
    assert _values(whole["metadata"], "scripts") == ["2"]


def test_vulnerabilities_name_the_components_that_they_affect(recorded: Path) -> None:
    found = {one["id"]: one for one in _bill(recorded)["vulnerabilities"]}
    assert set(found) == {"PYSEC-2018-28", "PYSEC-2023-74"}
    first = found["PYSEC-2018-28"]
    assert [one["ref"] for one in first["affects"]] == ["pkg:pypi/requests@2.19.0"]
    (rating,) = first["ratings"]
    assert (rating["score"], rating["severity"], rating["method"]) == (7.5, "high", "CVSSv3")
    assert first["recommendation"] == "Update to requests 2.20.0."
    assert {one["id"] for one in first["references"]} == {"CVE-2018-18074", "GHSA-x84v-xcm2-53pg"}


def test_a_bill_of_one_script_and_of_what_is_installed(recorded: Path) -> None:
    plain = _bill(recorded, "--script", "plain.py", "--installed")
    found = _libraries(plain)
    assert plain["metadata"]["component"]["name"] == "plain.py"
    assert _values(found["pkg:pypi/requests@2.19.0"], "script")[0].startswith("plain.py (")
    assert len(_values(found["pkg:pypi/requests@2.19.0"], "script")) == 1
    assert found["pkg:pypi/idle-thing@1.0"]["scope"] == "excluded"
    assert _values(found["pkg:pypi/idle-thing@1.0"], "is_imported") == ["false"]
    identity = plain["metadata"]["component"]["version"]
    assert _libraries(_bill(recorded, "--script", identity)).keys() == {
        purl for purl, one in found.items() if one["scope"] == "required"
    }
    done = gnomon("sbom", recorded / "spool", "--script", "nobody.py")
    assert done.status == 1 and b"error: cannot find script `nobody.py`" in done.stderr


def test_several_spools_are_one_bill_and_a_time_leaves_out_what_was_before(
    recorded: Path, tmp_path: Path
) -> None:
    script = tmp_path / "another.py"
    script.write_text("import requests\n")
    spools = (recorded / "spool", tmp_path / "spool")
    spools[1].mkdir(mode=0o700)
    armed([sys.executable, str(script)], spools[1], PYTHONPATH=str(recorded / "site-packages")).checked()

    def scripts(*arguments: object) -> int:
        whole = json.loads(gnomon("sbom", *arguments).checked().stdout)
        return len(_values(_libraries(whole)["pkg:pypi/requests@2.19.0"], "script"))

    assert (scripts(spools[0]), scripts(spools[1]), scripts(*spools)) == (2, 1, 3)
    done = gnomon("sbom", *spools, "--since", datetime.now(timezone.utc).isoformat())
    assert done.status == 1 and b"no script is recorded" in done.stderr


def test_without_a_database_nothing_is_called_checked(recorded: Path, tmp_path: Path) -> None:
    if Path("/var/lib/gnomon/osv.sqlite").exists():
        pytest.skip("this machine has a database of its own")
    done = gnomon("sbom", recorded / "spool", XDG_DATA_HOME=str(tmp_path)).checked()
    whole = json.loads(done.stdout)
    assert b"warning: there is no vulnerability database: nothing was checked" in done.stderr
    assert {_values(one, "vulnerabilities")[0] for one in _libraries(whole).values()} == {"not checked"}
    assert _values(whole["metadata"], "vulnerability_database") == ["none: nothing was checked"]
    assert "vulnerabilities" not in whole


_CONNECTIONS = """
create or replace temp table rows as
select * replace ('api.openai.com' as host, 443 as port, 'https' as protocol, 'openai' as service,
    'OpenAI' as service_name, true as is_ai, false as is_local, false as is_internal, 3 as connects,
    2 as requests, 0 as failed, 5000 as bytes_out)
from model
union all by name
select * replace ('db.corp.example' as host, 5432 as port, 'postgresql' as protocol, true as is_internal,
    1 as connects)
from model
union all by name
select * replace ('2001:db8::1' as host, 443 as port, 1 as connects) from model
union all by name
select * replace ('a<b>"' || chr(27) || ' c' as host, 1 as port, 1 as connects) from model
union all by name
select * replace ('unreachable.example' as host, 443 as port, 4 as failed) from model
union all by name
select * replace ('127.0.0.1' as host, 8000 as port, true as is_local, 9 as connects) from model
"""


@pytest.fixture
def contacted(recorded: Path) -> Iterator[Analysis]:
    """The views, with connections that no test machine can make."""
    with Analysis([recorded / "spool"], vulnerabilities=recorded / "osv.sqlite") as analysis:
        analysis.ensure(["connections", "processes", "libraries", "gaps"])
        connection = analysis.connection
        connection.execute(
            "create temp table model as select c.* replace "
            "(p.script as script, p.script_name as script_name, "
            "coalesce(c.connects, 0) as connects, 0::bigint as requests, 0::bigint as failed, "
            "0::bigint as datagrams, 0::bigint as bytes_out, 0::bigint as bytes_in, false as is_ai, "
            "false as is_local, false as is_internal) "
            "from (select script, script_name from processes order by script_name limit 1) p "
            "left join (select * from connections limit 0) c on true"
        )
        connection.execute(_CONNECTIONS)
        connection.execute("drop view connections")
        connection.execute("create view connections as from rows")
        yield analysis


def test_services_are_the_hosts_that_were_reached(contacted: Analysis) -> None:
    whole = json.loads(written(bill(contacted, choose(contacted, None)), "json"))
    found = {one["name"]: one for one in whole["services"]}
    assert found["OpenAI"]["endpoints"] == ["https://api.openai.com:443"]
    assert found["OpenAI"]["x-trust-boundary"] is True
    assert _values(found["OpenAI"], "is_ai") == ["true"]
    assert _values(found["OpenAI"], "bytes_out") == ["5000"]
    assert found["db.corp.example"]["x-trust-boundary"] is False
    assert found["2001:db8::1"]["endpoints"] == ["tcp:%5B2001:db8::1%5D:443"]
    assert set(found) == {"OpenAI", "db.corp.example", "2001:db8::1", 'a<b>"\\x1b c'}


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_bill_is_valid(contacted: Analysis, form: str) -> None:
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.output import OutputFormat
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation import make_schemabased_validator

    text = written(bill(contacted, choose(contacted, None), installed=True), form)
    output = OutputFormat.JSON if form == "json" else OutputFormat.XML
    try:
        problem = make_schemabased_validator(output, SchemaVersion.V1_6).validate_str(text)
    except MissingOptionalDependencyException:
        pytest.skip("cyclonedx-python-lib[validation] is not installed")
    assert problem is None
    assert "\x1b" not in text and "\u202e" not in text
    assert "\\x1b[31m" in text.replace("\\\\", "\\")
