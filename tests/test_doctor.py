"""`gnomon doctor`: what it says of a machine as it should be, and of each thing that is not."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import gnomon
from gnomon.rollout import doctor
from gnomon.rollout.doctor import Check
from machines import Machine, machine, why_no_machine
from watching import environment

_why_not = functools.cache(why_no_machine)
ROOT, SPOOL, PYTHON = "/opt/gnomon", "/var/spool/gnomon", "/usr/bin/python3"
USER = 12345
TIMER = "mkdir -p /etc/cron.d; [ -e /usr/sbin/cron ] || ln -s /bin/true /usr/sbin/cron"


@pytest.fixture(scope="module")
def shared() -> Iterator[Machine]:
    """A machine that is as it should be; each test leaves it so."""
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    if not Path(PYTHON).exists():
        pytest.skip("this machine has no Python of its own")
    with machine() as found:
        found.shell(TIMER)
        found.shell(
            "printf 'name = \"a\"\\n' > /etc/a.toml; mkdir -p /etc/gnomon;"
            "printf '[policy]\\nfiles = [\"/etc/a.toml\"]\\n' > /etc/gnomon/gnomon.toml"
        )
        found.gnomon("install", "--all", "--yes").checked()
        yield found


def _examined(there: Machine, *arguments: str, user: int | None = None) -> tuple[int, list[dict[str, str]]]:
    command = [PYTHON, "-I", "-B", f"{ROOT}/current/rollout.pyz", "doctor", "--json", *arguments]
    done = there.run(*command, user=user)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    found = json.loads(done.stdout)
    assert {*found} == {"is_well", "checks"}
    assert found["is_well"] == (done.status == 0)
    return done.status, found["checks"]


def _of(checks: list[dict[str, str]], state: str) -> dict[str, str]:
    return {check["name"]: check["fact"] for check in checks if check["state"] == state}


def test_what_is_as_it_should_be_is_well(shared: Machine) -> None:
    status, checks = _examined(shared)
    assert (status, _of(checks, "problem")) == (0, {})
    fine = ("version", "payload", "settings", "policy", "spool", "space", "timer", "interpreters", "canary")
    assert [check["name"] for check in checks if check["state"] == "ok"][: len(fine)] == list(fine)
    assert all({*check} == {"name", "state", "fact", "remedy"} for check in checks)


_CUT = "cp -p {0} /tmp/saved; head -c 1000 /tmp/saved > {0}"
_RESTORE = "cp -p /tmp/saved {0}"
# What breaks it, the check that has to say so, a word of what it says, and what mends it.
_LIBRARY, _PROGRAM = f"{ROOT}/current/_native.abi3.so", f"{ROOT}/current/rollout.pyz"
_SITE = "/usr/lib/python3.11/sitecustomize.py"
_BROKEN = {
    "library_cut": (_CUT.format(_LIBRARY), "payload", "not the one", _RESTORE.format(_LIBRARY)),
    "library_closed": (f"chmod 600 {_LIBRARY}", "payload", "read", f"chmod 644 {_LIBRARY}"),
    "root_closed": (f"chmod 700 {ROOT}", "payload", "read `/opt/gnomon`", f"chmod 755 {ROOT}"),
    "above_closed": ("chmod 700 /opt", "payload", "read `/opt`", "chmod 755 /opt"),
    "settings_closed": (f"chmod 600 {ROOT}/settings", "settings", "read", f"chmod 644 {ROOT}/settings"),
    "settings_empty": (
        f"cp -p {ROOT}/settings /tmp/saved; : > {ROOT}/settings",
        "settings",
        "names no spool",
        f"cp -p /tmp/saved {ROOT}/settings",
    ),
    "reserve_no_number": (
        f"cp -p {ROOT}/settings /tmp/saved; sed -i s/reserve=.*/reserve=much/ {ROOT}/settings",
        "space",
        "much",
        f"cp -p /tmp/saved {ROOT}/settings",
    ),
    "configuration_newer": (
        "touch -d '+1 hour' /etc/gnomon/gnomon.toml",
        "settings",
        "was changed since",
        "touch -d '-1 hour' /etc/gnomon/gnomon.toml",
    ),
    "source_newer": (
        "touch -d '+1 hour' /etc/a.toml",
        "settings",
        "a.toml",
        "touch -d '-1 hour' /etc/a.toml",
    ),
    "source_gone": ("mv /etc/a.toml /etc/b.toml", "settings", "is gone", "mv /etc/b.toml /etc/a.toml"),
    "configuration_wrong": (
        "cp -p /etc/gnomon/gnomon.toml /tmp/saved; echo '[recrod]' >> /etc/gnomon/gnomon.toml",
        "settings",
        "recrod",
        "cp -p /tmp/saved /etc/gnomon/gnomon.toml",
    ),
    "policy_broken": (
        f"cp -rp {ROOT}/policies /tmp/policies; for p in {ROOT}/policies/*; do echo x > $p; done",
        "policy",
        "cannot be used",
        f"cp -p /tmp/policies/* {ROOT}/policies/",
    ),
    "policy_closed": (
        f"chmod 600 {ROOT}/policies/*",
        "policy",
        "not everybody can read",
        f"chmod 644 {ROOT}/policies/*",
    ),
    "spool_gone": (f"mv {SPOOL} {SPOOL}.away", "spool", "is not there", f"mv {SPOOL}.away {SPOOL}"),
    "spool_mode": (f"chmod 755 {SPOOL}", "spool", "not everybody can record", f"chmod 3773 {SPOOL}"),
    "spool_owner": (f"chown {USER} {SPOOL}", "spool", "root's", f"chown 0 {SPOOL}"),
    "spool_link": (
        f"mv {SPOOL} {SPOOL}.away; ln -s {SPOOL}.away {SPOOL}",
        "spool",
        "not a directory",
        f"rm {SPOOL}; mv {SPOOL}.away {SPOOL}",
    ),
    "full": (f"mount -t tmpfs -o mode=3773,size=50m none {SPOOL}", "space", "stay free", f"umount {SPOOL}"),
    "cron_gone": ("mv /etc/cron.d/gnomon-keep /tmp", "timer", "gone", "mv /tmp/gnomon-keep /etc/cron.d"),
    "keeper_gone": (
        "cd /etc/cron.d; cp -p gnomon-keep /tmp; sed -i 's|/usr/bin/python3|/usr/bin/python9|' gnomon-keep",
        "timer",
        "/usr/bin/python9",
        "cp -p /tmp/gnomon-keep /etc/cron.d",
    ),
    "ledger_broken": (
        f"cp -p {ROOT}/installed.json /tmp/saved; echo x > {ROOT}/installed.json",
        "timer",
        "cannot be looked at",
        f"cp -p /tmp/saved {ROOT}/installed.json",
    ),
    "not_covered": (
        f"mv {_SITE} /tmp/site.py",
        "interpreters",
        "is not covered",
        f"mv /tmp/site.py {_SITE}",
    ),
    "loader_changed": (
        f"cp -p {_SITE} /tmp/site.py; echo '# gnomon: no more' > {_SITE}",
        "interpreters",
        "not what was installed",
        f"cp -p /tmp/site.py {_SITE}",
    ),
    "canary_not_seen": (
        f"cp -p {_SITE} /tmp/site.py; echo '# gnomon: no more' > {_SITE}",
        "canary",
        "runs unrecorded",
        f"cp -p /tmp/site.py {_SITE}",
    ),
    "library_to_preload_gone": (
        f"cd {ROOT}/current; echo $PWD/libgnomon_preload.so > /etc/ld.so.preload;"
        "mv libgnomon_preload.so /tmp",
        "strong mode",
        "not there",
        f"mv /tmp/libgnomon_preload.so {ROOT}/current; rm /etc/ld.so.preload",
    ),
}


@pytest.mark.parametrize("name", _BROKEN)
def test_what_is_wrong_is_a_problem(shared: Machine, name: str) -> None:
    breaks, check, word, mends = _BROKEN[name]
    if _SITE in breaks and not Path(_SITE).exists():
        pytest.skip("this is no Debian with its Python 3.11")
    if "preload" in breaks and shared.run("test", "-e", f"{ROOT}/current/libgnomon_preload.so").status:
        pytest.skip("this gnomon was built without the library that is preloaded")
    shared.shell(breaks)
    try:
        # From a copy: the payload itself is what some of these break.
        done = shared.gnomon("doctor", "--json", *([] if check == "canary" else ["--no-canary"]))
    finally:
        shared.shell(mends)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    found = json.loads(done.stdout)
    assert (done.status, found["is_well"]) == (1, False)
    facts = [one["fact"] for one in found["checks"] if (one["name"], one["state"]) == (check, "problem")]
    assert any(word in fact for fact in facts), found["checks"]
    assert _examined(shared, "--no-canary")[0] == 0


def test_a_cut_program_of_the_payload_is_told(shared: Machine) -> None:
    shared.shell(_CUT.format(_PROGRAM))
    done = shared.gnomon("doctor", "--no-canary", "--json")
    shared.shell(_RESTORE.format(_PROGRAM))
    assert done.status == 1
    assert "rollout.pyz" in _of(json.loads(done.stdout)["checks"], "problem")["payload"]


def test_an_ordinary_user_sees_what_there_is_to_see(shared: Machine) -> None:
    status, checks = _examined(shared, user=USER)
    assert (status, _of(checks, "problem")) == (0, {})
    assert "canary" in _of(checks, "ok")
    shared.shell(f"chmod 700 {ROOT}")
    done = shared.run(PYTHON, "-I", "-c", "pass", user=USER)
    told = shared.gnomon("doctor", "--json", "--no-canary")
    shared.shell(f"chmod 755 {ROOT}")
    assert (done.status, done.stderr) == (0, b"")
    assert told.status == 1


def test_what_users_do_in_the_spool_is_told_and_harms_nothing(shared: Machine) -> None:
    names = ["²", "23456", "23457-ab", "-", "a\nb", "\x1b[31mred", "99999999999999999999"]
    shared.run(
        PYTHON, "-I", "-S", "-c", f"import os\nfor n in {names!r}: os.mkdir('{SPOOL}/' + n)", user=USER
    ).checked()
    status, checks = _examined(shared, "--no-canary")
    shared.shell(f"find {SPOOL} -mindepth 1 -maxdepth 1 -user {USER} ! -name {USER} -exec rmdir {{}} +")
    assert status == 0
    assert _of(checks, "warning")["spool names"].endswith("their name: 23456, 23457-ab")


def test_a_forged_user_is_a_problem(shared: Machine) -> None:
    shared.run(PYTHON, "-I", "-c", "pass", user=23456).checked()
    shared.shell(f"cp -r {SPOOL}/23456 {SPOOL}/23458; chown -R 23458 {SPOOL}/23458")
    status, checks = _examined(shared, "--no-canary")
    shared.shell(f"rm -r {SPOOL}/23458 {SPOOL}/23456")
    assert status == 1
    assert "23458" in _of(checks, "problem")["forged"]


def test_a_process_from_before_is_a_warning(shared: Machine) -> None:
    told = shared.shell(
        f"{PYTHON} -I -S -c 'import sys; sys.stdin.read()' < /dev/zero & "
        f"{PYTHON} -I -B {_PROGRAM} doctor --json --no-canary; kill $!"
    )
    found = json.loads(told)
    assert found["is_well"]
    assert any("-S (pid" in check["fact"] for check in found["checks"] if check["state"] == "warning")


def test_a_program_that_is_left_alone_is_no_problem(shared: Machine) -> None:
    shared.shell(f"cp -p {ROOT}/settings /tmp/saved; echo 'skip=/usr/bin/python3*' >> {ROOT}/settings")
    done = shared.gnomon("doctor", "--json")
    shared.shell(f"cp -p /tmp/saved {ROOT}/settings")
    facts = [check["fact"] for check in json.loads(done.checked().stdout)["checks"]]
    assert any("/usr/bin/python3" in fact and "left alone" in fact for fact in facts)


def test_hostile_environments_cost_bounded_time(shared: Machine) -> None:
    """One prints without end, one never ends: both are waited for, and only so long."""
    shared.shell(
        f"mkdir -p /home/mallory; chown {USER} /home/mallory; cd /home/mallory;"
        "for name in loud slow; do mkdir -p $name/bin;"
        " printf 'home = /usr/bin\\nversion = 3.11.2\\n' > $name/pyvenv.cfg; done;"
        "printf '#!/bin/sh\\nexec yes\\n' > loud/bin/python;"
        "printf '#!/bin/sh\\nexec sleep 1000\\n' > slow/bin/python;"
        f"chmod 755 */bin/python; chown -R {USER} /home/mallory"
    )
    begun = time.monotonic()
    try:
        done = shared.run(
            sys.executable,
            "-B",
            "-c",
            "import sys\nfrom gnomon.rollout import doctor\ndoctor._CANARY_SECONDS = 1\n"
            "sys.exit(doctor.main(['--json']))",
            PYTHONPATH=str(Path(doctor.__file__).parents[2]),
        )
    finally:
        shared.shell("rm -r /home/mallory")
    assert time.monotonic() - begun < 60
    assert b"Traceback" not in done.stderr
    facts = [check["fact"] for check in json.loads(done.stdout)["checks"] if check["state"] == "warning"]
    assert any("loud/bin/python" in fact and "did not end" in fact for fact in facts)


def test_without_an_installation_it_says_what_to_do(tmp_path: Path) -> None:
    done = gnomon("doctor", "--prefix", tmp_path / "none")
    assert done.status == 1
    assert b"is not installed for this machine" in done.stdout
    assert b"gnomon install --all" in done.stdout
    as_json = gnomon("doctor", "--prefix", tmp_path / "no\n\x1b[31mne", "--json")
    assert json.loads(as_json.stdout)["is_well"] is False
    assert b"\x1b" not in gnomon("doctor", "--prefix", tmp_path / "no\n\x1b[31mne").stdout


def test_an_environment_that_records_for_itself_is_told(tmp_path: Path) -> None:
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "there.pth").write_text(f"{Path(doctor.__file__).parents[2]}\n")
    metadata = packages / "gnomon-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: gnomon\nVersion: 0.1.0\n")
    command = [place / "bin/python", "-m", "gnomon"]
    own = {**environment(), "HOME": str(tmp_path)}
    for arguments, status in ((("install", "--here"), 0), (("doctor", "--prefix", tmp_path / "none"), 1)):
        done = subprocess.run([*command, *arguments], env=own, capture_output=True, check=False)
        assert done.returncode == status, done.stderr.decode()
    assert f"this environment is recorded for itself ({packages})".encode() in done.stdout


def test_it_is_well_where_nothing_is_a_problem() -> None:
    def said(*states: str) -> str:
        return doctor.as_text([Check("a", state, "fact", "remedy") for state in states]).splitlines()[-1]

    assert said("ok", "fact") == "all is well"
    assert said("ok", "warning") == "all is well, 1 warning"
    assert said("problem", "warning", "warning") == "1 problem, 2 warnings"
    assert not doctor.is_well([Check("a", "problem", "b")])
