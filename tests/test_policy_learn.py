"""`gnomon policy learn`: a policy that permits what was seen, readable and the same each time."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from commands import gnomon, run
from gnomon import generalise
from gnomon._native import compile_policy, replay_policy
from gnomon.folding import fold_path
from gnomon.learn import Learner
from gnomon.policy import write
from watching import armed, program


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is not for temporary files: those are all one to a policy."""
    folder = Path(tempfile.mkdtemp(prefix=".gnomon-tests-", dir=Path.home()))
    yield folder
    shutil.rmtree(folder)


def _learned(*arguments: str | Path) -> str:
    return gnomon("policy", "learn", *arguments).checked().stdout.decode()


def _compiled(text: str, folder: Path) -> bytes:
    (folder / "learned.toml").write_text(text)
    data, problems = compile_policy([folder / "learned.toml"])
    assert data is not None, [(problem.line, problem.message) for problem in problems]
    return data


def _not_allowed(text: str, folder: Path, *spools: Path) -> list[tuple[str, str]]:
    findings = replay_policy(_compiled(text, folder), spools).findings
    return [
        (finding.rule, script.doing)
        for finding in findings
        if finding.action != "allow"
        for script in finding.scripts
    ]


def _is_good(text: str, folder: Path) -> None:
    (folder / "good.toml").write_text(text)
    gnomon("policy", "check", "--strict", folder / "good.toml").checked()
    gnomon("policy", "test", folder / "good.toml").checked()


JOB = """
import os, socket, subprocess, sys, tempfile
for name in ("a", "b"):
    open(f"in/{name}.csv").read()
open("settings.toml").read()
for day in range(1, 4):
    open(f"out/report-2026-01-0{day}.csv", "w").write("x")
with tempfile.NamedTemporaryFile() as file:
    file.write(b"x")
subprocess.run(["true"])
subprocess.run(["sh", "-c", "true"])
own = socket.socket()
own.bind(("127.0.0.1", 0))
own.listen()
socket.create_connection(own.getsockname()).close()
for host in ("api.corp.example", "login.corp.example", "db.eu.corp.example", "one.other.example"):
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        pass
other = socket.socket()
other.setblocking(False)
for address in (("10.255.255.1", 5432), ("192.0.2.7", 443)):
    try:
        other.connect(address)
    except OSError:
        pass
child = os.fork()
if not child:
    os._exit(0)
os.wait()
"""


@pytest.fixture
def job(place: Path) -> Path:
    for folder in ("in", "out", "real"):
        (place / folder).mkdir()
    for name in ("in/a.csv", "in/b.csv", "real/c.csv", "settings.toml"):
        (place / name).write_text("1")
    (place / "link").symlink_to("real")
    (place / "job.py").write_text(JOB + "open('link/c.csv').close()\n")
    return place


def test_a_policy_is_small_and_says_what_speaks_for_it(job: Path, spool: Path) -> None:
    run(spool, "job.py", cwd=job).checked()
    text = _learned(spool)
    _is_good(text, job)
    lines = text.splitlines()
    home = fold_path(f"{job}/")
    for start, evidence in [
        (f'    "{home}in/",', "# 2 files by 1 script, as "),
        (f'    "{home}settings.toml",', "# by 1 script"),
        (f'    "{home}link/c.csv",', "# by 1 script"),
        (f'    "{home}real/c.csv",', "# by 1 script"),
        ('    "/tmp/**",', "as /tmp/*"),
        ('    "one.other.example",', "# by 1 script"),
        ('    "loopback",', "# 127.0.0.1, any port, by 1 script"),
        ('    "private",', "# 10.255.255.1 port 5432, by 1 script"),
        ('    "true",', "# by 1 script"),
    ]:
        told = start.replace(os.path.expanduser("~") + "/", "~/")
        assert any(line.startswith(told) and evidence in line for line in lines), (told, text)
    assert any("report-*.csv" in line for line in lines) and "report-2026" not in text
    assert "# sh: a shell can start everything else." in text
    assert 'mode = "observe"' in text


def test_what_was_learned_is_learned_again(job: Path, spool: Path, tmp_path: Path) -> None:
    run(spool, "job.py", cwd=job).checked()
    text = _learned(spool)
    assert _not_allowed(text, tmp_path, spool) == []
    assert _learned(spool) == text
    twice = tmp_path / "twice"
    shutil.copytree(spool, twice)
    run(twice, "job.py", cwd=job).checked()
    assert _learned(twice) == text
    assert _learned(spool, twice) == text
    (tmp_path / "learned.toml").write_text(text)
    under = tmp_path / "under"
    gnomon(
        *("run", "--quiet", "--spool", under, "--policy", tmp_path / "learned.toml", "job.py"), cwd=job
    ).checked()
    assert _learned(under) == text


def test_a_program_runs_under_the_policy_learned_from_it(job: Path, spool: Path, tmp_path: Path) -> None:
    run(spool, "job.py", cwd=job).checked()
    text = _learned(spool, "--deny", "read,write,network,process,import")
    enforced = text.replace('mode = "observe"', 'mode = "enforce"')
    (tmp_path / "enforced.toml").write_text(enforced)
    other = tmp_path / "other"
    arguments = ("run", "--quiet", "--spool", other, "--policy", tmp_path / "enforced.toml")
    done = gnomon(*arguments, "job.py", cwd=job)
    assert (done.status, done.stderr) == (0, b""), done.stderr.decode()
    (job / "more.py").write_text("open('job.py').close()\n")
    assert b"no-other-reads" in gnomon(*arguments, "more.py", cwd=job).stderr


def test_all_that_the_programs_of_the_suite_do_is_permitted(spool: Path, place: Path, tmp_path: Path) -> None:
    import ast

    for name in ("operations.py", "more_operations.py", "requests_made.py"):
        tree = ast.parse(Path(program(name)).read_text())
        for number, node in enumerate(tree.body):
            if isinstance(node, ast.FunctionDef):
                folder = place / f"{name}-{number}"
                folder.mkdir()
                (folder / "made").write_text("x")
                armed([sys.executable, program(name), node.name], spool, cwd=folder)
    done = gnomon("policy", "learn", spool, "--deny", "write,read,network,process,import").checked()
    text = done.stdout.decode()
    _is_good(text, tmp_path)
    assert _not_allowed(text, tmp_path, spool) == []
    assert done.stderr == b"", done.stderr.decode()


WORDS = [
    "a",
    "data",
    "Übung",
    "it's",
    "x y",
    "[z]",
    "{q}",
    "b*c",
    "w?",
    "back\\slash",
    "t\tab",
    "#h",
    '"q"',
    "~x",
]


def _doings(chance: random.Random, place: Path) -> str:
    """A program that does things at random, with names that are hard to write."""
    lines = ["import os, socket, subprocess", f"os.chdir({str(place)!r})"]
    for _ in range(chance.randrange(5, 40)):
        parts = [chance.choice([*WORDS, "2026-01-02", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "run-123456"])]
        parts += chance.choices(WORDS, k=chance.randrange(3))
        path = "/".join(parts)
        folder = os.path.dirname(path) or "."
        host = ".".join(
            chance.choices(["a", "b", "c", "d", "api", "x_1", "Ümlaut"], k=chance.randrange(1, 4))
        )
        lines.append(
            chance.choice(
                [
                    f"os.makedirs({folder!r}, exist_ok=True); open({path!r} + '.f', 'w').close()",
                    f"os.makedirs({folder!r}, exist_ok=True); open({path!r} + '.f', 'a+').close()",
                    f"os.path.isdir({folder!r}) and os.listdir({folder!r})",
                    f"os.path.exists({path!r} + '.f') and open({path!r} + '.f').close()",
                    f"try: socket.gethostbyname({host + '.example'!r})\nexcept (OSError, UnicodeError): pass",
                    f"try: subprocess.run([{'./' + path!r}])\nexcept OSError: pass",
                    f"os.path.lexists('l') or os.symlink({path!r}, 'l')",
                ]
            )
        )
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("number", range(6))
def test_what_was_seen_replays_as_allowed(
    number: int, place: Path, spool: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(f"{pytestconfig.option.seed} {number}")
    work = place / "work"
    work.mkdir()
    (place / "job.py").write_text(_doings(chance, work))
    armed([sys.executable, str(place / "job.py")], spool).checked()
    text = _learned(spool)
    _is_good(text, tmp_path)
    assert _not_allowed(text, tmp_path, spool) == []
    other, folder = tmp_path / "other", tmp_path / "compiled"
    other.mkdir(mode=0o700)
    folder.mkdir()
    write(_compiled(text, folder), folder / "it.gnomon-policy")
    shutil.rmtree(work)
    work.mkdir()
    armed(
        [sys.executable, str(place / "job.py")], other, GNOMON_POLICY=str(folder / "it.gnomon-policy")
    ).checked()
    assert _learned(other) == text


def test_what_was_denied_is_not_learned(spool: Path, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(
        '[[rule]]\nid = "hr"\npath = "**/hr/**"\naction = "deny"\nmessage = "No."\n'
    )
    code = f"open({str(tmp_path / 'p.toml')!r}).close(); open('/data/hr/salaries.csv')"
    gnomon("run", "--spool", spool, "--policy", tmp_path / "p.toml", "-c", code)
    learned = gnomon("policy", "learn", spool).checked()
    text = learned.stdout.decode()
    assert str(tmp_path) in text or "p.toml" in text
    assert "/data/hr" not in text
    assert b"/data/hr/salaries.csv" in learned.stderr, "it says what it leaves out"


def test_what_is_looked_for_in_vain_is_learned_and_what_is_refused_is_not() -> None:
    learner = Learner(["read"])
    for target, errno in (("/data/settings.ini", "ENOENT"), ("/secret/key.pem", "EACCES")):
        fields = dict.fromkeys(["destination", "requested", "host", "address", "port", "argv"])
        told = {"outcome": "failed", "errno": errno, "process": "p", "kind": "open", "access": "read"}
        learner.add(SimpleNamespace(**fields, **told, target=target))  # type: ignore[arg-type]
    # Denied, the first would be another answer than the one that the script handles.
    assert list(learner.files["read"]) == ["/data/settings.ini"]


def test_nothing_is_learned_from_nothing(spool: Path) -> None:
    done = gnomon("policy", "learn", spool)
    assert done.status == 1 and b"nothing was recorded that it could be about" in done.stderr
    assert gnomon("policy", "learn", spool, "--deny", "files").status == 2


def test_a_policy_is_written_to_a_file(job: Path, spool: Path, tmp_path: Path) -> None:
    run(spool, "job.py", cwd=job).checked()
    done = gnomon("policy", "learn", spool, "-o", "team.toml", "--deny", "network", cwd=tmp_path).checked()
    text = (tmp_path / "team.toml").read_text()
    assert done.stdout == b"" and 'name = "team"' in text
    assert "no-other-hosts" in text and "no-other-reads" not in text


def _patterns(*paths: str) -> list[str]:
    return sorted(generalise.folders({path: generalise.Evidence({path}, {"s"}) for path in paths}))


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/data/in/a", "/data/in/b"], ["/data/in/"]),
        (["/data/in/a"], ["/data/in/a"]),
        (["/a", "/b"], ["/a", "/b"]),
        (["/etc/a", "/etc/b"], ["/etc/a", "/etc/b"]),
        ([f"/etc/{name}" for name in "abcde"], ["/etc/*"]),
        ([f"~/{name}" for name in "abcde"], ["~/*"]),
        (["~"], ["~"]),
        ([f"~/p/{name}/x" for name in "abc"], [f"~/p/{name}/x" for name in "abc"]),
        ([f"~/p/{name}/{file}" for name in "abcd" for file in "12"], ["~/p/"]),
        ([f"/usr/share/{name}/{file}" for name in "abcd" for file in "12"],
         [f"/usr/share/{name}/" for name in "abcd"]),
        ([f"/data/f{number}/{file}" for number in range(20) for file in "12"], ["/data/"]),
        (["/tmp/*/a", "/tmp/b", "/var/tmp/x"], ["/tmp/**", "/var/tmp/**"]),
        (["~/p/a", "~/p/b", "~/p/q/c", "~/p"], ["~/p/"]),
    ],
)  # fmt: skip
def test_folders_stand_for_their_files(paths: list[str], expected: list[str]) -> None:
    assert _patterns(*paths) == expected


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["a.corp.com", "b.corp.com"], ["a.corp.com", "b.corp.com"]),
        (["a.corp.com", "b.corp.com", "c.corp.com"], ["*.corp.com"]),
        (["a.corp.com", "b.corp.com", "x.c.corp.com", "corp.com"], ["*.corp.com", "corp.com"]),
        (["a.co.uk", "b.co.uk", "c.co.uk"], ["a.co.uk", "b.co.uk", "c.co.uk"]),
        (["a.com", "b.com", "c.com"], ["a.com", "b.com", "c.com"]),
        ([f"{name}.s3.amazonaws.com" for name in "abc"], [f"{name}.s3.amazonaws.com" for name in "abc"]),
        (["localhost"], ["localhost"]),
    ],
)
def test_domains_stand_for_their_hosts(hosts: list[str], expected: list[str]) -> None:
    found = generalise.domains({host: generalise.Evidence({host}, {"s"}) for host in hosts})
    assert sorted(found) == sorted(expected)
