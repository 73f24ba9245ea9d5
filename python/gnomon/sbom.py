"""What really ran, as a CycloneDX bill of materials: libraries that were imported, interpreters, services.

Everything is read from the views of `analysis`, so that its figures are those of every other report. What a
watched program chose is written out (`printable`): XML cannot hold every letter, and readers should not.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cyclonedx.model import HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.impact_analysis import ImpactAnalysisAffectedStatus
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.service import Service
from cyclonedx.model.vulnerability import (
    BomTarget,
    BomTargetVersionRange,
    Vulnerability,
    VulnerabilityRating,
    VulnerabilityReference,
    VulnerabilityScoreSource,
    VulnerabilitySeverity,
    VulnerabilitySource,
)
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from .text import printable

if TYPE_CHECKING:
    from .analysis import Analysis

MAX_LISTED = 200  # of scripts, places or gaps under one thing; how many there are is always said
_MAX_TEXT = 1000
# A query names no view, not even as a parameter, that it does not read: `Analysis` loads what it names.
_LIBRARIES = """
select
    l.distribution,
    l.version,
    bool_or(l.is_imported and l.script in (select unnest($chosen))) as is_imported,
    any_value(l.state) as state,
    sum(l.runs)::bigint as runs,
    list(distinct l.script_name || ' (' || l.script || ')' order by l.script_name || ' (' || l.script || ')')
        filter (l.script is not null) as used_by,
    list(distinct [l.machine, coalesce(l.environment, 'Python ' || l.python)]) as places,
    list_distinct(flatten(list(l.modules))) as modules
from libraries l
where l.distribution is not null
    and (l.script in (select unnest($chosen)) or ($installed and l.script is null))
group by l.distribution, l.version
order by l.distribution, l.version
"""
_OF_NO_DISTRIBUTION = """
select list_sort(list_distinct(flatten(list(modules)))) as modules
from libraries
where distribution is null and is_imported and script in (select unnest($chosen))
"""
_INTERPRETERS = """
select python, list(distinct executable order by executable) as executables, count(*) as runs
from processes
where script in (select unnest($chosen))
group by python
order by python
"""
_NATIVE = """
select path, min(how) as how
from (
    select n.target as path, 'loaded by ctypes' as how
    from native_records n
    join processes p using (process)
    where n.detail = 'load' and p.script in (select unnest($chosen))
    union all
    select subject, reason
    from gaps
    where kind = 'blind library' and script in (select unnest($chosen))
)
-- The process itself, and a way into the kernel, are no components.
where path is not null and path not in ('<process>', 'io_uring')
group by path
order by path
"""
_SERVICES = """
select
    coalesce(service_name, host) as name,
    any_value(service) as service,
    bool_or(coalesce(is_ai, false)) as is_ai,
    bool_and(coalesce(is_local, false)) as is_local,
    bool_and(coalesce(is_internal, false) or coalesce(is_local, false)) as is_inside,
    bool_and(is_sanctioned) as is_sanctioned,
    list(distinct {protocol: protocol, host: host, port: port}) as endpoints,
    list(distinct script_name || ' (' || script || ')' order by script_name || ' (' || script || ')')
        as used_by,
    list_sort(list_distinct(flatten(list(coalesce(distributions, []))))) as distributions,
    sum(connects)::bigint as connects,
    sum(requests)::bigint as requests,
    sum(bytes_out)::bigint as bytes_out,
    sum(bytes_in)::bigint as bytes_in
from connections
where script in (select unnest($chosen))
    and (not coalesce(is_local, false) or is_ai)
    and (connects > 0 or datagrams > 0 or (requests > 0 and failed = 0))
group by coalesce(service_name, host)
order by name
"""
_GAPS = """
select kind, reason, coalesce(subject, '') as subject, sum(count)::bigint as count
from gaps
where script is null or script in (select unnest($chosen))
group by all
order by kind, reason, subject
"""
_ADVISORIES = """
select a.*
from advisories a
order by a.advisory, a.distribution, a.version
"""


@dataclass(frozen=True)
class Chosen:
    """The scripts that a bill is about: their ids, and the name to call them by.

    Attributes:
        versions: The hashes of their content.
    """

    name: str
    scripts: list[str]
    versions: list[str] = field(default_factory=list)


def choose(analysis: Analysis, wanted: str | None) -> Chosen:
    """All scripts, or those of a name, a path, or the start of an id or hash.

    Raises:
        LookupError: There is none.
    """
    rows = analysis.rows(
        "select script, script_name, "
        "list(distinct script_sha256) filter (script_sha256 is not null) as hashes "
        "from processes where script is not null and ($wanted is null or script_name = $wanted "
        "or script_path = $wanted or (len($wanted) >= 6 "
        "and (starts_with(script, lower($wanted)) or starts_with(script_sha256, lower($wanted))))) "
        "group by all order by all",
        {"wanted": wanted},
    )
    if not rows:
        raise LookupError(wanted or "")
    scripts = list(dict.fromkeys(row["script"] for row in rows))
    if wanted is None:
        return Chosen("Python programs", scripts)
    return Chosen(
        rows[0]["script_name"] or wanted,
        scripts,
        sorted({one for row in rows for one in row["hashes"] or ()}),
    )


def bill(analysis: Analysis, chosen: Chosen, *, installed: bool = False) -> Bom:
    """The bill of what those scripts used.

    Args:
        analysis: The views.
        chosen: Whose.
        installed: Whether what was only installed beside it is in it too, marked as excluded.
    """
    scripts = {"chosen": chosen.scripts}
    bom = Bom()
    root = _root(chosen)
    bom.metadata.component = root
    bom.metadata.timestamp = datetime.now(timezone.utc)
    bom.metadata.lifecycles.add(PredefinedLifecycle(LifecyclePhase.OPERATIONS))
    bom.metadata.tools.components.add(
        Component(type=ComponentType.APPLICATION, name="gnomon", version=_version())
    )
    components = [
        *map(_library, analysis.rows(_LIBRARIES, {**scripts, "installed": installed})),
        *map(_interpreter, analysis.rows(_INTERPRETERS, scripts)),
        *_natives(analysis, scripts),
    ]
    bom.components.update(components)
    bom.services.update(map(_service, analysis.rows(_SERVICES, scripts)))
    bom.register_dependency(root, [one for one in components if one.scope != ComponentScope.EXCLUDED])
    bom.register_dependency(root, bom.services)
    bom.vulnerabilities.update(_vulnerabilities(analysis, {str(one.bom_ref.value) for one in components}))
    bom.metadata.properties.update(_facts(analysis, chosen))
    return bom


def written(bom: Bom, form: str) -> str:
    """The bill as CycloneDX 1.6, `json` or `xml`."""
    output = OutputFormat.JSON if form == "json" else OutputFormat.XML
    return make_outputter(bom, output, SchemaVersion.V1_6).output_as_string(indent=2)


def _root(chosen: Chosen) -> Component:
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in chosen.versions]
    return Component(
        type=ComponentType.APPLICATION,
        name=_safe(chosen.name),
        version=chosen.scripts[0] if len(chosen.scripts) == 1 else None,
        bom_ref="gnomon:root",
        hashes=hashes if len(hashes) == 1 else [],
    )


def _library(row: dict[str, Any]) -> Component:
    name, version = _safe(row["distribution"]), _safe(row["version"] or "")
    purl = PackageURL("pypi", None, name, version or None)
    places = row["places"][:MAX_LISTED]
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version or None,
        bom_ref=purl.to_string(),
        purl=purl,
        scope=ComponentScope.REQUIRED if row["is_imported"] else ComponentScope.EXCLUDED,
        evidence=ComponentEvidence(
            occurrences=[
                Occurrence(location=_safe(place), additional_context=f"on machine {_safe(machine or '')}")
                for machine, place in places
            ]
        ),
        properties=[
            _property("is_imported", row["is_imported"]),
            _property("vulnerabilities", row["state"]),
            _property("runs", row["runs"]),
            *_listed("module", row["modules"]),
            *_listed("script", row["used_by"]),
        ],
    )


def _interpreter(row: dict[str, Any]) -> Component:
    version = _safe(row["python"] or "")
    purl = PackageURL("generic", None, "python", version or None)
    return Component(
        type=ComponentType.PLATFORM,
        name="CPython",
        version=version or None,
        bom_ref=purl.to_string(),
        purl=purl,
        properties=[_property("runs", row["runs"]), *_listed("executable", row["executables"])],
    )


def _natives(analysis: Analysis, scripts: dict[str, list[str]]) -> list[Component]:
    """Read past the view `events`: the reader skips all other kinds long before SQL would."""
    from .analysis.sources import stream

    columns = ["process", "target", "detail"]
    streams = [spool.stream(columns) for spool in analysis.spools(kinds=["native"])]
    with stream(analysis.connection, "native_records", streams):
        return [_native(row) for row in analysis.rows(_NATIVE, scripts)]


def _native(row: dict[str, Any]) -> Component:
    path = _safe(row["path"])
    return Component(
        type=ComponentType.LIBRARY,
        name=path.rpartition("/")[2] or path,
        bom_ref=f"native:{path}",
        properties=[_property("path", path), _property("native", row["how"])],
    )


def _service(row: dict[str, Any]) -> Service:
    name = _safe(row["name"])
    return Service(
        name=name,
        bom_ref=f"service:{name}",
        endpoints=[XsUri(_endpoint(**one)) for one in row["endpoints"][:MAX_LISTED]],
        x_trust_boundary=not row["is_inside"],
        properties=[
            _property("is_ai", row["is_ai"]),
            *([_property("service", row["service"])] if row["service"] else []),
            *([] if row["is_sanctioned"] is None else [_property("is_sanctioned", row["is_sanctioned"])]),
            *(_property(name, row[name]) for name in ("connects", "requests", "bytes_out", "bytes_in")),
            *_listed("library", row["distributions"]),
            *_listed("script", row["used_by"]),
        ],
    )


def _endpoint(protocol: str | None, host: str, port: int | None) -> str:
    place = urllib.parse.quote(_safe(host), safe=":")
    scheme = (protocol or "tcp").replace(" ", "-")
    end = f":{port}" if port else ""
    if ":" in place:
        # The library writes brackets as %5B and %5D, which no URI may have after `//`.
        return f"{scheme}:[{place}]{end}"
    return f"{scheme}://{place}{end}"


def _vulnerabilities(analysis: Analysis, refs: set[str]) -> Iterator[Vulnerability]:
    """One for each advisory, with all the components of the bill that it affects."""
    analysis.ensure(["checked_rows"])
    found: dict[str, tuple[dict[str, Any], list[BomTarget], list[str]]] = {}
    for row in analysis.rows(_ADVISORIES):
        ref = PackageURL(
            "pypi", None, _safe(row["distribution"]), _safe(row["version"] or "") or None
        ).to_string()
        if ref not in refs:
            continue
        _, targets, fixed = found.setdefault(row["advisory"], (row, [], []))
        span = BomTargetVersionRange(
            version=_safe(row["version"] or "unknown"), status=ImpactAnalysisAffectedStatus.AFFECTED
        )
        targets.append(BomTarget(ref=ref, versions=[span]))
        if row["fixed"]:
            fixed.append(f"{row['distribution']} {row['fixed']}")
    for row, targets, fixed in found.values():
        yield Vulnerability(
            bom_ref=f"vulnerability:{row['advisory']}",
            id=row["advisory"],
            source=VulnerabilitySource(name="OSV", url=XsUri(row["url"])),
            references=[VulnerabilityReference(id=alias, source=_source(alias)) for alias in row["aliases"]],
            ratings=[_rating(row)],
            description=_safe(row["summary"]),
            recommendation=_safe(f"Update to {', '.join(dict.fromkeys(fixed))}.") if fixed else None,
            published=row["published"].replace(tzinfo=timezone.utc) if row["published"] else None,
            affects=targets,
        )


def _source(identity: str) -> VulnerabilitySource:
    if identity.startswith("CVE-"):
        return VulnerabilitySource(name="NVD", url=XsUri(f"https://nvd.nist.gov/vuln/detail/{identity}"))
    return VulnerabilitySource(name="OSV", url=XsUri(f"https://osv.dev/vulnerability/{identity}"))


def _rating(row: dict[str, Any]) -> VulnerabilityRating:
    score = row["score"]
    severity = "critical" if score is not None and score >= 9 else row["severity"]
    methods = {
        "CVSS:3.0": VulnerabilityScoreSource.CVSS_V3,
        "CVSS:3.1": VulnerabilityScoreSource.CVSS_V3_1,
        "CVSS:4.0": VulnerabilityScoreSource.CVSS_V4,
    }
    vector = _safe(row["vector"] or "")
    return VulnerabilityRating(
        score=None if score is None else Decimal(str(score)),
        severity=VulnerabilitySeverity(severity) if row["is_rated"] else VulnerabilitySeverity.UNKNOWN,
        method=methods.get(vector.partition("/")[0]) if vector else None,
        vector=vector or None,
    )


def _facts(analysis: Analysis, chosen: Chosen) -> Iterator[Property]:
    """What the bill is of, and what it cannot tell."""
    scripts = {"chosen": chosen.scripts}
    (seen,) = analysis.rows(
        "select count(*) as runs, count(distinct machine_id) as machines, "
        "min(started) as first, max(last_seen) as last "
        "from processes where script in (select unnest($chosen))",
        scripts,
    )
    yield from (_property(name, seen[name]) for name in ("runs", "machines"))
    yield from (_property(f"{name}_seen", f"{seen[name]:%Y-%m-%dT%H:%M:%SZ}") for name in ("first", "last"))
    yield _property("scripts", len(chosen.scripts))
    yield _property("vulnerability_database", _database(analysis))
    (own,) = analysis.rows(_OF_NO_DISTRIBUTION, scripts)
    yield from _listed("module_of_no_distribution", own["modules"])
    gaps = analysis.rows(_GAPS, scripts)
    texts = [" ".join(filter(None, (f"{row['kind']}:", row["subject"], row["reason"]))) for row in gaps]
    yield from _listed("gap", [f"{text} ({row['count']})" for text, row in zip(texts, gaps)])


def _database(analysis: Analysis) -> str:
    rows = analysis.rows("select source_date, advisories, packages, sha256 from vulnerability_database")
    if not rows:
        return "none: nothing was checked"
    row = rows[0]
    date = f"{row['source_date']:%Y-%m-%d}" if row["source_date"] else "unknown date"
    return f"{row['advisories']} advisories of {row['packages']} packages, {date}, sha256 {row['sha256']}"


def _listed(name: str, values: Iterable[str] | None) -> Iterator[Property]:
    """One property for each, and how many more there are."""
    values = list(values or ())
    yield from (_property(name, value) for value in values[:MAX_LISTED])
    if len(values) > MAX_LISTED:
        yield _property(f"more_{name}", len(values) - MAX_LISTED)


def _property(name: str, value: object) -> Property:
    text = value if isinstance(value, str) else json.dumps(value)
    return Property(name=f"gnomon:{name}", value=_safe(text))


def _safe(text: str) -> str:
    return printable(text, _MAX_TEXT)


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gnomon")
    except PackageNotFoundError:
        return None
