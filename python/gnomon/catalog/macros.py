"""A catalogue as macros of DuckDB: the text of SQL, made of the same expressions that Python searches with.

A pattern that is a column's value would be compiled for each row: so the macros hold every expression as a
constant, and ask for all at once before they ask for each. They take hosts and paths as records hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import patterns
from .addresses import range_of
from .catalog import Catalog
from .entries import Egress, Sensitivity

# Places that are asked for together before each is asked for.
_GROUP = 9
_NONE = "[]::varchar[]"


NAMES = frozenset(
    {
        "plain_host", "plain_path", "address_key", "is_internal", "service_of", "egress_of",
        "sensitivities_of", "may_be_sensitive", "extension_of", "ai_library_of", "capability_of",
    }
)  # fmt: skip


def of(catalog: Catalog) -> Iterable[tuple[str, str]]:
    """The macros of `catalog`, which are called `NAMES`: signature, body."""
    yield "plain_host(host)", "lower(rtrim(host, '.'))"
    yield "plain_path(path)", _PLAIN_PATH
    yield "address_key(host)", _ADDRESS_KEY
    yield "is_internal(host)", _is_internal(catalog)
    yield "service_of(host, port := null, path := null)", _service_of(catalog)
    yield "egress_of(host, port := null)", _egress_of(catalog)
    yield "sensitivities_of(path)", _sensitivities_of(catalog)
    yield "may_be_sensitive(path)", _may_be_sensitive(catalog)
    yield "extension_of(path)", r"lower(regexp_extract(path, '[^/\\][.]([^./\\]+)\z', 1))"
    yield "ai_library_of(name)", _AI_LIBRARY_OF
    yield "capability_of(name)", _CAPABILITY_OF


_PLAIN_PATH = r"""
case when not regexp_matches(path, '[/\\][.]{0,2}(?:[/\\]|\z)') then path
else replace(regexp_extract(path, '^[/\\]{0,2}'), '\', '/')
  || substr(
    list_reduce(
      list_prepend('', string_split(replace(path, '\', '/'), '/')),
      lambda whole, part: case
        when part in ('', '.') then whole
        when part = '..' then regexp_replace(whole, '/?[^/]*\z', '')
        else whole || '/' || part end),
    2)
end"""

_ADDRESS_KEY = r"""
case
  when regexp_matches(host, '^[0-9]{1,3}([.][0-9]{1,3}){3}\z') then
    '00000000000000000000ffff'
      || array_to_string(
        list_transform(string_split(host, '.'), lambda part: printf('%02x', try_cast(part as integer))), '')
  when contains(host, ':') then array_to_string(
    list_transform(
      list_filter(
        string_split(
          replace(host, '::', ':' || repeat('0:', 8 - len(list_filter(
            string_split(host, ':'), lambda part: part <> '')))),
          ':'),
        lambda part: part <> ''),
      lambda part: lpad(lower(part), 4, '0')),
    '')
end"""

_AI_LIBRARY_OF = """(
  select first(found.id order by found.module is null, length(found.module) desc)
  from catalog_modules as found
  where found.role <> 'capability'
    and (found.module = name or starts_with(name, found.module || '.')
      or found.distribution = lower(regexp_replace(name, '[-_.]+', '-', 'g')))
)"""

_CAPABILITY_OF = """(
  select first(found.id order by length(found.module) desc)
  from catalog_modules as found
  where found.role = 'capability' and (found.module = name or starts_with(name, found.module || '.'))
)"""


def _matches(text: str, regex: str) -> str:
    return f"regexp_matches({text}, {_quoted(regex)})"


def _any(conditions: Iterable[str]) -> str:
    found = list(conditions)
    return "(" + " or ".join(found) + ")" if found else "false"


def _within(ranges: Iterable[tuple[str, str]]) -> str:
    return _any(f"address_key(host) between '{low}' and '{high}'" for low, high in ranges)


def _is_internal(catalog: Catalog) -> str:
    within = _within(range_of(network) for network in catalog.internal.networks)
    names = [r"^[^.:]+[.]?\z", *map(patterns.of_host, catalog.internal.hosts)]
    is_name = _matches("host", patterns.alternatives(names))
    return f"case when {_IS_ADDRESS} then coalesce({within}, false) else {is_name} end"


_IS_ADDRESS = r"regexp_matches(host, '^[0-9.]+\z|:')"


def _service_of(catalog: Catalog) -> str:
    order = catalog.service_order
    if not order:
        return "null::varchar"
    cases = "".join(
        f" when {_service_case(host, service.only_paths)} then {_quoted(service.id)}"
        for host, service in order
    )
    named = f"case{cases} end"
    hosts = patterns.alternatives(patterns.of_host(host) for host, _ in order)
    ports = "".join(
        f" when port = {port} then {_quoted(server.id)}"
        for server in catalog.servers
        if server.is_telling
        for port in server.ports
    )
    local = f"case when port is not null and is_internal(host) then case{ports} end end" if ports else "null"
    return f"coalesce(case when {_matches('host', hosts)} then {named} end, {local})"


def _service_case(host: str, only_paths: tuple[str, ...]) -> str:
    found = _matches("host", patterns.of_host(host))
    if not only_paths:
        return found
    paths = patterns.alternatives(patterns.of_url_path(path) for path in only_paths)
    return f"({found} and coalesce({_matches('path', paths)}, false))"


def _egress_of(catalog: Catalog) -> str:
    if not catalog.egresses:
        return _NONE
    order = catalog.by_severity(catalog.egresses)
    regexes = [patterns.of_host(host) for one in order for host in one.hosts]
    ports = sorted({port for one in order for port in (*one.ports, *one.local_ports)})
    gate = [_matches("host", patterns.alternatives(regexes))] if regexes else []
    gate += [f"port in ({', '.join(map(str, ports))})"] if ports else []
    each = ", ".join(f"case when {_egress_case(one)} then {_quoted(one.id)} end" for one in order)
    return f"case when {_any(gate)} then {_known(each)} else {_NONE} end"


def _egress_case(one: Egress) -> str:
    found = [_matches("host", patterns.alternatives(map(patterns.of_host, one.hosts)))] if one.hosts else []
    if one.ports:
        found.append(f"port in ({', '.join(map(str, one.ports))})")
    if one.local_ports:
        found.append(f"(port in ({', '.join(map(str, one.local_ports))}) and {_IS_LOOPBACK})")
    return _any(found)


_IS_LOOPBACK = r"regexp_matches(host, '(?i)^(127[.][0-9.]+|::1|(.*[.])?localhost[.]?)\z')"


def _known(values: str) -> str:
    return f"list_filter([{values}], lambda one: one is not null)"


def _sensitivities_of(catalog: Catalog) -> str:
    """The ids that `path` has: all are asked for at once, then each, those of places in groups."""
    places = [one for one in catalog.sensitivities if one.paths]
    words = [one for one in catalog.sensitivities if one.words]
    groups = [places[start : start + _GROUP] for start in range(0, len(places), _GROUP)]
    of_places = f"flatten([{', '.join(_gated('paths', group, _each('paths', group)) for group in groups)}])"
    found = [_gated("paths", places, of_places) if places else _NONE]
    if words:
        found.append(_when(_words_gate(catalog, words), _each("words", words)))
    return f"list_concat({', '.join(found)})" if len(found) > 1 else found[0]


def _may_be_sensitive(catalog: Catalog) -> str:
    places = [one for one in catalog.sensitivities if one.paths]
    words = [one for one in catalog.sensitivities if one.words]
    gates = [_matches("path", _regex("paths", places))] if places else []
    gates += [_words_gate(catalog, words)] if words else []
    return _any(gates)


def _words_gate(catalog: Catalog, words: Sequence[Sensitivity]) -> str:
    """Whether there is a word; each step is only asked for where the one before said yes."""
    gate = _matches("path", _regex("words", words))
    if catalog.words.except_regex:
        gate = f"case when {gate} then not {_matches('path', catalog.words.except_regex)} else false end"
    return f"case when {_matches('path', catalog.words.types_regex)} then {gate} else false end"


def _gated(field: str, ones: Sequence[Sensitivity], found: str) -> str:
    return _when(_matches("path", _regex(field, ones)), found)


def _when(condition: str, found: str) -> str:
    return f"case when {condition} then {found} else {_NONE} end"


def _each(field: str, ones: Sequence[Sensitivity]) -> str:
    return _known(", ".join(_case(one, _regex(field, [one])) for one in ones))


def _regex(field: str, ones: Sequence[Sensitivity]) -> str:
    if field == "paths":
        return patterns.of_paths(glob for one in ones for glob in one.paths)
    return patterns.of_words([word for one in ones for word in one.words])


def _case(one: Sensitivity, regex: str) -> str:
    found = _matches("path", regex)
    if one.except_regex:
        found = f"{found} and not {_matches('path', one.except_regex)}"
    return f"case when {found} then {_quoted(one.id)} end"


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
