"""A week at Meridian Foods, as data: who has which scripts, when they run, and what they are to do.

What is said here is what tests expect of reports: it is written down before anything is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

# Directories of the company's own machines. Paths of the story lie below them.
TOPS = ("/srv", "/home")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TEAMS = {"finance": 2001, "marketing": 2002, "hr": 2003, "operations": 2004, "datascience": 2005}
MACHINES = ("ws-fin-01", "ws-fin-02", "ws-mkt-01", "ws-hr-01", "ws-ops-01", "ws-ds-01", "srv-jobs-01")


@dataclass(frozen=True)
class User:
    """An account."""

    name: str
    uid: int
    team: str


_PEOPLE = (
    ("alice", 1001, "finance"),
    ("bob", 1002, "finance"),
    ("carol", 1003, "marketing"),
    ("dave", 1004, "marketing"),
    ("erin", 1005, "hr"),
    ("frank", 1006, "operations"),
    ("grace", 1007, "datascience"),
    ("heidi", 1008, "datascience"),
    ("peggy", 1009, "operations"),
    ("svc-jobs", 1100, "operations"),
)
USERS = {name: User(name, uid, team) for name, uid, team in _PEOPLE}
# Ivan left two years ago: his account is gone, and his files still have its number.
GONE_UID = 1042

# Addresses for documentation (RFC 5737) stand in for those of the world, private ones for the company's.
ADDRESSES = {
    "rates.meridian.example": "10.20.0.10",
    "crm.meridian.example": "10.20.0.11",
    "erp.meridian.example": "10.20.0.12",
    "mail.meridian.example": "10.20.0.13",
    "llm.meridian.example": "10.20.0.14",
    "www.meridian.example": "203.0.113.10",
    "ftp.partner.example": "198.51.100.21",
    "feed.prices.example.net": "198.51.100.30",
    "collect.pagescore.example.net": "198.51.100.31",
    "api.anthropic.com": "203.0.113.50",
    "api.openai.com": "203.0.113.51",
    "pastebin.com": "203.0.113.52",
}
# Where the partner's FTP server takes files.
FTP_DATA_PORT = 50021


@dataclass(frozen=True)
class Call:
    """A request over HTTP: how often in one run."""

    method: str
    url: str
    count: int = 1

    @property
    def host(self) -> str:
        """The server's name."""
        return self.url.split("/")[2].partition(":")[0]

    @property
    def port(self) -> int:
        """The server's port."""
        _, _, port = self.url.split("/")[2].partition(":")
        return int(port or {"http": 80, "https": 443}[self.url.partition(":")[0]])


@dataclass(frozen=True)
class Verdict:
    """What the policy says, and of what kind of event: how often in one run."""

    verdict: str
    rule: str
    kind: str
    count: int = 1
    is_stopped: bool = False
    shadow: str | None = None


@dataclass(frozen=True)
class Script:
    """A script, what it is to do in one run, and when it runs.

    Attributes:
        path: Its file; empty where the code is on the command line.
        runs: Day (0 is Monday) and time of each run.
        reads: Files of the company that it reads.
        maps: Those of them that it maps into memory besides.
        writes: Files that it writes, makes or copies to.
        calls: Requests over HTTP.
        contacts: Host, port and number of connections that are no HTTP.
        libraries: Installed distributions that it imports.
        children: Command lines of Pythons that it starts, and whether they are recorded.
        forks: Processes that it forks.
        verdicts: What the policy says.
        findings: What a report ought to say of it, as plain ids; empty for the unremarkable.
        same_as: The file that it is a copy of.
        needs: What it cannot do without the company's own machines.
        status: How it ends.
    """

    path: str
    user: str
    machine: str
    runs: Sequence[tuple[int, str]]
    starter: str = "bash"
    arguments: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    venv: str = ""
    owner_uid: int | None = None
    modified: str = "2026-09-14"
    reads: Sequence[str] = ()
    maps: Sequence[str] = ()
    writes: Sequence[str] = ()
    calls: Sequence[Call] = ()
    contacts: Sequence[tuple[str, int, int]] = ()
    libraries: Sequence[str] = ()
    children: Sequence[tuple[str, bool]] = ()
    forks: int = 0
    verdicts: Sequence[Verdict] = ()
    findings: Sequence[str] = ()
    same_as: str = ""
    needs: str = ""
    status: int = 0

    @property
    def name(self) -> str:
        """What people call it."""
        return PurePosixPath(self.path).name if self.path else "python -c"

    @property
    def team(self) -> str:
        """Whose it is."""
        return USERS[self.user].team


def _workdays(time: str) -> list[tuple[int, str]]:
    return [(day, time) for day in range(5)]


def _daily(time: str) -> list[tuple[int, str]]:
    return [(day, time) for day in range(7)]


def _on(*when: str) -> list[tuple[int, str]]:
    """`Mon 09:30` to day and time."""
    return [(DAYS.index(day), time) for day, time in (text.split() for text in when)]


_HR_DATA = "/srv/hr/salaries.csv"
_CUSTOMERS = "/srv/marketing/customers.csv"
_JOBS = {"user": "svc-jobs", "machine": "srv-jobs-01"}
_SECRET = "mrd-demo-Tr0ub4dor"

FINANCE = (
    Script(
        "/srv/finance/month_end_close.py",
        "alice",
        "ws-fin-01",
        _workdays("09:05"),
        reads=("/srv/finance/ledger.csv",),
        writes=("/srv/finance/close.csv",),
    ),
    Script(
        "/srv/finance/expense_import.py",
        "bob",
        "ws-fin-02",
        _on("Tue 10:20", "Thu 10:25"),
        reads=("/srv/finance/expenses/berlin.csv", "/srv/finance/expenses/lyon.csv"),
        writes=("/srv/finance/expenses.json",),
    ),
    Script(
        "/srv/finance/reconcile.py",
        "alice",
        "ws-fin-01",
        _workdays("11:40"),
        reads=("/srv/finance/statement.csv",),
    ),
    Script(
        "/srv/finance/fx_rates.py",
        runs=_daily("06:00"),
        starter="cron",
        writes=("/srv/finance/rates.json",),
        calls=(Call("GET", "https://rates.meridian.example/daily.json"),),
        **_JOBS,
    ),
    Script(
        "/srv/finance/payment_reminders.py",
        "bob",
        "ws-fin-02",
        _on("Mon 14:10", "Wed 14:05", "Fri 14:15"),
        reads=("/srv/finance/open_invoices.csv",),
        writes=("/srv/finance/reminders.txt",),
        calls=(Call("POST", "https://api.anthropic.com/v1/messages"),),
        verdicts=(Verdict("allow", "meridian/ai-with-contract", "http"),),
        findings=("sensitive-data-to-approved-service",),
    ),
    Script(
        "/srv/finance/bank_files.py",
        "bob",
        "ws-fin-02",
        _on("Tue 15:30"),
        environment={"GNOMON_JUSTIFY": "Ticket 4711: the bank changed the account"},
        reads=("/srv/bank/payments.xml",),
        writes=("/srv/bank/payments.xml",),
        verdicts=(Verdict("justify", "meridian/bank-files", "open"),),
    ),
    Script(
        "/srv/finance/bank_files.py",
        "bob",
        "ws-fin-02",
        _on("Thu 15:32"),
        reads=("/srv/bank/payments.xml",),
        verdicts=(Verdict("justify", "meridian/bank-files", "open", is_stopped=True),),
        status=1,
    ),
    Script(
        "/srv/finance/bonus_check.py",
        "alice",
        "ws-fin-01",
        _on("Wed 16:45"),
        starter="code",
        reads=("/srv/finance/bonuses.csv",),
        verdicts=(Verdict("deny", "meridian/hr-data", "open", is_stopped=True),),
        status=1,
    ),
    Script(
        "/srv/finance/forecast_cache.py",
        "alice",
        "ws-fin-01",
        _on("Mon 13:15", "Fri 13:20"),
        reads=("/srv/finance/forecast.pickle",),
        writes=("/srv/finance/forecast.pickle",),
        verdicts=(Verdict("allow", "", "unpickle", shadow="deny meridian/unpickle"),),
    ),
    Script(
        "/srv/finance/vat_report.py",
        "alice",
        "ws-fin-01",
        _on("Tue 09:50"),
        reads=("/srv/finance/sales.csv",),
    ),
    Script(
        "/home/bob/Documents/vat_report_final2.py",
        "bob",
        "ws-fin-02",
        _on("Wed 09:55", "Thu 09:58"),
        reads=("/srv/finance/sales.csv",),
        same_as="/srv/finance/vat_report.py",
    ),
)

MARKETING = (
    Script(
        "/home/carol/scripts/enrich_customers.py",
        "carol",
        "ws-mkt-01",
        _on("Mon 15:20", "Tue 15:25", "Wed 15:18", "Fri 15:22"),
        starter="code",
        reads=(_CUSTOMERS,),
        writes=("/home/carol/industries.txt",),
        calls=(Call("POST", "https://api.openai.com/v1/chat/completions", 3),),
        verdicts=(Verdict("warn", "meridian/ai-without-contract", "http", 3),),
        findings=("unknown-ai-service", "sensitive-data-before-upload"),
    ),
    Script(
        "/srv/marketing/campaign_stats.py",
        "dave",
        "ws-mkt-01",
        _workdays("08:50"),
        reads=("/srv/marketing/clicks.csv",),
        writes=("/srv/marketing/campaigns.txt",),
    ),
    Script(
        "/srv/marketing/newsletter.py",
        "dave",
        "ws-mkt-01",
        _on("Thu 10:00"),
        reads=("/srv/marketing/newsletter.txt",),
        contacts=(("mail.meridian.example", 25, 1),),
        findings=("plain-text-protocol",),
        needs="its own network",
    ),
    Script(
        "/srv/marketing/price_watch.py",
        "carol",
        "ws-mkt-01",
        _workdays("10:30"),
        reads=("/srv/marketing/prices.csv",),
        calls=(Call("GET", "https://feed.prices.example.net/today.csv"),),
    ),
    Script(
        "/srv/marketing/seo_check.py",
        "dave",
        "ws-mkt-01",
        _on("Mon 11:05", "Tue 11:05", "Wed 11:05"),
        calls=(Call("GET", "https://www.meridian.example/"),),
        findings=("new-host",),
    ),
    Script(
        "/srv/marketing/seo_check.py",
        "dave",
        "ws-mkt-01",
        _on("Thu 11:05", "Fri 11:05"),
        calls=(
            Call("GET", "https://www.meridian.example/"),
            Call("GET", "https://collect.pagescore.example.net/v2/report"),
        ),
        findings=("new-host",),
    ),
    Script(
        "/srv/marketing/crm_sync.py",
        "carol",
        "ws-mkt-01",
        _on("Tue 09:20", "Fri 09:25"),
        arguments=("--user", "carol", f"--password={_SECRET}"),
        reads=("/srv/marketing/leads.json",),
        calls=(Call("POST", "https://crm.meridian.example/api/leads"),),
        findings=("credential-in-argv", "credential-in-script", "sensitive-data-inside"),
    ),
    Script(
        "/home/dave/weekend_extract.py",
        "dave",
        "ws-mkt-01",
        _on("Sun 03:12"),
        reads=(_CUSTOMERS,),
        writes=("/home/dave/extract.zip",),
        findings=("after-hours",),
    ),
)

HR = (
    Script(
        "/srv/hr/headcount.py",
        "erin",
        "ws-hr-01",
        _on("Mon 09:30", "Fri 09:35"),
        reads=("/srv/hr/staff.csv",),
        writes=("/srv/hr/headcount.csv",),
        verdicts=(Verdict("allow", "meridian/hr-itself", "open", 2),),
    ),
    Script(
        "/srv/hr/leave_calendar.py",
        "erin",
        "ws-hr-01",
        _workdays("08:40"),
        reads=("/srv/hr/absences.csv",),
        writes=("/srv/hr/absences.ics",),
        verdicts=(Verdict("allow", "meridian/hr-itself", "open", 2),),
    ),
    Script(
        "/srv/hr/onboarding.py",
        "erin",
        "ws-hr-01",
        _on("Wed 10:10"),
        arguments=("judy",),
        reads=("/srv/hr/welcome.txt",),
        writes=("/srv/hr/onboarding/judy/welcome.txt",),
        verdicts=(Verdict("allow", "meridian/hr-itself", "copy"),),
    ),
    Script(
        "/srv/hr/cv_summary.py",
        "erin",
        "ws-hr-01",
        _on("Tue 13:40", "Thu 13:45"),
        reads=("/srv/hr/applications/4711.txt",),
        calls=(Call("POST", "http://127.0.0.1:11434/api/generate"),),
        verdicts=(Verdict("allow", "meridian/hr-itself", "open"),),
        findings=("local-ai",),
        needs="port 11434",
    ),
    Script(
        "/home/erin/share_salaries.py",
        "erin",
        "ws-hr-01",
        _on("Thu 17:10"),
        reads=(_HR_DATA,),
        calls=(Call("POST", "http://pastebin.com/api/api_post.php"),),
        verdicts=(Verdict("allow", "meridian/hr-itself", "open"),),
        findings=("sensitive-data-before-upload", "plain-text-protocol", "risky-host"),
    ),
)

OPERATIONS = (
    Script(
        "/srv/operations/backup_rotate.py",
        runs=_daily("02:15"),
        starter="systemd",
        arguments=("{day}",),
        reads=("/srv/operations/warehouse.db",),
        writes=("/srv/operations/backup/warehouse-{day}.db",),
        **_JOBS,
    ),
    Script(
        "/srv/operations/log_cleanup.py",
        runs=_daily("05:30"),
        starter="cron",
        arguments=("{day}",),
        reads=("/srv/operations/logs/{day}.log",),
        writes=("/srv/operations/logs/{day}.log.gz",),
        **_JOBS,
    ),
    Script(
        "/srv/operations/stock_levels.py",
        "frank",
        "ws-ops-01",
        _workdays("07:45"),
        reads=("/srv/operations/stock.csv",),
        writes=("/srv/operations/to_order.txt",),
    ),
    Script(
        "/srv/operations/shift_plan.py",
        "frank",
        "ws-ops-01",
        _on("Fri 12:10"),
        reads=("/srv/operations/drivers.json",),
        writes=("/srv/operations/shifts.json",),
    ),
    Script(
        "/srv/operations/partner_upload.py",
        "frank",
        "ws-ops-01",
        _on("Mon 16:00", "Wed 16:00", "Fri 16:00"),
        reads=("/srv/operations/stock.csv",),
        contacts=(("ftp.partner.example", 21, 1), ("ftp.partner.example", FTP_DATA_PORT, 1)),
        findings=("plain-text-protocol", "credential-in-script"),
        needs="its own network",
    ),
    Script(
        "/srv/operations/inventory_sync.py",
        runs=_daily("04:00"),
        starter="cron",
        owner_uid=GONE_UID,
        modified="2024-03-05",
        reads=("/srv/operations/stock.csv",),
        calls=(Call("POST", "https://erp.meridian.example/inventory"),),
        findings=("orphaned-script",),
        **_JOBS,
    ),
    Script(
        "/srv/operations/labels.py",
        "frank",
        "ws-ops-01",
        _on("Mon 08:10", "Tue 08:10", "Wed 08:12"),
        owner_uid=USERS["peggy"].uid,
        modified="2025-11-20",
        reads=("/srv/operations/stock.csv",),
        writes=("/srv/operations/labels.txt",),
        findings=("orphaned-script",),
    ),
    Script(
        "/srv/operations/fast_copy.py",
        "frank",
        "ws-ops-01",
        _on("Wed 14:40"),
        findings=("blind-library",),
    ),
    Script(
        "/srv/operations/quiet_job.py",
        "frank",
        "ws-ops-01",
        _on("Thu 13:30"),
        children=(("-S /srv/operations/quiet_work.py", False),),
        findings=("evasion", "silent-child"),
    ),
    Script(
        "/srv/operations/night_batch.py",
        runs=_on("Tue 23:30"),
        starter="cron",
        children=(("/srv/operations/quiet_work.py", False),),
        findings=("silent-child",),
        **_JOBS,
    ),
    Script(
        "/srv/operations/speed_up.py",
        "frank",
        "ws-ops-01",
        _on("Thu 14:20"),
        findings=("evasion",),
    ),
    Script(
        "",
        "frank",
        "ws-ops-01",
        _on("Mon 10:45", "Thu 10:50"),
        arguments=("-c", "print(open('/srv/operations/stock.csv').read().count(chr(10)))"),
        reads=("/srv/operations/stock.csv",),
    ),
)

DATA_SCIENCE = (
    Script(
        "/srv/datascience/train_forecast.py",
        "grace",
        "ws-ds-01",
        _on("Mon 17:00", "Wed 17:05", "Fri 17:02"),
        reads=tuple(f"/srv/datascience/regions/{name}.csv" for name in ("east", "north", "south", "west")),
        writes=("/srv/datascience/slopes.csv",),
        forks=2,
        verdicts=(Verdict("allow", "", "unpickle", 4, shadow="deny meridian/unpickle"),),
        findings=("against-policy",),
    ),
    Script(
        "/srv/datascience/churn_api.py",
        "heidi",
        "ws-ds-01",
        _on("Mon 09:40", "Tue 09:42", "Wed 09:41", "Thu 09:44", "Fri 09:43"),
        venv="/srv/datascience/churn-venv",
        writes=("/srv/datascience/churn.csv",),
        calls=(Call("GET", "https://crm.meridian.example/api/churn"),),
        libraries=("requests 2.19.0", "urllib3 1.23", "idna 2.6", "chardet 3.0.4", "certifi 2018.4.16"),
        findings=("vulnerable-library",),
    ),
    Script(
        "/srv/datascience/ticket_topics.py",
        "heidi",
        "ws-ds-01",
        _on("Tue 11:30", "Thu 11:35"),
        starter="jupyter-lab",
        environment={"OPENAI_BASE_URL": "https://llm.meridian.example/v1"},
        reads=("/srv/datascience/tickets.json",),
        calls=(Call("POST", "https://llm.meridian.example/v1/chat/completions"),),
        findings=("self-hosted-ai",),
    ),
    Script(
        "/srv/datascience/local_llm.py",
        "grace",
        "ws-ds-01",
        _on("Wed 15:50"),
        reads=("/srv/models/mistral-7b-instruct.Q4_K_M.gguf",),
        maps=("/srv/models/mistral-7b-instruct.Q4_K_M.gguf",),
        findings=("local-ai",),
    ),
    Script(
        "/srv/datascience/feature_prep.py",
        "grace",
        "ws-ds-01",
        _workdays("08:30"),
        reads=("/srv/datascience/orders.csv",),
        writes=("/srv/datascience/features.csv",),
    ),
    Script(
        "/srv/datascience/dashboard_data.py",
        "grace",
        "ws-ds-01",
        _workdays("08:35"),
        venv="/srv/datascience/venv",
        reads=("/srv/datascience/baseline.csv",),
        writes=("/srv/datascience/dashboard.json",),
        findings=("startup-hook-changed", "startup-hook-unowned"),
    ),
)

SCRIPTS = (*FINANCE, *MARKETING, *HR, *OPERATIONS, *DATA_SCIENCE)
# Of libraries with known vulnerabilities: their CVEs, and the version that has none of these. What the
# advisories in examples/demo/beside/osv say.
VULNERABLE = {
    "requests 2.19.0": (("CVE-2018-18074", "CVE-2023-32681"), "2.31.0"),
    "urllib3 1.23": (("CVE-2019-11324", "CVE-2023-43804"), "1.26.17"),
    "idna 2.6": (("CVE-2024-3651",), "3.7"),
    "certifi 2018.4.16": (("CVE-2022-23491",), "2022.12.7"),
}
# AI services by host, and whether the organisation approved them; a local model needs no word.
AI_HOSTS = {
    "api.anthropic.com": True,
    "llm.meridian.example": True,
    "api.openai.com": False,
    "127.0.0.1": None,
}
# The day from which on another text lies in a script's place.
CHANGED = {"/srv/marketing/seo_check.py": (DAYS.index("Thu"), "/srv/marketing/seo_check.thursday.py")}
# The day on which a start-up file of the data scientists' environment is another.
HOOK_CHANGES = DAYS.index("Wed")
