"""A whole machine: this one under an overlay, with its own packages, users and system files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machines import Machine, differences

ROOT, SPOOL, DEBIAN = "/opt/gnomon", "/var/spool/gnomon", "/usr/lib/python3.11"
USER = 12345


@pytest.fixture
def debian(computer: Machine) -> Machine:
    if not Path(f"{DEBIAN}/sitecustomize.py").is_symlink():
        pytest.skip("this is no Debian with its Python 3.11 and a sitecustomize")
    return computer


_SYSTEM = (
    "/usr/lib/python3.11",
    "/usr/lib/python3",
    "/usr/local/lib",
    "/etc/python3.11",
    "/opt",
    "/var/spool",
)
_LISTS = """
dpkg-divert --list | sort; cat /etc/group; cat /etc/ld.so.preload 2>/dev/null || echo none
ls -A /etc/cron.d /etc/systemd/system /etc/gnomon 2>/dev/null || true
"""


def test_a_user_in_an_environment_is_recorded_and_nothing_is_left(debian: Machine) -> None:
    before, lists = debian.tree(*_SYSTEM), debian.shell(_LISTS)
    debian.shell(
        "echo 'print(\"unharmed\")' > /tmp/report.py; /usr/bin/python3 -m venv --without-pip /tmp/environment"
    )

    done = debian.gnomon("install", "--all", "--yes", "--no-timer").checked()
    assert b"diverted from libpython3.11-minimal" in done.stdout
    told = debian.run("/tmp/environment/bin/python", "-I", "-B", "/tmp/report.py", user=USER).checked()
    assert (told.stdout, told.stderr) == (b"unharmed\n", b"")
    status = debian.shell(f"stat -c '%a %u %G' {SPOOL} {SPOOL}/{USER}").splitlines()
    assert status == ["3773 0 gnomon", f"2750 {USER} gnomon"]
    shown = debian.gnomon("events", f"{SPOOL}/{USER}", "--format", "jsonl").checked().stdout
    assert b"/tmp/report.py" in shown

    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert differences(before, debian.tree(*_SYSTEM)) == []
    assert debian.shell(_LISTS) == lists


def test_dpkg_may_bring_its_file_again(debian: Machine) -> None:
    package = debian.shell(
        "cd /tmp; dpkg-query -S /usr/lib/python3.11/sitecustomize.py | cut -d: -f1;"
        "rm -rf built; mkdir -p built/DEBIAN; dpkg-query -s libpython3.11-minimal | grep -E"
        " '^(Package|Version|Architecture|Maintainer|Multi-Arch|Description):' > built/DEBIAN/control;"
        "mkdir -p built/usr/lib/python3.11 built/etc/python3.11;"
        "for file in $(dpkg -L libpython3.11-minimal); do"
        "  [ -L $file ] || [ -f $file ] || continue;"
        "  mkdir -p built$(dirname $file); cp -a $file built$file; done;"
        "echo /etc/python3.11/sitecustomize.py > built/DEBIAN/conffiles;"
        "dpkg-deb -b built again.deb > /dev/null"
    ).strip()
    assert package == "libpython3.11-minimal"
    before = debian.tree(DEBIAN)
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    debian.shell("dpkg -i --force-depends /tmp/again.deb")
    kept = f"{DEBIAN}/_gnomon_kept_sitecustomize.py"
    text = debian.shell(f"head -1 {DEBIAN}/sitecustomize.py; readlink {kept}")
    assert text.startswith("# gnomon:")
    assert text.endswith("/etc/python3.11/sitecustomize.py\n")
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert debian.shell("dpkg -V libpython3.11-minimal; dpkg-divert --list '*sitecustomize*'") == ""
    changed = differences(before, debian.tree(DEBIAN))
    # The package's own scripts remove bytecode.
    assert [line for line in changed if "sitecustomize" in line and "__pycache__" not in line] == []


def test_the_payloads_own_program_installs_and_removes(debian: Machine) -> None:
    before = debian.tree(*_SYSTEM)
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    debian.shell(f"cp -a $(readlink -f {ROOT}/current) /tmp/unpacked; rm -rf /tmp/policy.toml")
    debian.gnomon("uninstall", "--all", "--purge").checked()
    debian.shell("printf '[record]\nimports = \"all\"\n' > /tmp/gnomon.toml")
    program = ["/usr/bin/python3", "-I", "-B", "/tmp/unpacked/rollout.pyz"]
    debian.run(
        *program, "install", "--no-timer", "--config", "/tmp/gnomon.toml", "/usr/bin/python3"
    ).checked()
    assert "imports=all" in debian.shell(f"cat {ROOT}/settings")
    debian.run("/usr/bin/python3", "-I", "-B", "-c", "open('/etc/hostname')", user=USER).checked()
    assert (
        b"/etc/hostname" in debian.gnomon("events", f"{SPOOL}/{USER}", "--format", "jsonl").checked().stdout
    )
    own = ["/usr/bin/python3", "-I", "-B", f"{ROOT}/current/rollout.pyz"]
    debian.run(*own, "uninstall", "--all", "--purge").checked()
    assert differences(before, debian.tree(*_SYSTEM)) == []


def test_what_an_ordinary_user_cannot_read_stops_nothing(debian: Machine) -> None:
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    for broken in (
        f"chmod 0600 {ROOT}/current/_native*",
        f"chmod 0700 {ROOT}",
        f"chmod 0600 {ROOT}/settings",
    ):
        debian.shell(broken)
        told = debian.run("/usr/bin/python3", "-c", "print('unharmed')", user=USER).checked()
        assert (told.stdout, told.stderr) == (b"unharmed\n", b"")


def test_a_full_disk_and_a_read_only_one_stop_nothing(debian: Machine) -> None:
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    for options in ("size=8k", "ro"):
        debian.shell(f"mount -t tmpfs -o mode=3733,{options} none {SPOOL}")
        told = debian.run("/usr/bin/python3", "-c", "print('unharmed')", user=USER).checked()
        debian.shell(f"umount {SPOOL}")
        assert (told.stdout, told.stderr) == (b"unharmed\n", b"")


def test_a_disk_without_room_for_the_payload_changes_nothing(debian: Machine) -> None:
    debian.shell("mount -t tmpfs -o size=1m none /opt")
    before = debian.tree(DEBIAN)
    done = debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3")
    assert done.status == 1
    assert b"no space left on device" in done.stderr
    assert differences(before, debian.tree(DEBIAN)) == []
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert debian.shell("ls -A /opt") == ""


def test_a_read_only_library_is_told(debian: Machine) -> None:
    debian.shell(f"mount --bind {DEBIAN} {DEBIAN}; mount -o remount,bind,ro {DEBIAN}")
    done = debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3")
    assert done.status == 1
    assert b"cannot be written" in done.stdout


def test_only_root_installs_for_all(debian: Machine) -> None:
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    program = ("/usr/bin/python3", "-I", "-B", f"{ROOT}/current/rollout.pyz")
    for verb in ("install", "uninstall"):
        refused = debian.run(*program, verb, "--all", "--yes", user=USER)
        assert refused.status == 2
        assert b"only root" in refused.stderr


@pytest.mark.parametrize("had", ["none", "own"])
def test_strong_mode_of_the_system_comes_and_goes(debian: Machine, had: str) -> None:
    if had == "own":
        debian.shell(
            "printf '/lib/of/ours.so # why' > /etc/ld.so.preload; touch -d @1600000000 /etc/ld.so.preload"
        )
    before = debian.tree("/etc/ld.so.preload")
    done = debian.gnomon("install", "--yes", "--no-timer", "--strong=system", "/usr/bin/python3")
    if b"has no library to preload" in done.stdout:
        pytest.skip("this gnomon was built without the library that is preloaded")
    assert f"{ROOT}/current/libgnomon_preload.so" in debian.shell("cat /etc/ld.so.preload")
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert differences(before, debian.tree("/etc/ld.so.preload")) == []


_SYSTEMCTL = '#!/bin/sh\necho "$@" >> /tmp/systemctl.log\n'


def test_systemd_runs_keep_each_hour(debian: Machine) -> None:
    debian.shell(
        f"mkdir -p /run/systemd/system /etc/systemd/system; printf '%s' '{_SYSTEMCTL}' > /usr/bin/systemctl"
    )
    before = debian.tree("/etc/systemd/system")
    debian.gnomon("install", "--yes", "/usr/bin/python3").checked()
    text = debian.shell("cat /etc/systemd/system/gnomon-keep.service; cat /tmp/systemctl.log")
    assert 'ExecStart="/usr/bin/python3" "-I" "/opt/gnomon/current/rollout.pyz" "keep"' in text
    assert text.endswith("daemon-reload\nenable --now gnomon-keep.timer\n")
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert "disable --now gnomon-keep.timer" in debian.shell("cat /tmp/systemctl.log")
    assert differences(before, debian.tree("/etc/systemd/system")) == []


def test_cron_runs_keep_where_systemd_does_not(debian: Machine) -> None:
    debian.shell("mkdir -p /etc/cron.d; ln -s /bin/true /usr/sbin/cron")
    before = debian.tree("/etc/cron.d")
    debian.gnomon("install", "--yes", "/usr/bin/python3").checked()
    assert " root /usr/bin/python3 -I /opt/gnomon/current/rollout.pyz keep " in debian.shell(
        "cat /etc/cron.d/gnomon-keep"
    )
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert differences(before, debian.tree("/etc/cron.d")) == []


def test_records_stay_unless_they_are_purged(debian: Machine) -> None:
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    debian.run("/usr/bin/python3", "-c", "open('/etc/hostname')", user=USER).checked()
    told = debian.gnomon("uninstall", "--all", "--json").checked()
    kept = [one["subject"] for one in json.loads(told.stdout)["outcomes"] if one["state"] == "kept"]
    assert kept == ["spool", "group gnomon"]
    assert debian.shell(f"ls {SPOOL}/{USER}") != ""
    # The next installation goes on with what this one left, and can remove it.
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    debian.gnomon("uninstall", "--all", "--purge").checked()
    assert debian.shell(f"ls -d {SPOOL} 2>/dev/null || getent group gnomon || echo none") == "none\n"


def test_a_user_names_nothing_for_root_to_undo(debian: Machine) -> None:
    debian.shell(f"mkdir -m 3773 {SPOOL}")
    forged = '[{"kind": "spool", "path": "/etc/victim"}, {"kind": "group", "name": "users"}]'
    written = f"open('{SPOOL}/.installed.json', 'w').write('{forged}')"
    debian.run("/usr/bin/python3", "-c", written, user=USER).checked()
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3").checked()
    assert "victim" not in debian.shell(f"cat {ROOT}/installed.json")


def test_root_runs_no_program_that_a_path_leads_to(debian: Machine) -> None:
    debian.shell(
        "mkdir -p /tmp/theirs; cd /tmp/theirs;"
        "printf '#!/bin/sh\ntouch /run/was_run\n' > groupadd; cp groupadd groupdel; cp groupadd dpkg-query;"
        f"cp groupadd dpkg-divert; chmod 755 *; chown {USER} *"
    )
    path = "/tmp/theirs:/usr/sbin:/usr/bin:/sbin:/bin"
    debian.gnomon("install", "--yes", "--no-timer", "/usr/bin/python3", PATH=path).checked()
    debian.gnomon("uninstall", "--all", "--purge", PATH=path).checked()
    assert debian.shell("ls /run/was_run 2>/dev/null || echo none") == "none\n"
