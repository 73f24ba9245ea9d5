"""The catalogue in DuckDB: its tables, and macros that say what Python says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import test_catalog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gnomon.catalog import Catalog, macros, patterns
from gnomon.catalog.addresses import address_of, key_of, plain_host
from gnomon.catalog.catalog import plain_path

duckdb = pytest.importorskip("duckdb")
from gnomon.catalog.tables import COLUMNS, install  # noqa: E402

CATALOG = test_catalog.CATALOG


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        install(connection, CATALOG)
        yield connection


def rows(connection, sql: str, *values):
    return connection.execute(sql, list(values)).fetchall()


def cases(test) -> list[str]:
    """The first argument of each case of a parametrised test."""
    found = test.pytestmark[0].args[1]
    return [one[0] if isinstance(one, tuple) else one for one in found]


PATHS = [
    path
    for test in (
        test_catalog.test_places_are_known_by_path,
        test_catalog.test_words_of_the_business_are_bounded,
        test_catalog.test_software_is_no_business_data,
        test_catalog.test_no_spelling_of_a_path_slips_by_but_another_name_does,
    )
    for path in cases(test)
    if not re.search("[\ud800-\udfff]", path)
]
HOSTS = [
    host
    for test in (
        test_catalog.test_ai_service_is_known_by_its_host,
        test_catalog.test_no_spelling_of_a_host_slips_by,
        test_catalog.test_hosts_and_ports_have_categories_the_most_severe_first,
        test_catalog.test_an_address_is_the_same_however_it_is_written,
        test_catalog.test_what_is_inside,
    )
    for host in cases(test)
]


def check_paths(connection, paths: list[str]) -> None:
    sql = """
        select path, list_sort(sensitivities_of(plain)), may_be_sensitive(plain), plain
        from (select path, plain_path(path) as plain from (select unnest(?::varchar[]) as path))
    """
    for path, found, may_be, plain in rows(connection, sql, paths):
        assert plain == plain_path(path), path
        assert found == sorted(one.id for one in CATALOG.sensitivities_of(path)), path
        assert may_be or not found, path


def check_hosts(connection, hosts: list[str], ports: list[int | None]) -> None:
    # Records hold no name with a colon, which no resolver takes.
    plain = [host for host in map(plain_host, hosts) if ":" not in host or address_of(host)]
    sql = """
        select host, port, service_of(host, port := port), egress_of(host, port := port), is_internal(host)
        from (select unnest(?::varchar[]) as host), (select unnest(?::integer[]) as port)
    """
    for host, port, service, egresses, is_internal in rows(connection, sql, plain, ports):
        expected = CATALOG.service_of(host, port=port)
        assert service == (expected and expected.id), (host, port)
        assert egresses == [one.id for one in CATALOG.egress_of(host, port)], (host, port)
        assert is_internal == CATALOG.is_internal(host), host


def test_sql_says_of_paths_what_python_says(connection) -> None:
    check_paths(connection, PATHS)


def test_sql_says_of_hosts_what_python_says(connection) -> None:
    check_hosts(connection, HOSTS, [None, 25, 443, 8080, 9050, 11434])


WORDS = [word.replace("*", "") for one in CATALOG.sensitivities for word in one.words]
PARTS = [
    part.replace("*", "x").replace("{", "").replace("}", "").replace("?", "q").replace(",", "")
    for one in CATALOG.sensitivities
    for glob in one.paths
    for part in glob.replace("**/", "").split("/")
]
ENDS = ["", ".csv", ".XLSX", ".pdf.gz", ".json~", ".py", ".txt.bak", ".pub", ".db", ".key", "\n", ".csv\n"]
letters = st.text(
    st.one_of(
        st.sampled_from("aAzZ09_-. /\\\u00e9\u00c4\u0308\u017f\u212a\u0130\u0131\u00df\u4e00\u2013\n\0"),
        st.characters(codec="utf-8"),
    ),
    max_size=3,
)
cased = st.sampled_from([str.lower, str.upper, str.title, str.swapcase, str])
pieces = st.one_of(
    st.builds(lambda word, change: change(word), st.sampled_from(WORDS), cased),
    st.sampled_from(PARTS),
    st.sampled_from(["data", "usr", "lib", "site-packages", "..", ".", "", "proc", "self", "etc", "home"]),
    letters,
)
names = st.builds("".join, st.lists(pieces, min_size=1, max_size=3))
paths = st.builds(
    lambda start, folders, end: start + "/".join(folders) + end,
    st.sampled_from(["/", "/data/", "//", "", "C:/"]),
    st.lists(names, min_size=1, max_size=4),
    st.sampled_from(ENDS),
)
hosts = st.builds(
    lambda before, host, after: before + host.replace("*", "x") + after,
    st.sampled_from(["", "x.", "x", "a.b.", ".", "-"]),
    st.one_of(
        st.sampled_from([one for service in CATALOG.services for one in service.hosts]),
        st.sampled_from([one for egress in CATALOG.egresses for one in egress.hosts]),
        st.sampled_from([*CATALOG.internal.hosts, "intranet"]),
        st.ip_addresses().map(str),
    ),
    st.sampled_from(["", ".", ".evil.example", "x", "\u0131"]),
)
# Each query costs a third of a second, so an example is many cases, and a failing one is shown as it is.
few = settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@few
@given(st.lists(paths, min_size=60, max_size=120))
def test_sql_and_python_agree_on_any_path(connection, paths) -> None:
    check_paths(connection, paths)


@few
@given(st.lists(hosts, min_size=40, max_size=80), st.integers(1, 65535))
def test_sql_and_python_agree_on_any_host(connection, hosts, port) -> None:
    check_hosts(connection, hosts, [None, port, 587, 9050, 1234])


@few
@given(st.lists(st.ip_addresses(), min_size=50))
def test_sql_and_python_agree_on_the_key_of_an_address(connection, addresses) -> None:
    texts = [plain_host(str(address)) for address in addresses]
    sql = "select host, address_key(host) from (select unnest(?::varchar[]) as host)"
    for host, key in rows(connection, sql, texts):
        address = address_of(host)
        assert address is not None
        assert key == key_of(address)


def test_services_at_some_paths_only_are_known_with_the_path(connection) -> None:
    sql = "select service_of('acme.snowflakecomputing.com', path := ?)"
    assert rows(connection, sql, "/api/v2/cortex/inference") == [("snowflake_cortex",)]
    assert rows(connection, sql, "/queries") == [(None,)]


def test_modules_and_extensions_are_known_in_sql(connection) -> None:
    modules = [
        "openai.types",
        "google.genai",
        "google",
        "langchain_core",
        "pynput.mouse",
        "PIL",
        "torch",
        "json",
    ]
    for name, library, capability in rows(
        connection,
        "select name, ai_library_of(name), capability_of(name) from (select unnest(?::varchar[]) as name)",
        modules,
    ):
        known = CATALOG.ai_framework_of(name)
        able = CATALOG.capability_of(name)
        assert library == (known and known.id)
        assert capability == (able and able.id)
    extensions = rows(
        connection, r"select extension_of('/a/b.XLSX'), extension_of('/a/.csv'), extension_of('C:\a\b.csv')"
    )
    assert extensions == [("xlsx", "", "csv")]


def test_tables_hold_every_entry(connection) -> None:
    counts = {
        "catalog_services": len(CATALOG.services) + len(CATALOG.servers),
        "catalog_paths": len(CATALOG.sensitivities),
        "catalog_types": sum(len(one.extensions) for one in CATALOG.types),
        "catalog_techniques": len(CATALOG.techniques),
    }
    for table, count in counts.items():
        assert rows(connection, f"select count(*) from {table}") == [(count,)]
    severities = (
        "select distinct severity from catalog_paths union select distinct severity from catalog_hosts"
    )
    assert {severity for (severity,) in rows(connection, severities)} == {
        "high",
        "medium",
        "low",
        "info",
        None,
    }
    roles = {role for (role,) in rows(connection, "select distinct role from catalog_modules")}
    assert roles == {"ai sdk", "ai framework", "local runtime", "capability"}


def test_the_expressions_in_the_tables_say_the_same(connection) -> None:
    """They are slower than the macros, and there for whoever looks."""
    for path in ("/data/crm/export.csv", "/home/a/.ssh/id_rsa", "/home/a/.ssh/id_rsa.pub"):
        found = rows(
            connection,
            """
            select id
            from catalog_paths
            where regexp_matches(?, regex) and not coalesce(regexp_matches(?, except_regex), false)
            """,
            path,
            path,
        )
        assert {one for (one,) in found} == test_catalog.data(path)


def test_a_catalogue_of_ones_own_is_installed_in_place(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[ai.service]]\nid = "own"\nname = "x"\nhosts = ["oai.example"]')
    with duckdb.connect() as connection:
        install(connection, CATALOG)
        install(connection, Catalog.load([own], own=False))
        assert rows(connection, "select service_of('oai.example')") == [("own",)]
        assert rows(connection, "select service_of('api.openai.com')") == [("openai",)]


def test_an_empty_catalogue_says_nothing() -> None:
    with duckdb.connect() as connection:
        install(connection, Catalog())
        sql = """
            select service_of('api.openai.com'), egress_of('pastebin.com'), sensitivities_of('/etc/shadow'),
              may_be_sensitive('/etc/shadow'), is_internal('10.0.0.1')
        """
        assert rows(connection, sql) == [(None, [], [], False, False)]


def test_a_quote_in_a_name_is_no_sql(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[data]]\nid = "odd"\nlabel = "it\'s"\ncategory = "x\'); drop table catalog_hosts; --"\n'
        'severity = "low"\npaths = ["/o\'hara/**"]\n'
    )
    with duckdb.connect() as connection:
        install(connection, Catalog.load([own], own=False))
        assert rows(connection, "select sensitivities_of('/o''hara/x')") == [(["odd"],)]
        assert rows(connection, "select label from catalog_paths where id = 'odd'") == [("it's",)]


def test_a_letter_is_found_in_every_form_of_unicode() -> None:
    for text in ("Geh\u00e4lter", "Geha\u0308lter", "GEH\u00c4LTER", "gehaelter", "gehalter"):
        assert re.search(patterns.as_python(patterns.literal("geh\u00e4lter")), text), text


def test_the_documented_query_runs_and_every_macro_and_table_is_documented(connection) -> None:
    page = (Path(__file__).parents[1] / "docs/catalog.md").read_text(encoding="utf-8")
    (sql,) = re.findall(r"```sql\n(.*?)```", page, re.S)
    connection.execute("create or replace temp table paths as select '/data/crm/export.csv' as path")
    assert rows(connection, sql) == [("/data/crm/export.csv", "customer data", "high")]
    for table, columns in COLUMNS.items():
        documented = re.search(rf"\| `{table}` \|(.*)", page)
        assert documented
        names = [column.split()[0] for column in columns.split(", ")]
        assert names == re.findall(r"`(\w+)`", documented[1])[: len(names)]
    for signature, _ in macros.of(CATALOG):
        assert f"`{signature}`" in page
