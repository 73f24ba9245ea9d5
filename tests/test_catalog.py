"""What a catalogue says about hosts, paths and modules: true, false, and attempts to slip by."""

from __future__ import annotations

import pytest

from gnomon.catalog import Catalog

CATALOG = Catalog.load(own=False)


def service(host: str, path: str | None = None, port: int | None = None) -> str | None:
    found = CATALOG.service_of(host, path, port=port)
    return found and found.id


def egress(host: str, port: int | None = None) -> list[str]:
    return [one.id for one in CATALOG.egress_of(host, port)]


def data(path: str) -> set[str]:
    return {one.id for one in CATALOG.sensitivities_of(path)}


@pytest.mark.parametrize(
    ("host", "path", "port", "expected"),
    [
        ("api.openai.com", None, None, "openai"),
        ("eu.api.openai.com", None, None, "openai"),
        ("finance.openai.azure.com", None, 443, "azure_openai"),
        ("models.inference.ai.azure.com", None, None, "github_models"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", None, None, "aws_bedrock"),
        ("europe-west4-aiplatform.googleapis.com", None, None, "google_vertex"),
        ("api.anthropic.com", "/v1/messages", 443, "anthropic"),
        ("acme.snowflakecomputing.com", "/api/v2/cortex/inference", None, "snowflake_cortex"),
        ("acme.snowflakecomputing.com", "/queries/v1", None, None),
        ("acme.snowflakecomputing.com", None, None, None),
        ("api.cloudflare.com", "/client/v4/accounts/4711/ai/run", None, "cloudflare_workers_ai"),
        ("api.cloudflare.com", "/client/v4/accounts/4711/dns/ai/", None, None),
        ("localhost", None, 11434, "ollama"),
        ("10.1.2.3", None, 11434, "ollama"),
        ("gpu-box", None, 11434, "ollama"),
        ("localhost", None, 8080, None),
        ("93.184.216.34", None, 11434, None),
        ("example.com", None, 11434, None),
        ("localhost", None, None, None),
        ("example.com", None, 443, None),
        ("s3.eu-central-1.amazonaws.com", None, 443, None),
        ("", None, None, None),
    ],
)
def test_ai_service_is_known_by_its_host(host, path, port, expected):
    assert service(host, path, port) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("API.OpenAI.COM", "openai"),
        ("api.openai.com.", "openai"),
        ("ａｐｉ.openai.com", "openai"),
        ("api。openai。com", "openai"),
        ("api.openai.com.evil.example", None),
        ("evilapi.openai.com", None),
        ("api-openai.com", None),
        ("api.openai.comx", None),
        ("api.openai.com\n", "openai"),
        ("api.openai.com\nevil.example", None),
        ("api.openai.com/evil.example", None),
        ("аpi.openai.com", None),  # a Cyrillic letter: another name
        ("bedrock-runtime.evil.example.amazonaws.com", None),
        ("bedrock-runtime..amazonaws.com", None),
        (".api.openai.com", None),
    ],
)
def test_no_spelling_of_a_host_slips_by(host, expected):
    assert service(host) == expected


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("pastebin.com", 443, ["paste", "dead_drop"]),
        ("termbin.com", 9999, ["paste"]),
        ("api.github.com", 443, ["code_repo_upload"]),
        ("transfer.sh", 443, ["anon_file_share"]),
        ("bucket.s3.eu-west-1.amazonaws.com", 443, ["cloud_storage"]),
        ("s3.eu-west-1.amazonaws.com", 443, ["cloud_storage"]),
        ("hooks.slack.com", 443, ["webhook"]),
        ("hook.eu1.make.com", 443, ["webhook"]),
        ("api.telegram.org", 443, ["messaging_c2"]),
        ("abc.ngrok-free.app", 443, ["tunnel"]),
        ("abc.gradio.live", 443, ["tunnel"]),
        ("laptop.ts.net", 443, ["remote_access_tunnel"]),
        ("c2VjcmV0.oast.fun", 53, ["oast_dns_exfil"]),
        ("raw.githubusercontent.com", 443, ["dead_drop"]),
        ("home.duckdns.org", 443, ["dynamic_dns"]),
        ("api.ipify.org", 443, ["ip_lookup"]),
        ("169.254.169.254", 80, ["cloud_metadata"]),
        ("metadata.google.internal", 80, ["cloud_metadata"]),
        ("dns.google", 443, ["doh_resolver"]),
        ("abc.onion", 80, ["tor"]),
        ("127.0.0.1", 9050, ["tor"]),
        ("localhost", 9150, ["tor"]),
        ("10.0.0.1", 9050, []),
        ("xmr.2miners.com", 2222, ["cryptomining"]),
        ("ghcr.io", 443, ["package_supply"]),
        ("mail.corp.example", 587, ["mail_egress"]),
        ("smtp.gmail.com", None, ["mail_egress"]),
        ("discord.com", 443, ["webhook", "messaging_c2"]),
        ("example.com", 443, []),
        ("pastebin.com.evil.example", 443, []),
        ("notpastebin.com", 443, []),
        ("127.0.0.1", 8080, []),
    ],
)
def test_hosts_and_ports_have_categories_the_most_severe_first(host, port, expected):
    assert egress(host, port) == expected


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "[::ffff:a9fe:a9fe]",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "fd00:ec2::254",
        "FD00:0EC2:0:0:0:0:0:0254",
        "[fd00:ec2::254]",
        "fd00:ec2::254%eth0",
    ],
)
def test_an_address_is_the_same_however_it_is_written(host):
    assert egress(host) == ["cloud_metadata"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("fileserver", True),
        ("nas.local", True),
        ("10.20.30.40", True),
        ("172.31.255.255", True),
        ("172.32.0.0", False),
        ("192.168.0.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:10.0.0.1", True),
        ("2001:db8::1", False),
        ("8.8.8.8", False),
        ("example.com", False),
        ("10.evil.example", False),
        ("localhost.evil.example", False),
    ],
)
def test_what_is_inside(host, expected):
    assert CATALOG.is_internal(host) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/anna/.ssh/id_ed25519", {"ssh_private_key"}),
        ("/home/anna/.ssh/id_ed25519.pub", set()),
        ("/home/anna/.ssh/known_hosts", {"ssh_known_hosts"}),
        ("/home/anna/.ssh/authorized_keys", {"ssh_authorized_keys"}),
        ("/srv/certs/server.key", {"private_keys"}),
        ("/home/anna/.gnupg/private-keys-v1.d/A.key", {"private_keys", "gnupg"}),
        ("/home/anna/.aws/credentials", {"aws_credentials"}),
        ("/home/anna/.config/gcloud/credentials.db", {"gcloud_credentials", "database_file"}),
        ("/home/anna/.azure/msal_token_cache.json", {"azure_credentials"}),
        ("/home/anna/infra/prod.tfstate", {"other_cloud_cli"}),
        ("/home/anna/.kube/config", {"kube_config"}),
        ("/run/secrets/kubernetes.io/serviceaccount/token", {"k8s_service_account"}),
        ("/var/run/docker.sock", {"docker"}),
        ("/home/anna/.netrc", {"dev_tokens"}),
        ("/home/anna/.pgpass", {"db_clients"}),
        ("/srv/app/.env", {"dotenv"}),
        ("/srv/app/.env.production", {"dotenv"}),
        ("/srv/app/.env.example", set()),
        ("/home/anna/.bash_history", {"shell_history"}),
        ("/etc/shadow", {"unix_passwd_shadow"}),
        ("/etc/passwd", {"unix_accounts"}),
        ("/etc/sudoers.d/anna", {"sudoers"}),
        ("/etc/pam.d/sshd", {"pam"}),
        ("/proc/4711/environ", {"proc_memory"}),
        ("/tmp/krb5cc_1000", {"kerberos"}),
        (r"C:\Windows\System32\config\SAM", {"windows_sam"}),
        (r"D:\dump\ntds.dit", {"windows_ntds"}),
        (r"C:\temp\lsass-1.dmp", {"windows_lsass_dump", "database_file"}),
        (r"C:\Users\anna\AppData\Roaming\Microsoft\Protect\S-1\x", {"windows_dpapi"}),
        ("/mnt/c/unattend.xml", {"windows_unattend"}),
        ("/Users/anna/Library/Keychains/login.keychain-db", {"macos_keychain"}),
        ("/home/anna/.local/share/keyrings/login.keyring", {"linux_keyring"}),
        ("/home/anna/.config/google-chrome/Default/Login Data", {"chromium_credentials"}),
        ("/home/anna/.mozilla/firefox/ab.default/logins.json", {"firefox_credentials"}),
        ("/home/anna/.mozilla/firefox/ab.default/places.sqlite", {"browser_history", "database_file"}),
        ("/Users/anna/Library/Cookies/Cookies.binarycookies", {"safari_cookies"}),
        ("/home/anna/vault.kdbx", {"password_managers"}),
        ("/home/anna/.config/Slack/Cookies", {"messenger_tokens"}),
        ("/home/anna/.electrum/wallets/default_wallet", {"crypto_wallets"}),
        ("/home/anna/mail/archive.pst", {"mail_store"}),
        ("/net/files/x", {"network_share"}),
        ("/media/anna/STICK/x", {"removable_media"}),
        ("/srv/venv/lib/python3.12/site-packages/evil.pth", {"python_startup"}),
        ("/home/anna/.bashrc", {"shell_startup"}),
        ("/etc/cron.d/job", {"cron"}),
        ("/etc/systemd/system/x.service", {"systemd"}),
        ("/home/anna/.config/autostart/x.desktop", {"xdg_autostart"}),
        ("/Users/anna/Library/LaunchAgents/x.plist", {"launchd"}),
        (
            r"C:\Users\a\AppData\Roaming\Microsoft\Windows\Start Menu\Programs\Startup\x.lnk",
            {"windows_startup"},
        ),
        ("/etc/ld.so.preload", {"ld_preload"}),
        ("/etc/hosts", {"hosts_file"}),
        ("/srv/app/.git/hooks/pre-commit", {"git_hooks"}),
        ("/var/log/auth.log", {"audit_tamper"}),
        ("/srv/app/.git/objects/ab/cdef", {"source_repository"}),
        ("/srv/data/orders.sqlite3", {"database_file"}),
        ("/models/llama-3.Q4_K_M.gguf", {"model_weights"}),
        ("/home/anna/.cache/huggingface/hub/models--x/snapshots/1/pytorch_model.bin", {"model_weights"}),
        ("/usr/share/ollama/.ollama/models/blobs/sha256-1", {"model_weights"}),
        ("/srv/app/firmware.bin", set()),
    ],
)
def test_places_are_known_by_path(path, expected):
    assert data(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # hr
        ("/data/payroll_2026.xlsx", {"hr"}),
        ("/data/HR/list.csv", {"hr"}),
        ("/data/HRReport.pdf", {"hr"}),
        ("/data/Gehaltsabrechnung-05.pdf", {"hr"}),
        ("/data/Gehälter.xlsx", {"hr"}),
        ("/data/Geha\u0308lter.xlsx", {"hr"}),
        ("/data/Gehaelter.xlsx", {"hr"}),
        ("/data/fiches de paie/mai.pdf", {"hr"}),
        ("/data/salariés.csv", {"hr"}),
        ("/data/salaries.csv", {"hr"}),
        ("/data/NÓMINAS.csv", {"hr"}),
        ("/data/nominas.csv", {"hr"}),
        ("/data/chrome.csv", set()),
        ("/data/through.csv", set()),
        # finance
        ("/data/invoices/2026-05.pdf", {"finance"}),
        ("/data/Rechnungen_Mai.pdf", {"finance"}),
        ("/data/Eingangsrechnungen.csv", {"finance"}),
        ("/data/factures.xlsx", {"finance"}),
        ("/data/Facturas.xlsx", {"finance"}),
        ("/data/IBAN.csv", {"bank_details"}),
        ("/data/bank_statements_2026.csv", {"bank_details"}),
        ("/data/BankStatement.pdf", {"bank_details"}),
        ("/data/Kontoauszüge/05.pdf", {"bank_details"}),
        ("/data/relevé bancaire.pdf", {"bank_details"}),
        ("/data/embankment.csv", set()),
        ("/data/caliban.csv", set()),
        # customer
        ("/data/customers.csv", {"customer"}),
        ("/data/Kunden_2026.xlsx", {"customer"}),
        ("/data/Kundenliste.xlsx", {"customer"}),
        ("/data/Bestandskunden.csv", {"customer"}),
        ("/data/crm/export.csv", {"customer"}),
        ("/data/CustomerList.xlsx", {"customer"}),
        ("/data/exportCustomers.csv", {"customer"}),
        ("/data/customers2026.csv.gz", {"customer"}),
        ("/data/customers.csv.bak", {"customer"}),
        ("/data/client-list.csv", {"customer"}),
        ("/data/clientes.csv", {"customer"}),
        ("/data/leads.json", {"customer"}),
        ("/tmp/customers.csv", {"customer"}),
        ("/data/customers/2026/part-0.parquet", {"customer"}),
        ("/data/customize.csv", set()),
        ("/data/misleads.csv", set()),
        ("/data/customers.py", set()),
        ("/data/client/settings.csv", set()),
        # health
        ("/data/patients.csv", {"health"}),
        ("/data/Patientenakten/1.pdf", {"health"}),
        ("/data/Krankmeldung_Mai.pdf", {"health"}),
        ("/data/dossier médical.pdf", {"health"}),
        ("/data/diagnósticos.xlsx", {"health"}),
        ("/data/impatient.csv", set()),
        # legal
        ("/data/contracts/acme.docx", {"legal"}),
        ("/data/Mietvertrag.pdf", {"legal"}),
        ("/data/contrats.pdf", {"legal"}),
        ("/data/litigio.pdf", {"legal"}),
        ("/data/contraction.csv", set()),
        # identity
        ("/data/passport-anna.jpg", {"identity"}),
        ("/data/Reisepässe/1.png", {"identity"}),
        ("/data/carte d'identité.pdf", {"identity"}),
        ("/data/pasaportes.zip", {"identity"}),
        ("/data/lessn.csv", set()),
        # confidential
        ("/data/CONFIDENTIAL plan.pdf", {"confidential"}),
        ("/data/streng vertraulich.docx", {"confidential"}),
        ("/data/confidentiel.pdf", {"confidential"}),
        ("/data/secretary.pdf", set()),
        # several
        ("/data/customer_salaries.csv", {"customer", "hr"}),
        ("/data/CustomerInvoices.csv", {"customer", "finance"}),
    ],
)
def test_words_of_the_business_are_bounded(path, expected):
    assert data(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/python3/customize.py",
        "/usr/lib/python3.12/json/__init__.py",
        "/usr/lib/python3.12/__pycache__/customers.cpython-312.pyc",
        "/srv/venv/lib/python3.12/site-packages/crm/customers.csv",
        "/usr/lib/python3/dist-packages/payroll/data.json",
        "/home/anna/.pyenv/versions/3.12.1/lib/python3.12/test/patients.txt",
        "/opt/conda/pkgs/finance-1.0/info/data.json",
        "/usr/share/locale/hr/LC_MESSAGES/x.xml",
        "/srv/app/locales/hr.json",
        "/srv/app/node_modules/contacts/index.json",
        "/srv/crm/package.json",
        "/srv/hr/requirements.txt",
        "/proc/self/maps",
        "/proc/self/status",
        "/proc/cpuinfo",
        "/sys/class/net",
        "/dev/null",
        "/dev/urandom",
        "/tmp/tmpab12cd34",
        "/tmp/pip-unpack-x/wheel.whl",
        "/etc/ssl/certs/ca-certificates.crt",
        "/srv/venv/lib/python3.12/site-packages/certifi/cacert.pem",
        "/etc/localtime",
        "/etc/resolv.conf",
        "/srv/crm/report.py",
        "/home/anna/project/main.py",
        "/usr/bin/python3.12",
        "/home/anna",
        "/",
        "",
    ],
)
def test_software_is_no_business_data(path):
    assert data(path) == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/../etc/shadow", {"unix_passwd_shadow"}),
        ("/etc//shadow", {"unix_passwd_shadow"}),
        ("/etc/./shadow", {"unix_passwd_shadow"}),
        ("/ETC/SHADOW", {"unix_passwd_shadow"}),
        ("/etc/shadow/../x", set()),
        ("/etc/shadow\n", set()),
        ("/etc/shadow.txt", set()),
        ("/srv/etc/shadow", set()),
        ("/data/crm/../public/x.csv", set()),
        ("/data/customers.csv\n", set()),
        ("/data/cust\nomers.csv", set()),
        ("/data/x\ncustomers.csv", {"customer"}),
        ("/data/客户customers.csv", {"customer"}),
        ("/data/kunden–2026.csv", {"customer"}),
        ("/data/customers\u200b.csv", {"customer"}),
        ("/data/сustomers.csv", set()),  # a Cyrillic letter: a name tells only what it says
        ("/data/CUSTOMERS.CSV", {"customer"}),
        ("/data/\udcffcustomers.csv", set()),
    ],
)
def test_no_spelling_of_a_path_slips_by_but_another_name_does(path, expected):
    assert data(path) == expected


@pytest.mark.parametrize(
    ("name", "role", "expected"),
    [
        ("openai", "ai sdk", "openai"),
        ("openai.resources.chat", "ai sdk", "openai"),
        ("google.genai", "ai sdk", "google_gemini"),
        ("google-genai", "ai sdk", "google_gemini"),
        ("Google_GenAI", "ai sdk", "google_gemini"),
        ("ollama", "ai sdk", "ollama"),
        ("langchain_openai.chat_models", "ai framework", "langchain"),
        ("langchain-openai", "ai framework", "langchain"),
        ("llama_index.core", "ai framework", "llama_index"),
        ("transformers", "local runtime", "transformers"),
        ("llama-cpp-python", "local runtime", "llama_cpp"),
    ],
)
def test_ai_libraries_are_known_by_module_and_distribution(name, role, expected):
    found = CATALOG.ai_framework_of(name)
    assert found is not None
    assert (found.role, found.id) == (role, expected)


@pytest.mark.parametrize(
    "name", ["google", "boto3", "requests", "openai_fake", "openaix", "interpreter", "", "."]
)
def test_other_modules_are_no_ai(name):
    assert CATALOG.ai_framework_of(name) is None


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("pynput", "keylogger"),
        ("pynput.keyboard", "keylogger"),
        ("PIL.ImageGrab", "screen_capture"),
        ("PIL", None),
        ("PIL.Image", None),
        ("pynputs", None),
        ("json", None),
    ],
)
def test_capabilities_are_known_by_module(module, expected):
    found = CATALOG.capability_of(module)
    assert (found and found.id) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b.XLSX", "spreadsheet"),
        ("/a.csv/b", None),
        ("/a/.csv", None),
        (r"C:\a\b.parquet", "table"),
        ("/a/b", None),
        ("/a/b.xyz", None),
    ],
)
def test_types_are_known_by_extension(path, expected):
    found = CATALOG.type_of(path)
    assert (found and found.id) == expected
