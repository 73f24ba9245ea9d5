"""The AI ledger: services, self-hosted ones, and models that run on the machine itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .model import AiRow
from .questions import Row, ask

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..catalog import AiLibrary

_LABELS = {"pth": "PyTorch", "ckpt": "checkpoint", "onnx": "ONNX", "tflite": "TensorFlow Lite"}


def ledger(analysis: Analysis) -> list[AiRow]:
    """One line for each service or local model, those first that the organisation has not approved."""
    calls = ask(analysis, "ai_calls")
    known = _libraries(analysis)
    data = {(row["script"], row["host"]): row["labels"] for row in ask(analysis, "ai_data")}
    services = [_service(analysis, row, known, data) for row in calls]
    contacted = {row["id"] for row in calls}
    unused = [_library(row, library) for row, library in known if _is_alone(row, library, contacted, calls)]
    return [*services, *map(_weights, ask(analysis, "ai_weights")), *unused]


def _libraries(analysis: Analysis) -> list[tuple[Row, AiLibrary]]:
    catalog = analysis.catalog
    rows = ask(analysis, "ai_libraries")
    found = ((row, catalog.ai_framework_of(row["distribution"])) for row in rows)
    return [(row, library) for row, library in found if library is not None]


def _service(
    analysis: Analysis,
    row: Row,
    known: Iterable[tuple[Row, AiLibrary]],
    data: dict[tuple[str, str], list[str]],
) -> AiRow:
    scripts, hosts, kind = row["scripts"], row["hosts"], _kind(analysis, row)
    sdks = {
        _named(library)
        for library, facts in known
        if set(library["scripts"]) & set(scripts)
        # What an organisation runs itself is asked with the SDKs of others.
        and (facts.service in (None, row["id"]) or kind == "self-hosted")
    }
    labels = {label for script in scripts for host in hosts for label in data.get((script, host), ())}
    return AiRow(
        service=row["id"],
        name=row["name"],
        kind=kind,
        is_sanctioned=_is_sanctioned(analysis, row),
        hosts=hosts,
        sdks=sorted(sdks),
        endpoints=[path for path in row["endpoints"] if path],
        scripts=scripts,
        users=row["users"],
        machines=row["machines"],
        runs=row["runs"],
        calls=row["calls"],
        bytes_out=row["bytes_out"],
        bytes_in=row["bytes_in"],
        data_before=sorted(labels),
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
    )


def _is_sanctioned(analysis: Analysis, row: Row) -> bool | None:
    """As the organisation's catalogue says; where it judges some services, it has not approved the others."""
    said: bool | None = row["is_sanctioned"]
    if said is None and not row["is_local"] and analysis.catalog.has_judged_services:
        return False
    return said


def _kind(analysis: Analysis, row: Row) -> str:
    if row["is_local"]:
        return "local"
    if row["is_internal"]:
        return "self-hosted"
    # A server of the catalogue, and what only speaks as one, is somebody's own.
    kinds = {service.id: service.kind for service in analysis.catalog.services}
    return kinds.get(row["id"], "self-hosted")


def _weights(row: Row) -> AiRow:
    label = _LABELS.get(row["type"], row["type"].upper() if row["type"] in ("gguf", "ggml") else row["type"])
    return AiRow(
        service=f"weights {row['type']}",
        name=f"{label} model files",
        kind="model files",
        is_sanctioned=None,
        hosts=[],
        sdks=[],
        endpoints=row["paths"],
        scripts=row["scripts"],
        users=row["users"],
        machines=row["machines"],
        runs=row["runs"],
        calls=row["calls"],
        bytes_out=0,
        bytes_in=row["bytes_in"],
        data_before=[],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
    )


def _is_alone(row: Row, library: AiLibrary, contacted: set[str], calls: list[Row]) -> bool:
    """Whether no service of the ledger stands for it already."""
    talked = {script for call in calls for script in call["scripts"]}
    return library.service not in contacted and not set(row["scripts"]) <= talked


def _library(row: Row, library: AiLibrary) -> AiRow:
    return AiRow(
        service=f"library {row['distribution']}",
        name=library.name,
        kind=library.role,
        is_sanctioned=None,
        hosts=[],
        sdks=[_named(row)],
        endpoints=[],
        scripts=row["scripts"],
        users=row["users"],
        machines=row["machines"],
        runs=row["runs"],
        calls=0,
        bytes_out=0,
        bytes_in=0,
        data_before=[],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
    )


def _named(library: Row) -> str:
    return f"{library['distribution']} {library['version'] or ''}".rstrip()
