"""The small company that made-up reports are about."""

from __future__ import annotations

from datetime import datetime, timezone

START = datetime(2026, 6, 1, tzinfo=timezone.utc)
DAYS = 7

TEAMS = {
    "finance": [
        "reconcile_invoices",
        "fx_rates",
        "quarter_close",
        "dunning_letters",
        "vat_export",
        "cash_forecast",
    ],
    "sales": [
        "churn_summary",
        "customer_mailing",
        "pipeline_export",
        "lead_scoring",
        "crm_sync",
        "price_list",
    ],
    "hr": ["payroll_check", "absence_report", "onboarding_mail", "headcount", "salary_bands"],
    "operations": [
        "stock_levels",
        "supplier_ftp",
        "ship_labels",
        "meter_readings",
        "backup_exports",
        "log_tidy",
    ],
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
    "ai-after-data": "Ask {user} what is sent. Move it to an approved service, or stop it by policy.",
    "ai-unsanctioned": "Approve the service in the catalogue, or deny its host by policy.",
    "library-vulnerable": "Upgrade requests to 2.31.0 or later.",
    "plain-protocol": "Use SFTP or FTPS, and change the password that was sent.",
    "orphaned": "Give the script an owner and move it to a repository, or stop its schedule.",
    "after-hours": "Ask {user} whether that is meant.",
}
