"""Reports made up from a few words: a week of a small company, with any number of scripts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gnomon.report.model import (
    AiRow,
    DataRow,
    Day,
    FindingRow,
    Flow,
    Gap,
    HostRow,
    LibraryRow,
    Report,
    ScriptPage,
    Summary,
)
from made_facts import DAYS, HOSTS, LIBRARIES, MACHINES, SENSITIVE, SERVICES, START
from made_passports import made_page


def made_report(scripts: int = 31, *, seed: int = 7, **changes: Any) -> Report:
    """A report of so many scripts. The same numbers make the same report."""
    chance = random.Random(seed)
    findings: list[FindingRow] = []
    pages = [made_page(number, scripts, chance, findings) for number in range(scripts)]
    pages.sort(key=lambda page: (-page.risk, page.name))
    suppressed = [
        replace(
            one,
            is_suppressed=True,
            suppressed_by="Chief security officer",
            suppressed_because="Replaced in July.",
            suppressed_until="2026-07-31",
        )
        for one in findings
        if one.rule == "after-hours"
    ]
    findings = [one for one in findings if one.rule != "after-hours"]
    flows = _flows(pages, chance)
    timeline = _timeline(scripts, chance)
    report = Report(
        schema=1,
        title="Shadow Python risk assessment",
        made=(START + timedelta(days=DAYS, hours=7)).isoformat(),
        gnomon="0.3.0",
        spools=["/var/spool/gnomon"],
        first=(START + timedelta(hours=6, minutes=12)).isoformat(),
        last=(START + timedelta(days=DAYS - 1, hours=21)).isoformat(),
        is_pseudonymous=False,
        vulnerability_database={
            "path": "/srv/osv/PyPI.zip",
            "date": "2026-06-07",
            "advisories": 18342,
            "packages": 9120,
        },
        summary=_summary(pages, findings, suppressed, timeline),
        headlines=[
            "churn_summary.py read customers_2026.csv and sent 4.2 MB to api.openai.com, run by ben.okafor.",
            "12 scripts import requests 2.19.0, which has two known vulnerabilities. 2.31.0 has none.",
            "vat_export.py runs every night, but the account of its owner, dmitri.volkov, is gone.",
            "supplier_ftp.py sends stock figures to ftp.supplier.example without encryption.",
        ],
        timeline=timeline,
        scripts=pages,
        findings=findings,
        suppressed=suppressed,
        libraries=_libraries(pages, chance),
        hosts=_hosts(pages, chance),
        ai=_ai(pages, chance),
        data=_data(pages, chance),
        flows=flows,
        gaps=_gaps(pages),
    )
    return replace(report, **changes)


def empty_report(**changes: Any) -> Report:
    """A report of a spool in which nothing was recorded."""
    nothing: dict[str, Any] = {
        name: []
        for name in (
            "headlines",
            "timeline",
            "scripts",
            "findings",
            "suppressed",
            "libraries",
            "hosts",
            "ai",
            "data",
            "flows",
            "gaps",
        )
    }
    zeros = dict.fromkeys(Summary.__dataclass_fields__, 0)
    report = made_report(1)
    return replace(
        report,
        **{
            **nothing,
            "summary": Summary(**zeros),
            "first": None,
            "last": None,
            "vulnerability_database": None,
            **changes,
        },
    )


def _timeline(scripts: int, chance: random.Random) -> list[Day]:
    days = []
    for number in range(DAYS):
        is_weekend = number >= 5
        runs = int(scripts * (2 if is_weekend else 9) * chance.uniform(0.7, 1.3))
        day = (START + timedelta(days=number)).date().isoformat()
        days.append(
            Day(
                day,
                runs,
                max(1, scripts // (3 if is_weekend else 1)),
                4,
                runs * 2,
                runs // 8,
                runs * 40_000,
                runs // 60,
            )
        )
    return days


def _flows(pages: list[ScriptPage], chance: random.Random) -> list[Flow]:
    flows = []
    for page in pages:
        for file in (one for one in page.files if one["label"]):
            flows += [_flow(page, file, host) for host in page.hosts[:2]]
    return sorted(flows, key=lambda flow: (not flow.is_ai, flow.script_name))


def _flow(page: ScriptPage, file: dict[str, Any], host: dict[str, Any]) -> Flow:
    return Flow(
        script=page.script,
        script_name=page.name,
        label=file["label"],
        category=file["category"],
        severity=file["severity"],
        files=2,
        examples=[file["path"]],
        host=host["host"],
        service=host["service"],
        is_ai=host["is_ai"],
        is_internal=host["is_internal"],
        runs=page.runs,
        bytes_out=host["bytes_out"],
        users=page.users,
        last_seen=page.last_seen,
    )


def _hosts(pages: list[ScriptPage], chance: random.Random) -> list[HostRow]:
    rows = []
    for host, port, protocol, plain, internal, service, category, severity in HOSTS:
        users_of = [(page, one) for page in pages for one in page.hosts if one["host"] == host]
        if users_of:
            rows.append(
                HostRow(
                    host,
                    port,
                    protocol,
                    plain,
                    internal,
                    service,
                    category,
                    severity,
                    [page.script for page, _ in users_of],
                    sorted({user for page, _ in users_of for user in page.users}),
                    sum(page.runs for page, _ in users_of),
                    sum(one["requests"] for _, one in users_of),
                    sum(one["bytes_out"] for _, one in users_of),
                    sum(one["bytes_in"] for _, one in users_of),
                    0,
                    2 if category else 0,
                    "2026-06-01T06:12:00",
                    "2026-06-06T21:00:00",
                )
            )
    return rows


def _libraries(pages: list[ScriptPage], chance: random.Random) -> list[LibraryRow]:
    rows = []
    for name, version, severity, advisories, fixed in LIBRARIES:
        importers = [page for page in pages if any(one["distribution"] == name for one in page.libraries)]
        if importers:
            state = "vulnerable" if advisories else "no known vulnerability"
            machines = sorted({machine for page in importers for machine in page.machines})
            runs = sum(page.runs for page in importers)
            rows.append(
                LibraryRow(
                    name,
                    version,
                    [page.script for page in importers],
                    machines,
                    runs,
                    state,
                    severity,
                    advisories,
                    fixed,
                    "withdrawn: broken" if name == "numpy" else None,
                    "2026-06-01T06:12:00",
                    "2026-06-06T21:00:00",
                )
            )
    return rows


def _ai(pages: list[ScriptPage], chance: random.Random) -> list[AiRow]:
    rows = []
    for service, name, host, sdk in SERVICES:
        callers = [page for page in pages if service in page.ai_services]
        if callers:
            users = sorted({user for page in callers for user in page.users})
            machines = sorted({machine for page in callers for machine in page.machines})
            rows.append(
                AiRow(
                    service,
                    name,
                    "local" if service == "ollama" else "hosted",
                    {"openai": False, "ollama": True}.get(service),
                    [host],
                    [sdk],
                    [f"https://{host}/v1/chat/completions"],
                    [page.script for page in callers],
                    users,
                    machines,
                    sum(page.runs for page in callers),
                    412,
                    4_213_442,
                    902_114,
                    ["customer data"],
                    "2026-06-01T06:12:00",
                    "2026-06-06T21:00:00",
                )
            )
    return rows


def _data(pages: list[ScriptPage], chance: random.Random) -> list[DataRow]:
    rows = []
    for sensitivity, label, category, severity, name, attack in SENSITIVE:
        readers = [page for page in pages if any(file["label"] == label for file in page.files)]
        for page in readers[:3]:
            folder = page.paths[-1].rpartition("/")[0]
            rows.append(
                DataRow(
                    folder,
                    sensitivity,
                    label,
                    category,
                    severity,
                    attack,
                    3,
                    [name.rpartition(".")[2]],
                    12,
                    1,
                    0,
                    [page.script],
                    page.users,
                    page.last_seen,
                    [f"{folder}/{name}"],
                )
            )
    return rows


def _gaps(pages: list[ScriptPage]) -> list[Gap]:
    some = [page.script for page in pages[:2]]
    return [
        Gap(
            "silent child",
            "started with -S",
            4,
            some,
            MACHINES[:1],
            "4 children left no record, as they were started with `-S`. What they did is not here.",
        ),
        Gap(
            "blind library",
            "raw system calls",
            1,
            some[:1],
            MACHINES[1:2],
            "One script loaded a Go library, which asks the kernel by itself. Its files are not here.",
        ),
        Gap(
            "evicted",
            "spool full",
            1204,
            [],
            MACHINES[2:3],
            "1,204 records of ops-server-01 were removed, as the spool was full.",
        ),
    ]


def _summary(
    pages: list[ScriptPage], findings: list[FindingRow], suppressed: list[FindingRow], timeline: list[Day]
) -> Summary:
    counts = {
        severity: sum(one.severity == severity for one in findings) for severity in ("high", "medium", "low")
    }
    return Summary(
        runs=sum(page.runs for page in pages),
        scripts=len(pages),
        users=len({user for page in pages for user in page.users}),
        machines=len({machine for page in pages for machine in page.machines}),
        libraries=len(LIBRARIES),
        vulnerable_libraries=4,
        hosts=len(HOSTS),
        ai_services=len({one for page in pages for one in page.ai_services}),
        sensitive_files=23,
        records=418_220,
        bytes_out=sum(page.bytes_out for page in pages),
        denied=sum(day.denied for day in timeline),
        warned=11,
        justified=2,
        suppressed=len(suppressed),
        **counts,
    )
