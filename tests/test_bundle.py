"""The payload as a tarball, a Debian package and an RPM: made, installed, brought up to date and removed."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import gnomon
from gnomon.rollout import bundle, payload, settings
from gnomon.rollout.bundle import Bundle
from gnomon.rollout.errors import RolloutError
from machines import Machine, differences, machine, why_no_machine

_why_not = functools.cache(why_no_machine)
USER = 12345
SPOOL = f"/var/spool/gnomon/{USER}"
OLD = Path.home() / ".pyenv/versions/3.8.18/bin/python"
POLICY = """
name = "bundled"
[lists]
secret = { file = "secret.txt" }
[[rule]]
id = "no-secrets"
event = "open"
path = "@secret"
action = "deny"
message = "Not this file."
"""
TOML = """
# ours, written by hand
[record]   # what is recorded
imports = "all"

[policy]
files = [           # ] a bracket in a comment
    "fi[nance].toml",   # [skip]
    'other.toml'
]
fail = "open"

[skip]
programs = ["/opt/a#b[1]*"]
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a policy whose list is a file of its own."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "secret.txt").write_text("/etc/hostname\n")
    (folder / "bundled.toml").write_text(POLICY)
    (folder / "gnomon.toml").write_text('[record]\nimports = "all"\n[policy]\nfiles = ["bundled.toml"]\n')
    return folder


@pytest.fixture(scope="module")
def made(sources: Path) -> Bundle:
    """A bundle whose library is as small as that of a release."""
    found = bundle.make(str(sources / "gnomon.toml"), ())
    library = next(path for path in found.files if "/_native." in path)
    small = sources / "library.so"
    small.write_bytes(found.files[library])
    if shutil.which("strip"):
        subprocess.run(["strip", small], check=True)
    return dataclasses.replace(found, files={**found.files, library: small.read_bytes()})


@pytest.fixture
def computer() -> Iterator[Machine]:
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    if not Path("/usr/bin/python3").exists():
        pytest.skip("this machine has no Python of its own")
    with machine() as found:
        yield found


_KEPT = ("/usr/lib", "/usr/local/lib", "/etc/python3.11", "/etc/gnomon", "/opt", "/var/spool")


def _is_under_the_policy(computer: Machine) -> bool:
    """Whether a run of another user is recorded, and denied what the bundled policy denies."""
    script = "try: open('/etc/hostname')\nexcept PermissionError: print('denied')"
    told = computer.run("/usr/bin/python3", "-I", "-B", "-c", script, user=USER).checked()
    shown = computer.gnomon("events", SPOOL, "--format", "jsonl", "--verdict", "deny").checked().stdout
    return told.stdout == b"denied\n" and b"no-secrets" in shown


def test_a_tarball_installs_and_leaves_nothing(computer: Machine, made: Bundle) -> None:
    before = computer.tree(*_KEPT)
    archive = bundle.write(made, "tar", "/tmp", "IT <it@example.com>")
    try:
        name = Path(archive).name[: -len(".tar.gz")]
        computer.shell(f"cd /tmp; umask 077; tar xzf {archive}")
        said = computer.shell(f"sh /tmp/{name}/install.sh --no-timer")
        assert "covered" in said
        assert _is_under_the_policy(computer)
        computer.shell(f"sh /tmp/{name}/install.sh --no-timer")
        computer.shell(f"sh /tmp/{name}/remove.sh --purge")
        assert differences(before, computer.tree(*_KEPT)) == []
    finally:
        os.unlink(archive)


def test_the_next_tarball_brings_its_policy_and_what_was_before_comes_back(
    computer: Machine, made: Bundle
) -> None:
    computer.shell("mkdir -p /etc/gnomon; echo '# by hand' > /etc/gnomon/gnomon.toml")
    before = computer.tree("/etc/gnomon")
    changed = made.files["/etc/gnomon/gnomon.toml"].replace(b'"all"', b'"top"')
    other = dataclasses.replace(made, version="9.9", files={**made.files, "/etc/gnomon/gnomon.toml": changed})
    for one, wanted in ((made, "imports=all"), (other, "imports=top")):
        archive = bundle.write(one, "tar", "/tmp", "IT <it@example.com>")
        name = Path(archive).name[: -len(".tar.gz")]
        computer.shell(f"cd /tmp; tar xzf {archive}; sh /tmp/{name}/install.sh --no-timer")
        os.unlink(archive)
        assert wanted in computer.shell("cat /opt/gnomon/settings")
    computer.shell(f"sh /tmp/{name}/remove.sh --purge")
    assert [
        line
        for line in differences(before, computer.tree("/etc/gnomon"))
        if not line.startswith("/etc/gnomon: ")
    ] == []


@pytest.mark.parametrize("which", ["none", "old"])
def test_without_a_python_the_scripts_change_nothing(
    computer: Machine, made: Bundle, tmp_path: Path, which: str
) -> None:
    if which == "old" and not OLD.exists():
        pytest.skip("there is no Python 3.8 here")
    archive = bundle.write(made, "tar", str(tmp_path), "IT <it@example.com>")
    name = Path(archive).name[: -len(".tar.gz")]
    computer.shell(f"cd /tmp; tar xzf {archive}; rm -f /usr/bin/python3* /usr/local/bin/python3*")
    if which == "old":
        computer.shell(f"ln -s {OLD} /usr/bin/python3")
    before = computer.tree("/etc", "/opt", "/var/spool")
    for script in ("install.sh", "remove.sh"):
        told = computer.run("env", "PATH=/usr/bin:/bin", "sh", f"/tmp/{name}/{script}")
        assert told.status == 1
        assert b"no Python 3.9 or later is here" in told.stderr
    assert differences(before, computer.tree("/etc", "/opt", "/var/spool")) == []


def test_what_others_could_have_written_is_not_run_by_root(
    computer: Machine, made: Bundle, tmp_path: Path
) -> None:
    archive = bundle.write(made, "tar", str(tmp_path), "IT <it@example.com>")
    name = Path(archive).name[: -len(".tar.gz")]
    fake = '#!/bin/sh\necho run >> /run/was_run\nexec /usr/bin/python3.kept "$@"\n'
    computer.shell(
        f"cd /tmp; tar xzf {archive}; mv $(readlink -f /usr/bin/python3) /usr/bin/python3.kept;"
        "rm -f /usr/bin/python3 /usr/bin/python3.1* /usr/local/bin/python3*;"
        "mkdir -p /opt/theirs/bin /tmp/here"
    )
    for place, owner in (("/opt/theirs/bin/python3", USER), ("/tmp/here/python3", 0)):
        computer.run("sh", "-c", f"cat > {place}", stdin=fake.encode()).checked()
        computer.shell(f"chmod 755 {place}; chown {owner} {place}")
    told = computer.run("sh", "-c", f"cd /tmp/here; PATH=.:/usr/bin:/bin sh /tmp/{name}/install.sh")
    assert told.status == 1
    assert computer.shell("ls /run/was_run 2>/dev/null || echo not").strip() == "not"


def _refuses_an_ordinary_user(computer: Machine, name: str) -> None:
    told = computer.run("sh", f"/tmp/{name}/install.sh", user=USER)
    assert told.status == 2
    assert b"only root" in told.stderr


def _debian(made: Bundle, directory: Path) -> str:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("this machine has no dpkg-deb")
    return bundle.write(made, "deb", str(directory), "IT <it@example.com>")


def _next(made: Bundle) -> Bundle:
    """The next version, with another library's bytes."""
    library = next(path for path in made.files if "/_native." in path)
    said = json.dumps({"version": "99.0"}).encode()
    files = {
        **made.files,
        f"{bundle.HOME}/payload/{payload.VERSION}": said,
        library: made.files[library] + b"\0",
    }
    return dataclasses.replace(made, version="99.0", files=files)


def test_a_debian_package_comes_and_is_brought_up_to_date_and_goes(
    computer: Machine, made: Bundle, tmp_path: Path
) -> None:
    first, second = _debian(made, tmp_path), _debian(_next(made), tmp_path)
    before = computer.tree(*_KEPT)
    computer.shell(f"dpkg -i {first}")
    assert _is_under_the_policy(computer)
    # A process that runs goes on with what it has loaded.
    running = (
        "import sys, time\nprint('up', flush=True)\nsys.stdin.readline()\nopen('/etc/passwd')\nprint('well')"
    )
    computer.run("sh", "-c", "cat > /tmp/running.py", stdin=running.encode()).checked()
    told = computer.shell(
        "mkfifo /tmp/pipe; chmod 666 /tmp/pipe /tmp/running.py;"
        f"setpriv --reuid={USER} --regid={USER} --clear-groups /usr/bin/python3 -I -B /tmp/running.py"
        " < /tmp/pipe > /tmp/said 2>&1 & exec 3> /tmp/pipe;"
        " until grep -q up /tmp/said; do :; done;"
        f" readlink /opt/gnomon/current; dpkg -i {second} > /dev/null; readlink /opt/gnomon/current;"
        " echo >&3; wait $!; cat /tmp/said"
    ).splitlines()
    assert told[0].startswith("versions/0.") and told[1].startswith("versions/99.0-")
    assert told[2:] == ["up", "well"]
    shown = computer.gnomon("events", SPOOL, "--format", "jsonl").checked().stdout
    assert b"/etc/passwd" in shown
    computer.shell("echo '# mine' >> /etc/gnomon/gnomon.toml; dpkg -r gnomon")
    assert computer.shell("ls -A /opt; tail -1 /etc/gnomon/gnomon.toml").endswith("# mine\n")
    assert (
        computer.shell("dpkg-divert --list '*sitecustomize*'; dpkg -s gnomon | grep Status")
        .strip()
        .endswith("config-files")
    )
    computer.shell("dpkg -P gnomon; rm -r /var/spool/gnomon")
    changed = [line for line in differences(before, computer.tree(*_KEPT))]
    assert [line for line in changed if not line.startswith(("/usr/lib: ", "/var/spool: "))] == []


def test_the_scripts_are_clean(made: Bundle, tmp_path: Path) -> None:
    scripts = dict(bundle._scripts())
    control = bundle._control(made, "amd64", "IT <it@example.com>")
    scripts.update({name: control[name].encode() for name in ("postinst", "prerm")})
    for name, text in scripts.items():
        (tmp_path / name).write_bytes(text)
        subprocess.run(["sh", "-n", tmp_path / name], check=True)
        if shutil.which("shellcheck"):
            found = subprocess.run(
                ["shellcheck", tmp_path / name], capture_output=True, text=True, check=False
            )
            assert found.returncode == 0, found.stdout


@pytest.fixture
def package(made: Bundle, tmp_path: Path) -> str:
    if shutil.which("rpmbuild") is None or shutil.which("rpm") is None:
        pytest.skip("this machine has no rpmbuild: Debian's package `rpm` has it")
    return bundle.write(made, "rpm", str(tmp_path), "100 %_topdir %(touch x) <it@example.com>")


def test_an_rpm_says_what_it_does(package: str) -> None:
    told = subprocess.run(
        ["rpm", "-qp", "--scripts", "--qf", "%{PACKAGER}\n", package],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "100 %_topdir %(touch x) <it@example.com>" in told
    assert "install --all --yes" in told and "uninstall --all" in told
    assert "'%u %A'" in told
    listed = subprocess.run(["rpm", "-qpc", package], capture_output=True, text=True, check=True).stdout
    assert listed.split() == ["/etc/gnomon/gnomon.toml", "/etc/gnomon/policies/bundled.gnomon-policy"]


def test_an_rpm_comes_and_goes(computer: Machine, package: str) -> None:
    before = computer.tree(*_KEPT)
    computer.shell(f"rpm --initdb --dbpath /tmp/db; rpm -i --nodeps --dbpath /tmp/db {package}")
    assert _is_under_the_policy(computer)
    computer.shell("rpm -e --dbpath /tmp/db gnomon; rm -r /var/spool/gnomon")
    changed = differences(before, computer.tree(*_KEPT))
    assert [line for line in changed if not line.startswith(("/usr/lib: ", "/var/spool: "))] == []


@pytest.mark.parametrize("form", ["tar", "deb", "rpm"])
def test_the_same_files_are_the_same_bytes(
    made: Bundle, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form != "tar" and shutil.which({"deb": "dpkg-deb", "rpm": "rpmbuild"}[form]) is None:
        pytest.skip(f"this machine builds no {form}")
    small = dataclasses.replace(
        made, files={path: data for path, data in made.files.items() if "/_native." not in path}
    )
    for epoch in (None, "1700000000"):
        if epoch:
            monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        one, other = (
            Path(bundle.write(small, form, str(tmp_path / name), "IT <it@example.com>"))
            for name in ("one", "other")
        )
        assert one.read_bytes() == other.read_bytes()
    assert sorted(os.listdir(tmp_path / "one")) == [one.name]


def test_what_is_bundled_is_a_few_megabytes(made: Bundle) -> None:
    if shutil.which("strip") is None:
        pytest.skip("there is no strip here, and the library is a developer's")
    # Not optimised; a release has two thirds of it.
    assert sum(map(len, made.files.values())) < 10_000_000


def _bundled(folder: Path, toml: str, *policies: str) -> settings.Settings:
    """What a machine would read of a bundle with this configuration."""
    (folder / "gnomon.toml").write_text(toml)
    for name in ("fi[nance].toml", "other.toml"):
        (folder / name).write_text(f'name = "{name[:2]}"\n')
    found = bundle.make(str(folder / "gnomon.toml"), policies)
    target = folder / "made"
    target.mkdir()
    (target / "gnomon.toml").write_bytes(found.files["/etc/gnomon/gnomon.toml"])
    return settings.read(str(target / "gnomon.toml"), "/var/spool/gnomon")


def test_the_configuration_means_what_it_meant(tmp_path: Path) -> None:
    there = _bundled(tmp_path, TOML)
    here = settings.read(str(tmp_path / "gnomon.toml"), "/var/spool/gnomon")
    names = ["fi_nance_.gnomon-policy", "other.gnomon-policy"]
    assert [os.path.basename(path) for path in there.policies] == names
    assert dataclasses.replace(there, policies=()) == dataclasses.replace(here, policies=())


@pytest.mark.parametrize(
    "toml",
    [
        "policy.files = ['other.toml']\nrecord.imports = 'all'",
        "policy = { files = ['other.toml'], fail = 'closed' }",
        '[ "policy" ]\n"files" = ["other.toml"]',
        "[policy]\nfiles = ['''other.toml''']\n[keep]\nreserve = 5\ntimer = false",
        '[record]\nspool = "/srv/\\u00e9 \\"x\\" \\\\ \\u007f"\n[policy]\nfiles=["other.toml"]#files=["a"]',
    ],
)
def test_however_the_configuration_is_written(tmp_path: Path, toml: str) -> None:
    there = _bundled(tmp_path, toml)
    here = settings.read(str(tmp_path / "gnomon.toml"), "/var/spool/gnomon")
    assert [os.path.basename(path) for path in there.policies] == ["other.gnomon-policy"]
    assert dataclasses.replace(there, policies=()) == dataclasses.replace(here, policies=())


def test_a_policy_of_the_command_line_is_added(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('name = "more"\n')
    there = _bundled(tmp_path, "[keep]\ntimer = false\n", str(more))
    assert [os.path.basename(path) for path in there.policies] == ["more.gnomon-policy"]


def test_a_compiled_policy_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text('name = "one"\n')
    gnomon("policy", "compile", tmp_path / "one.toml", "--output", tmp_path / "one.gnomon-policy").checked()
    found = bundle.make(None, (str(tmp_path / "one.gnomon-policy"),))
    compiled = found.files["/etc/gnomon/policies/one.gnomon-policy"]
    assert compiled == (tmp_path / "one.gnomon-policy").read_bytes()


def test_two_policies_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.toml").write_text('name = "one"\n')
    with pytest.raises(RolloutError, match="two policy files of the same name"):
        bundle.make(None, (str(tmp_path / "a/one.toml"), str(tmp_path / "b/one.toml")))


def test_errors_are_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("[[rule]]\n")
    (tmp_path / "taken").write_text("")
    for arguments, said in (
        (("--policy", tmp_path / "broken.toml"), b"cannot use the policy"),
        (("--policy", tmp_path / "none.toml"), b"none.toml"),
        (("--config", tmp_path / "none.toml"), b"there is no such file"),
        (("--config", tmp_path / "taken/x.toml"), b"not a directory"),
        (("--output", tmp_path / "taken"), b"cannot write"),
        (("--format", "deb"), b"`dpkg-deb` is not here"),
        (("--format", "rpm"), b"`rpmbuild` is not here"),
        (("--format", "deb", "--maintainer", "x\nPre-Depends: y <a@b>"), b"cannot name the maintainer"),
    ):
        told = gnomon("bundle", *arguments, cwd=tmp_path, PATH="/nowhere")
        assert told.status in (1, 2)
        assert said in told.stderr and b"Traceback" not in told.stderr, told.stderr
    assert list(tmp_path.glob("*.tar.gz")) == []
    told = gnomon("bundle", cwd=tmp_path, SOURCE_DATE_EPOCH="soon")
    assert (told.status, b"SOURCE_DATE_EPOCH" in told.stderr) == (2, True)


def test_the_tarball_holds_what_it_needs(made: Bundle, tmp_path: Path) -> None:
    with tarfile.open(bundle.write(made, "tar", str(tmp_path), "IT <it@example.com>")) as archive:
        names = {entry.name.partition("/")[2]: entry for entry in archive}
    assert {"install.sh", "remove.sh", "payload/rollout.pyz", "etc/gnomon/gnomon.toml"} <= {*names}
    assert all(entry.uid == entry.gid == 0 and entry.isreg() for entry in names.values())
    assert names["install.sh"].mode == 0o755
