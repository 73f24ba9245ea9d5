"""The week itself: prepares the company, runs its scripts, and gathers what was recorded."""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import gnomon
from gnomon import policy

from . import company as place
from . import data, expected, history, libraries, services, story

HERE = Path(__file__).resolve().parent
PACKAGE = Path(gnomon.__file__).resolve().parent
_AT_ONCE = 2


@dataclass(frozen=True)
class Options:
    """What is wanted.

    Attributes:
        spool: A directory that is not there yet.
        seed: Another number makes other data, and other moments of what people start.
        monday: Which week.
        is_quick: Each script is run once.
        is_offline: PyPI is not asked for the old libraries.
        python: The interpreter of the scripts; this one where it is None.
        is_plain: No namespaces, whoever calls.
    """

    spool: Path
    seed: int
    monday: datetime.date
    is_quick: bool
    is_offline: bool
    python: str | None
    is_plain: bool = False


@dataclass(frozen=True)
class Run:
    """One run of a script: when the story has it, and under which number it is recorded."""

    number: int
    script: story.Script
    day: int
    time: str

    @property
    def second(self) -> int:
        """Seconds from the start of the week, to the minute."""
        hour, minute = map(int, self.time.split(":"))
        return (self.day * 24 + hour) * 3600 + minute * 60


def _week(*, is_quick: bool) -> list[Run]:
    """All runs in the order of the story."""
    planned = [
        (script, day, at) for script in story.SCRIPTS for day, at in script.runs[: 1 if is_quick else None]
    ]
    planned.sort(key=lambda entry: (entry[1], entry[2]))
    return [Run(number, *entry) for number, entry in enumerate(planned)]


def beside(spool: Path) -> Path:
    """The directory of what goes with a spool."""
    return spool.with_name(spool.name + ".d")


class Week:
    """Prepares the company, runs its scripts, and gathers what was recorded."""

    def __init__(self, options: Options, work: Path, left_out: Callable[[story.Script, str], None]) -> None:
        self.options = options
        self.spool: Path = options.spool.absolute()
        self.work = work
        self.beside = beside(self.spool)
        self.monday = options.monday
        self._left_out = left_out
        self.why_plain = place.why_not_private(is_wanted=not options.is_plain)
        self.real_python = options.python or getattr(sys, "_base_executable", sys.executable)
        self.version = self._ask("import sys; print('%d.%d' % sys.version_info[:2])")[0]
        self.tools = self._tools()
        # Where there is no hiding of directories, what records name stays there for whoever reads them.
        root = self.beside / "files" if self.why_plain else work / "root"
        self.company = place.Company(root, self.why_plain is None, self._python(), self._bootstrap())
        shared = self._ask("import sysconfig; print(sysconfig.get_config_var('Py_ENABLE_SHARED') or 0)")[0]
        self.needs_library = shared == "1" and self.company.python.startswith(self.tools)
        self.runs = _week(is_quick=options.is_quick)
        self.has_real_libraries = False

    @property
    def ran(self) -> list[Run]:
        """The runs that took place."""
        return [run for run in self.runs if self.company.place(f"/var/spool/gnomon/{run.number}").exists()]

    # What lies where

    def _ask(self, code: str) -> list[str]:
        command = [self.real_python, "-I", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def _tools(self) -> str:
        """The directory of gnomon and Python in the company: nothing of this machine may be below it."""
        return (
            "/srv/tools"
            if any(str(path).startswith("/opt/") for path in (PACKAGE, self._prefix()))
            else "/opt"
        )

    def _prefix(self) -> str:
        return self._ask("import sys; print(sys.base_prefix)")[0]

    def _python(self) -> str:
        real = os.path.realpath(self.real_python)
        if self.why_plain or self._prefix() == "/usr":
            return self.real_python if self._prefix() == "/usr" else real
        return f"{self.tools}/python/{os.path.relpath(real, self._prefix())}"

    def _bootstrap(self) -> str:
        return str(PACKAGE / "bootstrap") if self.why_plain else f"{self.tools}/gnomon/bootstrap"

    def _moved(self) -> dict[str, str]:
        root = self.company.root
        moved = {f"{root}{self.tools}/gnomon": str(PACKAGE)}
        if self.company.python != self.real_python:
            moved[f"{root}{self.tools}/python"] = self._prefix()
        return moved

    def _covered(self) -> list[str]:
        code = "import os, site\nfor path in site.getsitepackages():\n  if os.path.isdir(path): print(path)"
        covered = self._ask(code)
        for target, source in self._moved().items():
            covered += [target + path[len(source) :] for path in covered if path.startswith(source + "/")]
        return covered

    # Before

    def prepare(self) -> None:
        """Writes the company's files, policy and environments."""
        work, company = self.work, self.company
        place.certificate(work)
        for path, content in data.files(self.options.seed).items():
            self._write(path, company.text(content))
        self._write("/srv/ca.pem", (work / "certificate.pem").read_text())
        for script in story.SCRIPTS:
            self._install(script)
        for folder in ("operations/backup", "hr/onboarding"):
            company.place(f"/srv/{folder}").mkdir()
        for user in story.USERS:
            company.place(f"/home/{user}").mkdir(parents=True, exist_ok=True)
        company.place("/srv/finance/.git").mkdir()
        self._write("/srv/finance/.git/HEAD", "ref: refs/heads/main\n")
        self._make_environments()
        self._compile_policy()
        self._open_up()
        if company.is_private:
            company.write_etc()

    def _write(self, path: str, text: str) -> Path:
        target = self.company.place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    def _install(self, script: story.Script) -> None:
        """Puts a script to its place, with its owner and the time of its last change."""
        if not script.path:
            return
        source = script.same_as or script.path
        text = (HERE / "files" / source.lstrip("/")).read_text()
        target = self._write(script.path, self.company.text(text))
        self._own(target, script)
        for child in ("/srv/operations/quiet_work.py",):
            self._write(child, self.company.text((HERE / "files" / child.lstrip("/")).read_text()))

    def _own(self, target: Path, script: story.Script) -> None:
        owner = script.owner_uid or story.USERS[script.user].uid
        if self.company.is_private:
            os.chown(target, owner, owner)
        modified = datetime.datetime.fromisoformat(script.modified + "T09:00:00+00:00").timestamp()
        os.utime(target, (modified, modified))

    def _make_environments(self) -> None:
        python, work = self.company.python, self.work
        churn = libraries.environment(self.company.place("/srv/datascience/churn-venv"), python, self.version)
        self.has_real_libraries = libraries.install_old(
            churn, self.real_python, work, is_offline=self.options.is_offline
        )
        self._science = libraries.environment(
            self.company.place("/srv/datascience/venv"), python, self.version
        )
        libraries.install_hook(self._science, is_changed=False)

    def _compile_policy(self) -> None:
        text = self.company.text((HERE.parent / "policies/meridian.toml").read_text())
        compiled = policy.compiled([], text=text)
        self.policy = self._write("/srv/policies/meridian" + policy.SUFFIX, "")
        policy.write(compiled, self.policy)

    def _open_up(self) -> None:
        """Has every account of the company able to read and write where the story wants it."""
        root = self.company.root
        for name in ("var/spool/gnomon", "tmp", "empty"):
            (root / name).mkdir(parents=True)
        for top in (self.work, root, root / "var", root / "var/spool", root / "empty"):
            top.chmod(0o755)
        (root / "tmp").chmod(0o1777)
        for top in ("srv", "home"):
            for base, _, names in os.walk(root / top):
                is_library = "venv" in base or "/policies" in base
                os.chmod(base, 0o755 if is_library else 0o777)
                for name in names:
                    if not os.path.islink(f"{base}/{name}"):
                        os.chmod(
                            f"{base}/{name}", 0o644 if name.endswith((".py", ".pem")) or is_library else 0o666
                        )

    # The week

    def live(self) -> None:
        """Runs everything, in namespaces of its own where there can be any; raises where that went wrong."""
        sys.stdout.flush()
        # What is to be known of this machine before it cannot be seen any more.
        covered, moved = self._covered(), self._moved()
        self._files = {s: (HERE / "files" / s.lstrip("/")).read_text() for _, s in story.CHANGED.values()}
        self._output = os.open(self.work, os.O_DIRECTORY)
        if not self.company.is_private:
            self._live_here()
        elif place.divide() == 0:
            status = 1
            try:
                self.company.enter(covered, moved)
                self._live_here()
                status = 0
            except BaseException as error:
                print(f"error: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                sys.stdout.flush()
                os._exit(status)

    def _live_here(self) -> None:
        ports, server = self._serve()
        if self.company.is_private:
            place.call("systemd")
        try:
            for day in range(7):
                self._change(day)
                self._run_all([run for run in self.runs if run.day == day], ports)
        finally:
            os.kill(server, 15)
            os.waitpid(server, 0)

    def _serve(self) -> tuple[dict[str, int], int]:
        """Starts the services in a process of their own."""
        readable, writable = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(readable)
            where = Path(f"/proc/self/fd/{self._output}")
            ports = services.start(
                where / "witness.jsonl", where / "both.pem", is_private=self.company.is_private
            )
            os.write(writable, json.dumps(ports).encode())
            os.close(writable)
            while True:
                time.sleep(60)
        os.close(writable)
        with open(readable) as file:
            return json.loads(file.read()), pid

    def _change(self, day: int) -> None:
        """What changes in the company on that day: scripts, and a start-up file."""
        for path, (when, source) in story.CHANGED.items():
            if day == when:
                target = self._inside(path)
                target.write_text(self.company.text(self._files[source]))
                moment = datetime.datetime.combine(self.monday, datetime.time(8), datetime.timezone.utc)
                changed = (moment + datetime.timedelta(days=day)).timestamp()
                os.utime(target, (changed, changed))
        if day == story.HOOK_CHANGES:
            site = Path(self.company.path("/" + str(self._science.relative_to(self.company.root))))
            libraries.install_hook(site, is_changed=True)

    def _inside(self, path: str) -> Path:
        return Path(self.company.path(path))

    def _run_all(self, runs: Sequence[Run], ports: dict[str, int]) -> None:
        waiting, under_way = list(reversed(runs)), {}
        while waiting or under_way:
            while waiting and len(under_way) < _AT_ONCE:
                run = waiting.pop()
                if reason := self._why_not(run.script, ports):
                    self._left_out(run.script, reason)
                    continue
                under_way[place.start(self.company, self._start(run, ports))] = run
            if under_way:
                pid, status = os.wait()
                if pid in under_way:
                    self._ended(under_way.pop(pid), os.waitstatus_to_exitcode(status))

    def _why_not(self, script: story.Script, ports: dict[str, int]) -> str | None:
        if script.needs == "its own network" and "smtp" not in ports:
            return "root's rights"
        if script.needs == "port 11434" and "ollama" not in ports:
            return "port 11434, which is taken"
        return None

    def _start(self, run: Run, ports: dict[str, int]) -> place.Start:
        script, company = run.script, self.company
        user = story.USERS[script.user]
        spool = (
            self._inside("/var/spool") / f"gnomon/{run.number}"
            if company.is_private
            else (company.place("/var/spool/gnomon") / str(run.number))
        )
        spool.mkdir(mode=0o700)
        output = spool.parent / f"{run.number}.txt"
        output.touch()
        output.chmod(0o666)
        if company.is_private:
            os.chown(spool, user.uid, user.uid)
        python = company.path(script.venv) + "/bin/python" if script.venv else company.python
        arguments = [company.text(text.format(day=story.DAYS[run.day])) for text in script.arguments]
        argv = [python, *([company.path(script.path)] if script.path else []), *arguments]
        home = company.path(f"/home/{user.name}")
        directory = str(Path(company.path(script.path)).parent) if script.path else home
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": home,
            "USER": user.name,
            "LOGNAME": user.name,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "SSL_CERT_FILE": company.path("/srv/ca.pem"),
            "REQUESTS_CA_BUNDLE": company.path("/srv/ca.pem"),
            "PYTHONPATH": company.bootstrap,
            "PYTHONDONTWRITEBYTECODE": "1",
            "GNOMON_SPOOL": str(spool),
            "GNOMON_POLICY": company.path("/srv/policies/meridian" + policy.SUFFIX),
            **self._surroundings(ports),
            **script.environment,
        }
        return place.Start(argv, environment, directory, user, script.machine, script.starter, output)

    def _surroundings(self, ports: dict[str, int]) -> dict[str, str]:
        if self.company.is_private:
            # An interpreter that is linked to its library finds it where it was built, which may be covered.
            return {"LD_LIBRARY_PATH": f"{self.tools}/python/lib"} if self.needs_library else {}
        proxy = f"http://127.0.0.1:{ports['proxy']}"
        return {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": "127.0.0.1"}

    def _ended(self, run: Run, status: int) -> None:
        if status != run.script.status:
            base = "/var/spool/gnomon" if self.company.is_private else self.company.place("/var/spool/gnomon")
            said = Path(f"{base}/{run.number}.txt").read_text()
            raise RuntimeError(f"`{run.script.name}` ended with status {status}:\n{said}")

    # After

    def gather(self) -> int:
        """Moves each run's records to its time in the story, into the spool; returns how many there are."""
        chance = random.Random(self.options.seed)
        monday = datetime.datetime.combine(self.monday, datetime.time(), datetime.timezone.utc)
        self.spool.mkdir(mode=0o700, parents=True)
        processes = 0
        for run in self.ran:
            recorded = self.company.place(f"/var/spool/gnomon/{run.number}")
            # People are never on the second, what is scheduled nearly is.
            jitter = (
                chance.uniform(0.1, 1.5)
                if run.script.starter in ("cron", "systemd")
                else chance.uniform(0, 59)
            )
            begin = int((monday.timestamp() + run.second + jitter) * 1_000_000) * 1_000
            processes += history.move(recorded, self.spool, begin)
        shutil.copy(self.policy, self.spool)
        return processes

    def leave_files(self) -> None:
        """Puts beside the spool what goes with it."""
        shutil.copytree(HERE / "beside", self.beside, dirs_exist_ok=True)
        self._renew_suppression()
        for script in story.SCRIPTS:
            if script.path and self.company.is_private:
                target = self.beside / "files" / script.path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.company.place(script.path), target)
        witness = (self.work / "witness.jsonl").read_text().splitlines()
        figures = expected.figures(
            [(run.script, run.day, run.time) for run in self.ran],
            self.company,
            [json.loads(line) for line in witness],
        )
        figures["monday"] = self.monday.isoformat()
        figures["is_private"] = self.company.is_private
        figures["has_real_libraries"] = self.has_real_libraries
        (self.beside / "expected.json").write_text(json.dumps(figures, indent=1) + "\n")
        for name in () if self.company.is_private else ("var", "tmp", "empty"):
            shutil.rmtree(self.company.root / name)

    def _renew_suppression(self) -> None:
        """Has one of them hold for three months: none may hold for years."""
        path = self.beside / "suppressions.toml"
        until = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=90)
        path.write_text(path.read_text().replace("2026-12-31", until.isoformat()))
