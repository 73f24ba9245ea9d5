"""What a catalogue holds: plain facts, and the expressions that find them. They know neither TOML nor SQL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from . import patterns


@dataclass(frozen=True)
class Service:
    """An AI service on the network.

    Attributes:
        kind: `api`, `aggregator`, `assistant`, `consumer`, `media`, `compute`, `tool`, `tracing`,
            `vector store`, `self-hosted`.
        only_paths: Where the host offers more than AI: how a URL's path starts that is the AI service.
        is_sanctioned: Whether the organisation approved of it; `None` where nobody said.
    """

    id: str
    name: str
    kind: str = "self-hosted"
    hosts: tuple[str, ...] = ()
    only_paths: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    otel_provider: str | None = None
    is_sanctioned: bool | None = None


@dataclass(frozen=True)
class Server:
    """An AI server on this machine or its network, known by its port.

    Attributes:
        is_telling: Whether few other programs use its port, so that the port says enough.
    """

    id: str
    name: str
    ports: tuple[int, ...] = ()
    is_telling: bool = True
    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    is_sanctioned: bool | None = None

    kind = "local server"


@dataclass(frozen=True)
class Library:
    """A library to build AI programs with (`ai framework`), or to run models with (`local runtime`)."""

    id: str
    name: str
    role: str
    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()


@dataclass(frozen=True)
class AiLibrary:
    """What a module or distribution is: the `ai sdk` of a service, an `ai framework`, a `local runtime`."""

    role: str
    id: str
    name: str
    service: str | None = None


@dataclass(frozen=True)
class Egress:
    """A category of hosts to which data can leave.

    Attributes:
        ports: Ports that say so whatever the host.
        local_ports: The same, of this machine alone.
    """

    id: str
    label: str
    severity: str
    attack: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    local_ports: tuple[int, ...] = ()


@dataclass(frozen=True)
class Words:
    """What holds for the words of every sensitivity: types of files that count, and paths that do not."""

    types: tuple[str, ...] = ()
    excepts: tuple[str, ...] = ()

    @cached_property
    def types_regex(self) -> str:
        """What finds a file that counts."""
        return patterns.of_types(self.types)

    @cached_property
    def except_regex(self) -> str | None:
        """What finds a path that does not count."""
        return _any(self.excepts)


@dataclass(frozen=True)
class Sensitivity:
    """A kind of sensitive data, known by path and name alone.

    Attributes:
        access: Whether reading it counts, writing it, or `both`.
    """

    id: str
    label: str
    category: str
    severity: str
    attack: tuple[str, ...] = ()
    access: str = "both"
    paths: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    excepts: tuple[str, ...] = ()

    @cached_property
    def paths_regex(self) -> str | None:
        """What finds one of its paths."""
        return _any(self.paths)

    @cached_property
    def words_regex(self) -> str | None:
        """What finds one of its words in a path, wherever that is and whatever the file's type."""
        return patterns.of_words(self.words) if self.words else None

    @cached_property
    def except_regex(self) -> str | None:
        """What finds a path that it leaves out."""
        return _any(self.excepts)


@dataclass(frozen=True)
class FileType:
    """Types of files that one thinks of together."""

    id: str
    label: str
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Capability:
    """What importing a module makes possible."""

    id: str
    label: str
    severity: str
    attack: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Internal:
    """What is inside the organisation."""

    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


def _any(globs: tuple[str, ...]) -> str | None:
    return patterns.of_paths(globs) if globs else None
