"""The catalogue that gnomon brings is well-formed; people's own files change it, or hear what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gnomon.catalog import Catalog, CatalogError, loading, patterns

SHIPPED = Catalog.load(own=False)


def loaded(directory: Path, *texts: str) -> Catalog:
    paths = []
    for number, text in enumerate(texts):
        paths.append(directory / f"{number}.toml")
        paths[-1].write_text(text, encoding="utf-8")
    return Catalog.load(paths, own=False)


# ---- what gnomon brings


def test_every_shipped_entry_has_its_own_id() -> None:
    groups = [
        [*SHIPPED.services, *SHIPPED.servers],
        SHIPPED.libraries,
        SHIPPED.egresses,
        SHIPPED.sensitivities,
        SHIPPED.types,
        SHIPPED.capabilities,
    ]
    for group in groups:
        assert group
        assert [key for key, count in Counter(one.id for one in group).items() if count > 1] == []


def test_every_shipped_technique_has_a_name() -> None:
    used = {
        technique
        for group in (SHIPPED.egresses, SHIPPED.sensitivities, SHIPPED.capabilities)
        for one in group
        for technique in one.attack
    }
    names = dict(SHIPPED.techniques)
    assert all(re.fullmatch(r"T\d{4}([.]\d{3})?", technique) for technique in {*used, *names})
    assert used <= set(names)


def test_every_shipped_pattern_belongs_to_one_entry() -> None:
    hosts = Counter(host for one in SHIPPED.services for host in one.hosts)
    modules = Counter(module for _, group, _ in SHIPPED.ai_libraries for module in group)
    distributions = Counter(name for _, _, group in SHIPPED.ai_libraries for name in group)
    abilities = Counter(module for one in SHIPPED.capabilities for module in one.modules)
    extensions = Counter(extension for one in SHIPPED.types for extension in one.extensions)
    for counted in (hosts, modules, distributions, abilities, extensions):
        assert [key for key, count in counted.items() if count > 1] == []


def test_every_shipped_sensitivity_says_what_it_is_and_is_found() -> None:
    for one in SHIPPED.sensitivities:
        assert one.paths or one.words
        assert one.label == one.label.strip() and not one.label.endswith(".")
        for regex in filter(None, (one.paths_regex, one.words_regex, one.except_regex)):
            re.compile(patterns.as_python(regex))
        for word in one.words:
            found = SHIPPED.sensitivities_of(f"/data/{word.replace('*', '')}.csv")
            assert one.id in {other.id for other in found}, word


def test_every_shipped_file_says_where_its_facts_come_from() -> None:
    folder = Path(loading.__file__).parent
    assert sorted(path.name for path in folder.glob("*.toml")) == sorted(loading.SHIPPED)
    for name in loading.SHIPPED:
        assert "Where these facts come from:" in (folder / name).read_text(encoding="utf-8")[:600]


# ---- people's own


def test_an_entry_changes_the_keys_that_it_names(tmp_path: Path) -> None:
    catalog = loaded(tmp_path, '[[ai.service]]\nid = "openai"\nsanctioned = true')
    found = catalog.service_of("eu.api.openai.com")
    assert found is not None
    assert (found.id, found.name, found.is_sanctioned) == ("openai", "OpenAI", True)
    assert SHIPPED.service_of("api.openai.com").is_sanctioned is None  # type: ignore[union-attr]


def test_a_list_is_replaced_whole(tmp_path: Path) -> None:
    catalog = loaded(tmp_path, '[[data]]\nid = "customer"\nwords = ["mandant"]')
    assert [one.id for one in catalog.sensitivities_of("/data/Mandant.csv")] == ["customer"]
    assert catalog.sensitivities_of("/data/customers.csv") == ()


def test_new_entries_are_added_and_the_last_file_wins(tmp_path: Path) -> None:
    first = """
        [[ai.service]]
        id = "intern"
        name = "Our own model"
        hosts = ["llm.intern.example"]
        sanctioned = true
        [[data]]
        id = "recipes"
        label = "recipes"
        category = "trade secrets"
        severity = "high"
        paths = ["/srv/recipes/**"]
        words = ["rezept*"]
    """
    catalog = loaded(tmp_path, first, '[[ai.service]]\nid = "intern"\nname = "Other"')
    found = catalog.service_of("LLM.intern.example.")
    assert found is not None
    assert (found.name, found.kind, found.is_sanctioned) == ("Other", "self-hosted", True)
    for path in ("/srv/recipes/x", "/home/a/Rezepte.xlsx"):
        assert [one.id for one in catalog.sensitivities_of(path)] == ["recipes"]


def test_disabled_entries_are_gone(tmp_path: Path) -> None:
    text = """
        [[data]]
        id = "customer"
        disabled = true
        [[egress]]
        id = "dead_drop"
        disabled = true
    """
    catalog = loaded(tmp_path, text)
    assert catalog.sensitivities_of("/data/customers.csv") == ()
    assert [one.id for one in catalog.egress_of("pastebin.com")] == ["paste"]


def test_what_is_inside_is_added_to(tmp_path: Path) -> None:
    text = '[internal]\nhosts = ["*.corp.example"]\nnetworks = ["203.0.113.0/24", "2001:db8::/32"]'
    catalog = loaded(tmp_path, text)
    inside = ["files.corp.example", "203.0.113.7", "2001:db8::7", "10.0.0.1", "localhost"]
    outside = ["corp.example", "evilcorp.example", "203.0.114.1", "2001:db9::1"]
    assert [host for host in inside if not catalog.is_internal(host)] == []
    assert [host for host in outside if catalog.is_internal(host)] == []
    assert catalog.service_of("gpu.corp.example", port=11434).id == "ollama"  # type: ignore[union-attr]


def test_the_machines_and_the_persons_own_files_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "gnomon").mkdir()
    (tmp_path / "gnomon/catalog.toml").write_text('[[data]]\nid = "customer"\ndisabled = true\n')
    assert Catalog.load().sensitivities_of("/data/customers.csv") == ()
    assert Catalog.load(own=False).sensitivities_of("/data/customers.csv") != ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("x = ", "TOML parse error at line 1", "mend the file"),
        ("[[ai.servce]]\nid = 'x'", "no table `ai.servce`", "`ai.service`"),
        ("data = 1", "`data` is no list of entries", "[[data]]"),
        ("[data]\nid = 'x'", "`data` is no list of entries", "[[data]]"),
        ("[[data]]\nlabel = 'x'", "entry 1 of [[data]] has no id", "id = "),
        ("[[data]]\nid = 'a b'", "entry 1 of [[data]] has no id", "small letters"),
        ("[[data]]\nid = 'x'\nlable = 'x'", "no key `lable` in [[data]] `x`", "`label`"),
        (
            "[[data]]\nid = 'x'\nlabel = 'x'\nseverity = 'low'",
            "[[data]] `x` has no `category`",
            "add `category`",
        ),
        ("[[data]]\nid = 'hr'\nseverity = 'urgent'", "[[data]] `hr` severity = 'urgent'", 'say "high" or'),
        ("[[data]]\nid = 'hr'\nattack = ['1005']", "attack = ['1005']", "T1552.001"),
        ("[[data]]\nid = 'hr'\npaths = ['*.csv']", "paths = ['*.csv']", "`**/*.csv`"),
        ("[[data]]\nid = 'hr'\npaths = ['/a/[bc]']", "paths = ['/a/[bc]']", "{one,other}"),
        ("[[data]]\nid = 'hr'\npaths = ['/a/{b']", "paths = ['/a/{b']", "close the `{`"),
        ("[[data]]\nid = 'hr'\npaths = '/a'", "paths = '/a'", "list of texts"),
        ("[[data]]\nid = 'hr'\nwords = ['a*b']", "words = ['a*b']", "is no word"),
        ("[[data]]\nid = 'hr'\nwords = ['x']", "words = ['x']", "is no word"),
        ("[[data]]\nid = 'hr'\naccess = 'any'", "access = 'any'", '"read" or "write" or "both"'),
        ("[[data]]\nid = 'hr'\ndisabled = 'yes'", "disabled = 'yes'", "true or false"),
        ("[[data]]\nid = 'hrr'\ndisabled = true", "no entry [[data]] `hrr`", "`hr`"),
        ("[[data]]\nid = 'hr'\n[[data]]\nid = 'hr'", "[[data]] `hr` is there twice", "one entry"),
        ("[[ai.service]]\nid = 'x'", "[[ai.service]] `x` has no `name`", "add `name`"),
        ("[[ai.service]]\nid = 'openai'\nhosts = ['https://x']", "hosts = ['https://x']", "without scheme"),
        ("[[ai.service]]\nid = 'openai'\nsanctioned = 1", "sanctioned = 1", "true or false"),
        ("[[ai.server]]\nid = 'ollama'\nports = [70000]", "ports = [70000]", "ports as numbers"),
        ("[[ai.server]]\nid = 'ollama'\nports = 11434", "ports = 11434", "ports as numbers"),
        ("[[capability]]\nid = 'wmi'\nmodules = ['a-b']", "modules = ['a-b']", "as it is imported"),
        ("[internal]\nhost = []", "no key `host` in [internal]", "`hosts`"),
        ("[internal]\nnetworks = ['10.0.0.0/40']", "networks = ['10.0.0.0/40']", "10.0.0.0/8"),
        ("internal = 1", "`internal` is no table", "[internal]"),
        ("[words]\ntypes = ['.csv']", "[words] types = ['.csv']", "without its dot"),
        ("[attack]\nT1 = 'x'", "[attack] T1 = 'x'", "T1005"),
    ],
)
def test_errors_name_file_table_and_key_and_what_helps(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(CatalogError) as raised:
        loaded(tmp_path, text)
    assert f"`{tmp_path / '0.toml'}`" in str(raised.value)
    assert message in str(raised.value)
    assert raised.value.hint is not None and hint in raised.value.hint


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="there is no such file"):
        Catalog.load([tmp_path / "none.toml"], own=False)
    with pytest.raises(CatalogError, match="cannot read"):
        Catalog.load([tmp_path], own=False)
    (tmp_path / "latin.toml").write_bytes(b'x = "\xff"')
    with pytest.raises(CatalogError, match="no UTF-8"):
        Catalog.load([tmp_path / "latin.toml"], own=False)


# ---- docs/catalog.md

PAGE = (Path(__file__).parents[1] / "docs/catalog.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_the_documented_file_works(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    catalog = loaded(tmp_path, text)
    hosts = ["a.openai.azure.com", "api.deepseek.com", "llm.intern.example", "api.openai.com"]
    approved = [getattr(catalog.service_of(host), "is_sanctioned", None) for host in hosts]
    assert approved == [True, False, True, None]
    assert catalog.is_internal("files.corp.example")
    assert [one.id for one in catalog.sensitivities_of("/srv/recipes/x")] == ["recipes"]
    assert catalog.sensitivities_of("/srv/recipes/test/x") == ()


def test_the_documented_python_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "own_paths", list)
    (text,) = blocks("python")
    exec(compile(text, "docs/catalog.md", "exec"), {})


def test_every_key_is_documented() -> None:
    for table, what in loading._TABLES.items():
        assert f"`[[{table}]]`" in PAGE
        for key in what.keys:
            assert key == "id" or f"`{key}`" in PAGE, key
