"""A catalogue and what it says about a host, a path, a module: pure functions of its facts.

The SQL side (tables.py) gives the same answers; tests compare them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Optional

from ..libraries import normalised
from . import loading, patterns
from .addresses import address_of, is_within, plain_host, range_of
from .entries import (
    AiLibrary,
    Capability,
    Egress,
    FileType,
    Internal,
    Library,
    Sensitivity,
    Server,
    Service,
    Words,
)
from .hosts import HostPatterns, compiled

if TYPE_CHECKING:
    from .._native import StrPath

_Maybe = Optional[re.Pattern[str]]
_Searches = tuple[Sensitivity, _Maybe, _Maybe, _Maybe]
_SEVERITY = {severity: rank for rank, severity in enumerate(loading.SEVERITIES)}


@dataclass(frozen=True)
class Catalog:
    """Facts about AI services, hosts, sensitive paths and capabilities."""

    services: tuple[Service, ...] = ()
    servers: tuple[Server, ...] = ()
    libraries: tuple[Library, ...] = ()
    egresses: tuple[Egress, ...] = ()
    sensitivities: tuple[Sensitivity, ...] = ()
    words: Words = field(default_factory=Words)
    types: tuple[FileType, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    internal: Internal = field(default_factory=Internal)
    techniques: tuple[tuple[str, str], ...] = ()

    @classmethod
    def load(cls, paths: Sequence[StrPath] = (), *, own: bool = True) -> Catalog:
        """What gnomon brings, then the machine's and the person's own files, then those at `paths`.

        Args:
            paths: Further files; the last one wins.
            own: Whether /etc/gnomon/catalog.toml and ~/.config/gnomon/catalog.toml count.

        Raises:
            CatalogError: A file cannot be read, or says something wrong.
        """
        entries = loading.shipped()
        for path in (*(loading.own_paths() if own else ()), *(os.fspath(path) for path in paths)):
            loading.add_file(entries, path)
        return cls(
            services=entries.made("ai.service"),
            servers=entries.made("ai.server"),
            libraries=(*entries.made("ai.framework"), *entries.made("ai.runtime")),
            egresses=entries.made("egress"),
            sensitivities=entries.made("data"),
            words=loading.words_of(entries),
            types=entries.made("type"),
            capabilities=entries.made("capability"),
            internal=loading.internal_of(entries),
            techniques=tuple(entries.techniques.items()),
        )

    # ---- hosts

    def service_of(
        self, host: str, path: str | None = None, *, port: int | None = None
    ) -> Service | Server | None:
        """The AI service at `host`, or the AI server at `port` of a host inside.

        Args:
            host: A name or an address.
            path: The path of the URL, where it is known: some hosts offer AI at some paths only.
            port: The port, where it is known.
        """
        plain = plain_host(host)
        for service in self._services_at(plain):
            if _starts_with(path, service.only_paths):
                return service
        if port is None or not self.is_internal(plain):
            return None
        return next((server for server in self.servers if server.is_telling and port in server.ports), None)

    def may_offer(self, host: str) -> bool:
        """Whether a service is at `host`, if only at some paths."""
        return bool(self._services_at(plain_host(host)))

    def _services_at(self, plain: str) -> tuple[Service, ...]:
        """Those with a host that `plain` matches, the most telling pattern first."""
        known = self._known_hosts
        if plain not in known:
            known[plain] = tuple(self._service_hosts.find(plain))
        return known[plain]

    @cached_property
    def _known_hosts(self) -> dict[str, tuple[Service, ...]]:
        return {}

    def egress_of(self, host: str, port: int | None = None) -> tuple[Egress, ...]:
        """The categories that `host` and `port` belong to, the most severe first."""
        plain = plain_host(host)
        is_local = is_loopback(plain)
        named = {egress.id for egress in self._egress_hosts.find(plain)}
        found = [
            egress
            for egress in self.egresses
            if egress.id in named or port in egress.ports or (is_local and port in egress.local_ports)
        ]
        return self.by_severity(found)

    @staticmethod
    def by_severity(egresses: Iterable[Egress]) -> tuple[Egress, ...]:
        """The most severe first."""
        return tuple(sorted(egresses, key=lambda egress: _SEVERITY[egress.severity]))

    def is_internal(self, host: str) -> bool:
        """Whether `host` is inside the organisation; a name without a dot is."""
        plain = plain_host(host)
        if is_within(plain, self._internal_ranges):
            return True
        if address_of(plain) is not None:
            return False
        return (bool(plain) and "." not in plain) or bool(self._internal_hosts.find(plain))

    @cached_property
    def has_judged_services(self) -> bool:
        """Whether the organisation has said of any AI service that it may be used, or may not."""
        judged = [one.is_sanctioned for one in self.services] + [one.is_sanctioned for one in self.servers]
        return any(said is not None for said in judged)

    @cached_property
    def service_order(self) -> tuple[tuple[str, Service], ...]:
        """The hosts of services, the most telling pattern first: it decides where several match."""
        pairs = [(host, service) for service in self.services for host in service.hosts]
        return tuple(sorted(pairs, key=lambda pair: ("*" in pair[0], -len(pair[0]))))

    @cached_property
    def _service_hosts(self) -> HostPatterns[Service]:
        return HostPatterns(self.service_order)

    @cached_property
    def _egress_hosts(self) -> HostPatterns[Egress]:
        return HostPatterns((host, egress) for egress in self.egresses for host in egress.hosts)

    @cached_property
    def _internal_hosts(self) -> HostPatterns[Internal]:
        return HostPatterns((host, self.internal) for host in self.internal.hosts)

    @cached_property
    def _internal_ranges(self) -> list[tuple[str, str]]:
        return [range_of(network) for network in self.internal.networks]

    # ---- paths

    def sensitivities_of(self, path: StrPath) -> tuple[Sensitivity, ...]:
        """What is sensitive about the file at `path`, an absolute path; its content is not looked at."""
        text = plain_path(os.fspath(path))
        types, excepts = self._word_gates
        has_words = types.search(text) is not None and not (excepts and excepts.search(text))
        return tuple(
            sensitivity
            for sensitivity, paths, words, excepted in self._sensitivity_patterns
            if ((paths and paths.search(text)) or (has_words and words and words.search(text)))
            and not (excepted and excepted.search(text))
        )

    @cached_property
    def _word_gates(self) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
        return compiled(self.words.types_regex), _maybe_compiled(self.words.except_regex)

    @cached_property
    def _sensitivity_patterns(self) -> list[_Searches]:
        return [
            (
                one,
                _maybe_compiled(one.paths_regex),
                _maybe_compiled(one.words_regex),
                _maybe_compiled(one.except_regex),
            )
            for one in self.sensitivities
        ]

    def type_of(self, path: StrPath) -> FileType | None:
        """The type of the file at `path`, by its last extension."""
        stem, dot, extension = re.split(r"[/\\]", os.fspath(path))[-1].rpartition(".")
        return self._types.get(extension.lower()) if stem and dot else None

    @cached_property
    def _types(self) -> Mapping[str, FileType]:
        return {extension.lower(): one for one in reversed(self.types) for extension in one.extensions}

    # ---- modules

    def ai_framework_of(self, name: str) -> AiLibrary | None:
        """What the module or distribution `name` is in AI; a module within a known one is that one."""
        return (
            self._ai_modules.get(name)
            or self._ai_distributions.get(normalised(name))
            or next((self._ai_modules[outer] for outer in _outer(name) if outer in self._ai_modules), None)
        )

    def capability_of(self, module: str) -> Capability | None:
        """What importing `module` makes possible; a module within a known one is that one."""
        return next(
            (self._capabilities[one] for one in (module, *_outer(module)) if one in self._capabilities), None
        )

    @cached_property
    def ai_libraries(self) -> tuple[tuple[AiLibrary, tuple[str, ...], tuple[str, ...]], ...]:
        """Who is behind modules and distributions: what they are, modules, distributions."""
        frameworks = [
            (AiLibrary(one.role, one.id, one.name), one.modules, one.distributions) for one in self.libraries
        ]
        offered: list[Service | Server] = [*self.services, *self.servers]
        sdks = [
            (AiLibrary("ai sdk", one.id, one.name, one.id), one.modules, one.distributions) for one in offered
        ]
        return (*frameworks, *sdks)

    @cached_property
    def _ai_modules(self) -> Mapping[str, AiLibrary]:
        return {module: one for one, modules, _ in reversed(self.ai_libraries) for module in modules}

    @cached_property
    def _ai_distributions(self) -> Mapping[str, AiLibrary]:
        libraries = reversed(self.ai_libraries)
        return {normalised(name): one for one, _, names in libraries for name in names}

    @cached_property
    def _capabilities(self) -> Mapping[str, Capability]:
        return {module: one for one in reversed(self.capabilities) for module in one.modules}


def is_loopback(host: str) -> bool:
    """Whether the plain `host` is this machine."""
    found = address_of(host)
    return host == "localhost" or host.endswith(".localhost") or (found is not None and found.is_loopback)


def plain_path(path: str) -> str:
    """`path` without `.`, `..` and empty parts, as text alone says: links are not followed."""
    if not re.search(r"[/\\][.]{0,2}(?:[/\\]|\Z)", path):
        return path
    start = re.match(r"[/\\]{0,2}", path)
    kept: list[str] = []
    for part in re.split(r"[/\\]", path):
        if part == ".." and kept:
            kept.pop()
        elif part not in ("", ".", ".."):
            kept.append(part)
    return (start.group().replace("\\", "/") if start else "") + "/".join(kept)


def _outer(module: str) -> Iterable[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _starts_with(path: str | None, starts: tuple[str, ...]) -> bool:
    if not starts:
        return True
    return path is not None and any(re.search(patterns.of_url_path(start), path) for start in starts)


def _maybe_compiled(regex: str | None) -> re.Pattern[str] | None:
    return None if regex is None else compiled(regex)
