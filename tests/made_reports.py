"""Reports made up from a few words, as realistic as a week of a finance department, of any number of scripts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
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
    Point,
    ProcessNode,
    Report,
    ScriptPage,
    Summary,
)

START = datetime(2026, 6, 1, tzinfo=timezone.utc)
DAYS = 7

TEAMS = {
    "finance": ["reconcile_invoices", "fx_rates", "quarter_close", "dunning_letters", "vat_export", "cash_forecast"],
    "sales": ["churn_summary", "customer_mailing", "pipeline_export", "lead_scoring", "crm_sync", "price_list"],
    "hr": ["payroll_check", "absence_report", "onboarding_mail", "headcount", "salary_bands"],
    "operations": ["stock_levels", "supplier_ftp", "ship_labels", "meter_readings", "backup_exports", "log_tidy"],
    "research": ["summarise_papers", "embed_documents", "train_model", "scrape_prices", "notebook_tidy"],
}
USERS = ["anna.weber", "ben.okafor", "carla.rossi", "dmitri.volkov", "elena.garcia", "farid.haddad"]
MACHINES = ["fin-laptop-07", "sales-laptop-12", "ops-server-01", "research-ws-03"]
SERVICES = [
    ("openai", "OpenAI API", "api.openai.com", "openai"),
    ("anthropic", "Anthropic API", "api.anthropic.com", "anthropic"),
    ("ollama", "Ollama (local model)", "llm.corp.example", "ollama"),
]
HOSTS = [
    ("api.openai.com", 443, "https", False, False, "openai", None, "high"),
    ("api.anthropic.com", 443, "https", False, False, "anthropic", None, "medium"),
    ("llm.corp.example", 11434, "http", True, True, "ollama", None, None),
    ("transfer.sh", 443, "https", False, False, None, "file sharing", "high"),
    ("ftp.supplier.example", 21, "ftp", True, False, None, None, "medium"),
    ("pastebin.com", 443, "https", False, False, None, "paste site", "high"),
    ("api.ecb.europa.eu", 443, "https", False, False, None, None, None),
    ("crm.corp.example", 443, "https", False, True, None, None, None),
    ("db01.corp.example", 5432, "postgresql", True, True, None, None, None),
    ("smtp.corp.example", 25, "smtp", True, True, None, None, None),
]
SENSITIVE = [
    ("customer-data", "customer data", "customer", "high", "customers_2026.csv", "T1213"),
    ("payroll", "payroll", "hr", "high", "payroll_may.xlsx", "T1213"),
    ("credentials", "credentials", "credentials", "high", ".aws/credentials", "T1552.001"),
    ("invoices", "invoices", "finance", "medium", "invoices_q2.xlsx", None),
    ("contracts", "contracts", "finance", "low", "frame_contract.pdf", None),
]
LIBRARIES = [
    ("pandas", "2.3.1", None, [], None),
    ("requests", "2.19.0", "high", ["CVE-2018-18074", "CVE-2023-32681"], "2.31.0"),
    ("pyyaml", "5.3", "high", ["CVE-2020-14343"], "5.4"),
    ("jinja2", "3.1.3", "medium", ["CVE-2024-34064"], "3.1.4"),
    ("openai", "1.30.1", None, [], None),
    ("openpyxl", "3.1.5", None, [], None),
    ("urllib3", "1.26.4", "low", ["CVE-2021-33503"], "1.26.5"),
    ("numpy", "2.1.0", None, [], None),
]
RULES = [
    ("ai-after-data", "high", "Sensitive data before an AI service", 40),
    ("ai-unsanctioned", "high", "AI service that nobody approved", 30),
    ("library-vulnerable", "medium", "Library with a known vulnerability", 20),
    ("plain-protocol", "medium", "Connection without encryption", 10),
    ("orphaned", "medium", "Script whose owner has gone", 20),
    ("after-hours", "low", "Runs after hours", 5),
]
SENTENCES = {
    "ai-after-data": "{script} read {file} and then sent {size} to {host} in the same run, {runs} times.",
    "ai-unsanctioned": "{script} talks to {host}, an AI service that nobody approved.",
    "library-vulnerable": "{script} imports requests 2.19.0, which has CVE-2018-18074 and one more advisory.",
    "plain-protocol": "{script} sends data to ftp.supplier.example without encryption.",
    "orphaned": "{script} still runs every day, but the account of its owner, {user}, is gone.",
    "after-hours": "{script} ran {runs} times between 22:00 and 05:00.",
}
REMEDIES = {
    "ai-after-data": "Ask {user} what is sent, and move the use to the approved service or stop it by policy.",
    "ai-unsanctioned": "Approve the service in the catalogue, or deny its host by policy.",
    "library-vulnerable": "Upgrade requests to 2.31.0 or later.",
    "plain-protocol": "Use SFTP or FTPS, and change the password that was sent.",
    "orphaned": "Give the script an owner and move it to a repository, or stop its schedule.",
    "after-hours": "Ask {user} whether that is meant.",
}


def made_report(scripts: int = 31, *, seed: int = 7, **changes: Any) -> Report:
    """A report of so many scripts. The same numbers make the same report."""
    chance = random.Random(seed)
    findings: list[FindingRow] = []
    pages = [_page(number, scripts, chance, findings) for number in range(scripts)]
    pages.sort(key=lambda page: (-page.risk, page.name))
    suppressed = [
        replace(one, is_suppressed=True, suppressed_by="Chief security officer", suppressed_because="Replaced in July.", suppressed_until="2026-07-31")
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
        vulnerability_database={"path": "/srv/osv/PyPI.zip", "date": "2026-06-07", "advisories": 18342, "packages": 9120},
        summary=_summary(pages, findings, suppressed, timeline),
        headlines=[
            "churn_summary.py read customers_2026.csv and then sent 4.2 MB to api.openai.com, in 35 runs by ben.okafor.",
            "12 scripts import requests 2.19.0, which has two known vulnerabilities. Version 2.31.0 has none of them.",
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
    nothing: dict[str, Any] = {name: [] for name in ("headlines", "timeline", "scripts", "findings", "suppressed", "libraries", "hosts", "ai", "data", "flows", "gaps")}
    zeros = dict.fromkeys(Summary.__dataclass_fields__, 0)
    report = made_report(1)
    return replace(report, **{**nothing, "summary": Summary(**zeros), "first": None, "last": None, "vulnerability_database": None, **changes})


def _page(number: int, scripts: int, chance: random.Random, findings: list[FindingRow]) -> ScriptPage:
    team = list(TEAMS)[number % len(TEAMS)]
    names = TEAMS[team]
    again = number // (len(TEAMS) * len(names))
    name = names[number // len(TEAMS) % len(names)] + (f"_{again}" if again else "") + ".py"
    script = f"{chance.getrandbits(48):012x}"
    user = USERS[number % len(USERS)]
    users = sorted({user, chance.choice(USERS)})
    if scripts > 500:
        users = [f"user{chance.randrange(scripts // 8):04d}"]
    machines = sorted({chance.choice(MACHINES) for _ in users})
    runs = int(chance.paretovariate(0.9)) + 1
    path = f"/home/{user}/{team}/tools/{name}"
    hosts = _script_hosts(chance, number)
    found = _findings(script, name, users, machines, runs, hosts, chance, number)
    findings += found
    points = [Point(one.finding, one.points, f"{one.title}: {one.subject}") for one in found if one.rule != "after-hours"]
    risk = min(100, sum(point.points for point in points))
    severities = [one.severity for one in found if one.rule != "after-hours"]
    severity = next((one for one in ("high", "medium", "low") if one in severities), None)
    seen = [f"2026-06-{day + 1:02d}" for day in sorted(chance.sample(range(DAYS), min(DAYS, runs)))]
    return ScriptPage(
        script=script,
        name=name,
        form="file" if number % 9 else "kernel",
        paths=[path] if number % 4 else [f"/home/{user}/Desktop/{name}", path],
        sha256=f"{chance.getrandbits(256):064x}",
        versions=1 + number % 3,
        users=users,
        machines=machines,
        runs=runs,
        failed_runs=runs // 9,
        days=len(seen),
        first_seen=f"{seen[0]}T06:12:00",
        last_seen=f"{seen[-1]}T21:00:00",
        schedule="cron, daily at 06:00 (UTC)" if number % 5 == 1 else None,
        owner=None if number % 11 == 10 else user,
        owner_exists=number % 11 != 10,
        is_leaver=None,
        repository=f"/home/{user}/{team}" if number % 3 == 0 else None,
        is_in_repository=number % 3 == 0,
        risk=risk,
        severity=severity,  # type: ignore[arg-type]
        points=points,
        ai_services=[host["service"] for host in hosts if host["service"]],
        libraries=_script_libraries(chance, seen),
        hosts=hosts,
        files=_script_files(chance, path, seen),
        children=[{"command": "/usr/bin/git status", "program": "git", "count": 3, "denied": 0, "failed": 0, "caused_by": {"file": path, "line": 12, "function": "main"}, "last_seen": f"{seen[-1]}T20:00:00", "silent_because": None}] if number % 4 == 0 else [],
        verdicts=[{"verdict": "warn", "rule": "no-uploads", "is_observed": True, "kind": "connect", "target": hosts[0]["host"], "count": 2, "is_stopped": False, "reason": None, "caused_by": {"file": path, "line": 40, "function": "send"}, "last_seen": f"{seen[-1]}T20:00:00"}] if hosts and number % 3 == 0 else [],
        changes=[f"New host: {hosts[0]['host']}."] if hosts and number % 3 == 0 else [],
        runs_by_day=dict.fromkeys(seen, max(1, runs // len(seen))),
        bytes_out=sum(host["bytes_out"] for host in hosts),
        bytes_in=sum(host["bytes_in"] for host in hosts),
        tree=[_tree(name, script, user, seen)] if number % 4 == 0 else [],
        more_files=number % 7 * 3,
    )


def _script_hosts(chance: random.Random, number: int) -> list[dict[str, Any]]:
    chosen = chance.sample(HOSTS, number % 4)
    return [
        {
            "host": host, "port": port, "protocol": protocol, "is_local": False, "is_internal": internal, "service": service,
            "is_ai": bool(service), "category": category, "runs": 3, "connects": 4, "requests": chance.randrange(1, 90),
            "bytes_out": int(chance.paretovariate(0.5) * 2000) % 40_000_000, "bytes_in": chance.randrange(100, 90_000), "failed": 0, "denied": 0,
            "urls": [f"{protocol}://{host}/v1/items"], "caused_by": {"file": "/home/x/tools/a.py", "line": 31, "function": "send"},
            "first_seen": "2026-06-01T06:12:00", "last_seen": "2026-06-06T06:12:00", "evidence": {"process": "0019-4f2a-77", "seq": 412},
        }
        for host, port, protocol, plain, internal, service, category, severity in chosen
    ]  # fmt: skip


def _script_libraries(chance: random.Random, seen: list[str]) -> list[dict[str, Any]]:
    chosen = chance.sample(LIBRARIES, chance.randrange(1, 6))
    return [
        {
            "distribution": name, "version": version, "modules": [name], "runs": 4, "state": "vulnerable" if advisories else "no known vulnerability",
            "severity": severity, "advisories": advisories, "fixed": fixed, "first_seen": seen[0], "last_seen": seen[-1],
        }
        for name, version, severity, advisories, fixed in chosen
    ]  # fmt: skip


def _script_files(chance: random.Random, path: str, seen: list[str]) -> list[dict[str, Any]]:
    folder = path.rpartition("/")[0]
    sensitive = chance.sample(SENSITIVE, chance.randrange(0, 3))
    rows: list[dict[str, Any]] = [
        {"path": f"{folder}/{name}", "runs": 3, "reads": 5, "writes": 0, "deletes": 0, "denied": 0, "bytes_read": 48213, "bytes_written": 0, "first_seen": seen[0], "last_seen": seen[-1], "evidence": {"process": "0019-4f2a-77", "seq": 40}, "sensitivity": sensitivity, "label": label, "category": category, "severity": severity, "attack": attack}
        for sensitivity, label, category, severity, name, attack in sensitive
    ]  # fmt: skip
    plain = dict.fromkeys(("sensitivity", "label", "category", "severity", "attack"))
    return rows + [
        {"path": f"{folder}/out/result_{number}.csv", "runs": 3, "reads": 0, "writes": 1, "deletes": 0, "denied": 0, "bytes_read": 0, "bytes_written": 5120, "first_seen": seen[0], "last_seen": seen[-1], "evidence": {"process": "0019-4f2a-77", "seq": 50 + number}, **plain}
        for number in range(chance.randrange(0, 4))
    ]  # fmt: skip


def _findings(script: str, name: str, users: list[str], machines: list[str], runs: int, hosts: list[dict[str, Any]], chance: random.Random, number: int) -> list[FindingRow]:
    chosen = [rule for rule in RULES if chance.random() < 0.17]
    host = hosts[0]["host"] if hosts else "api.openai.com"
    words = {"script": name, "file": "customers_2026.csv", "size": "1.2 MB", "host": host, "runs": runs, "user": users[0]}
    return [
        FindingRow(
            finding=f"{rule}-{script}", rule=rule, severity=severity, title=title,  # type: ignore[arg-type]
            sentence=SENTENCES[rule].format(**words), remedy=REMEDIES[rule].format(**words), script=script, script_name=name,
            subject=host, users=users, machines=machines, attack="T1567" if rule.startswith("ai") else None, count=runs,
            first_seen="2026-06-01T06:12:00", last_seen="2026-06-06T21:00:00",
            records=[(f"0019{number:04x}-4f2a-77", 40 + step) for step in range(min(runs, 5))], points=points, is_suppressed=False,
        )
        for rule, severity, title, points in chosen
    ]  # fmt: skip


def _tree(name: str, script: str, user: str, seen: list[str]) -> ProcessNode:
    started = f"{seen[-1]}T20:00:00"
    git = ProcessNode("git", "/usr/bin/git status --short", "no Python, so it leaves no record", None, None, None, started, None)
    worker = ProcessNode("worker.py", "python worker.py --part 1", "recorded", "0019-4f2a-78", None, user, started, 1)
    pool = ProcessNode("worker.py", "python worker.py --part 2", "recorded", "0019-4f2a-79", None, user, started, 0, [git])
    return ProcessNode(name, f"python {name} --all", "recorded", "0019-4f2a-77", script, user, started, 0, [worker, pool])


def _timeline(scripts: int, chance: random.Random) -> list[Day]:
    days = []
    for number in range(DAYS):
        is_weekend = number >= 5
        runs = int(scripts * (2 if is_weekend else 9) * chance.uniform(0.7, 1.3))
        day = (START + timedelta(days=number)).date().isoformat()
        days.append(Day(day, runs, max(1, scripts // (3 if is_weekend else 1)), 4, runs * 2, runs // 8, runs * 40_000, runs // 60))
    return days


def _flows(pages: list[ScriptPage], chance: random.Random) -> list[Flow]:
    flows = []
    for page in pages:
        for file in (one for one in page.files if one["label"]):
            flows += [_flow(page, file, host) for host in page.hosts[:2]]
    return sorted(flows, key=lambda flow: (not flow.is_ai, flow.script_name))


def _flow(page: ScriptPage, file: dict[str, Any], host: dict[str, Any]) -> Flow:
    return Flow(
        script=page.script, script_name=page.name, label=file["label"], category=file["category"], severity=file["severity"], files=2,
        examples=[file["path"]], host=host["host"], service=host["service"], is_ai=host["is_ai"], is_internal=host["is_internal"],
        runs=page.runs, bytes_out=host["bytes_out"], users=page.users, last_seen=page.last_seen,
    )  # fmt: skip


def _hosts(pages: list[ScriptPage], chance: random.Random) -> list[HostRow]:
    rows = []
    for host, port, protocol, plain, internal, service, category, severity in HOSTS:
        users_of = [(page, one) for page in pages for one in page.hosts if one["host"] == host]
        if users_of:
            rows.append(
                HostRow(
                    host, port, protocol, plain, internal, service, category, severity, [page.script for page, _ in users_of],
                    sorted({user for page, _ in users_of for user in page.users}), sum(page.runs for page, _ in users_of),
                    sum(one["requests"] for _, one in users_of), sum(one["bytes_out"] for _, one in users_of),
                    sum(one["bytes_in"] for _, one in users_of), 0, 2 if category else 0, "2026-06-01T06:12:00", "2026-06-06T21:00:00",
                )
            )  # fmt: skip
    return rows


def _libraries(pages: list[ScriptPage], chance: random.Random) -> list[LibraryRow]:
    rows = []
    for name, version, severity, advisories, fixed in LIBRARIES:
        importers = [page for page in pages if any(one["distribution"] == name for one in page.libraries)]
        if importers:
            state = "vulnerable" if advisories else "no known vulnerability"
            machines = sorted({machine for page in importers for machine in page.machines})
            runs = sum(page.runs for page in importers)
            rows.append(LibraryRow(name, version, [page.script for page in importers], machines, runs, state, severity, advisories, fixed, "2026-06-01T06:12:00", "2026-06-06T21:00:00"))
    return rows


def _ai(pages: list[ScriptPage], chance: random.Random) -> list[AiRow]:
    rows = []
    for service, name, host, sdk in SERVICES:
        callers = [page for page in pages if service in page.ai_services]
        if callers:
            users = sorted({user for page in callers for user in page.users})
            machines = sorted({machine for page in callers for machine in page.machines})
            rows.append(AiRow(service, name, "local" if service == "ollama" else "hosted", {"openai": False, "ollama": True}.get(service), [host], [sdk], [f"https://{host}/v1/chat/completions"], [page.script for page in callers], users, machines, sum(page.runs for page in callers), 412, 4_213_442, 902_114, ["customer data"], "2026-06-01T06:12:00", "2026-06-06T21:00:00"))
    return rows


def _data(pages: list[ScriptPage], chance: random.Random) -> list[DataRow]:
    rows = []
    for sensitivity, label, category, severity, name, attack in SENSITIVE:
        readers = [page for page in pages if any(file["label"] == label for file in page.files)]
        for page in readers[:3]:
            folder = page.paths[-1].rpartition("/")[0]
            rows.append(DataRow(folder, sensitivity, label, category, severity, attack, 3, [name.rpartition(".")[2]], 12, 1, 0, [page.script], page.users, page.last_seen, [f"{folder}/{name}"]))
    return rows


def _gaps(pages: list[ScriptPage]) -> list[Gap]:
    some = [page.script for page in pages[:2]]
    return [
        Gap("silent child", "started with -S", 4, some, MACHINES[:1], "4 children of two scripts left no record, as they were started with `-S`. What they did is not in this report."),
        Gap("blind library", "raw system calls", 1, some[:1], MACHINES[1:2], "One script loaded a Go library, which asks the kernel by itself. Its files and connections are not in this report."),
        Gap("evicted", "spool full", 1204, [], MACHINES[2:3], "1,204 records of ops-server-01 were removed as the spool was full. Figures of 1 June may be too low."),
    ]


def _summary(pages: list[ScriptPage], findings: list[FindingRow], suppressed: list[FindingRow], timeline: list[Day]) -> Summary:
    counts = {severity: sum(one.severity == severity for one in findings) for severity in ("high", "medium", "low")}
    return Summary(
        runs=sum(page.runs for page in pages), scripts=len(pages), users=len({user for page in pages for user in page.users}),
        machines=len({machine for page in pages for machine in page.machines}), libraries=len(LIBRARIES), vulnerable_libraries=4,
        hosts=len(HOSTS), ai_services=len({one for page in pages for one in page.ai_services}), sensitive_files=23, records=418_220,
        bytes_out=sum(page.bytes_out for page in pages), denied=sum(day.denied for day in timeline), warned=11, justified=2,
        suppressed=len(suppressed), **counts,
    )  # fmt: skip
