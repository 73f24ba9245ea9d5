"""A real PostgreSQL on loopback, for as long as a test needs it: the system's, or Debian's packages unpacked.

It listens on a port that the system chose and on a Unix socket, and ends with the process that started it.
By hand: `python tests/postgres.py COMMAND…` runs a command that finds it in the PG… variables.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_SECONDS = 60


class NoPostgres(Exception):
    """There is no PostgreSQL here, and none could be had; the text says why."""


@dataclass(frozen=True)
class Postgres:
    """A server that answers, and how to reach it."""

    host: str
    port: int
    socket_folder: Path
    user: str
    password: str = field(repr=False)

    @property
    def socket_path(self) -> Path:
        """Where it listens besides the port."""
        return self.socket_folder / f".s.PGSQL.{self.port}"

    @property
    def url(self) -> str:
        """`postgresql://…`, of its only database."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/postgres"

    def variables(self) -> dict[str, str]:
        """The environment from which libpq, and what does as it does, takes all of it."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": "postgres",
        }


@dataclass(frozen=True)
class _Programs:
    """Where `postgres` and `initdb` are, and the libraries that the system does not have for them."""

    folder: Path
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        kept = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        if self.libraries:
            kept["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, self.libraries))
        return kept


@contextlib.contextmanager
def postgres(host: str = "127.0.0.1") -> Iterator[Postgres]:
    """A server from when it answers to its end.

    Raises:
        NoPostgres: None is installed, and none could be unpacked.
    """
    programs = installed() or unpacked()
    account = _account()
    # Not below a test's own folder, which nobody else may enter; and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="gnomon-pg-", dir="/tmp"))
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        with _serving(programs, account, folder, host) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Who runs it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("PostgreSQL refuses to run as root, and there is no account `nobody`")


@contextlib.contextmanager
def _serving(
    programs: _Programs, account: pwd.struct_passwd | None, folder: Path, host: str
) -> Iterator[Postgres]:
    server = Postgres(host, _free_port(host), folder, "analyst", secrets.token_hex(8))
    data, password_file, log = folder / "data", folder / "password", folder / "log"
    password_file.write_text(server.password)
    password_file.chmod(0o600)
    if account:
        os.chown(password_file, account.pw_uid, account.pw_gid)
    initdb = [str(programs.folder / "initdb"), "-D", str(data), "-U", server.user, "-E", "UTF8", "--no-sync"]
    made = _started([*initdb, "-A", "scram-sha-256", f"--pwfile={password_file}"], programs, account, log)
    if made.wait(_SECONDS):
        raise NoPostgres(f"initdb failed: {log.read_text().strip()[-500:]}")
    argv = [str(programs.folder / "postgres"), "-D", str(data), "-k", str(folder), "-h", host]
    argv += ["-p", str(server.port), "-c", "fsync=off", "-c", "jit=off"]
    running = _started(argv, programs, account, log)
    try:
        _wait_until_ready(running, data, log)
        yield server
    finally:
        _stop(running)


def _started(
    argv: list[str], programs: _Programs, account: pwd.struct_passwd | None, log: Path
) -> subprocess.Popen[bytes]:
    library = ctypes.CDLL(None)
    parent = os.getpid()

    def ends_with_its_parent() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            env=programs.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=ends_with_its_parent,  # noqa: PLW1509 (it takes no lock)
        )


def _wait_until_ready(running: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Until the eighth line of its lock file says so: the port is open before that."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if running.poll() is not None:
            raise NoPostgres(f"postgres ended at once: {log.read_text().strip()[-500:]}")
        with contextlib.suppress(OSError, IndexError):
            if (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                return
        time.sleep(0.02)
    raise NoPostgres(f"postgres was not ready in {_SECONDS} s: {log.read_text().strip()[-500:]}")


def _stop(running: subprocess.Popen[bytes]) -> None:
    """Without waiting for clients, then without writing anything, then at once."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        running.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(20)
            return


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as one:
        return int(one.getsockname()[1])


def installed() -> _Programs | None:
    """The newest that the system has."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    on_path = shutil.which("initdb")
    # The links that some systems have on PATH lead to where its files are.
    folders = [*versions, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return _Programs(folder)
    return None


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def unpacked() -> _Programs:
    """Debian's packages of it, unpacked below a cache folder and not installed."""
    if not (shutil.which("apt-get") and shutil.which("apt-cache") and shutil.which("dpkg")):
        raise NoPostgres("no postgres and initdb here, and no apt-get to fetch Debian's packages with")
    found = re.search(r"Depends: (postgresql-\d+)", _said("apt-cache", "depends", "postgresql"))
    if found is None:
        raise NoPostgres("no postgres and initdb here, and no package `postgresql` (apt-get update?)")
    root = _cache() / found[1]
    if not root.exists():
        _unpack(found[1], root)
    (folder,) = root.glob("usr/lib/postgresql/*/bin")
    return _Programs(folder, tuple(sorted({path.parent for path in root.glob("**/lib*.so*")})))


def _cache() -> Path:
    """The user's cache; of root, one that others may enter, as it is not root who runs the server."""
    if os.geteuid() == 0:
        return Path("/var/cache/gnomon-tests")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnomon-tests"


def _unpack(package: str, root: Path) -> None:
    """Downloads and unpacks beside `root`, which appears only when all of it is there."""
    root.parent.mkdir(parents=True, exist_ok=True)
    root.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=root.parent) as place:
        archives, files = Path(place, "archives"), Path(place, "files")
        archives.mkdir()
        files.mkdir()
        _said("apt-get", "-q", "download", *sorted(_with_libraries(package)), cwd=archives)
        for archive in archives.glob("*.deb"):
            _said("dpkg", "-x", str(archive), str(files))
        with contextlib.suppress(OSError):  # another test run was faster
            files.rename(root)


def _with_libraries(package: str) -> set[str]:
    """The package and the libraries it needs that are not installed, but for its compiler of queries."""
    wanted, seen = {package}, {package}
    waiting = [package]
    while waiting:
        told = _said("apt-cache", "depends", "--important", waiting.pop())
        for name in re.findall(r"^  (?:Pre)?Depends: (lib[^\s:<>]+)", told, re.MULTILINE):
            if name not in seen and not name.startswith("libllvm"):
                seen.add(name)
                if not _is_installed(name):
                    wanted.add(name)
                    waiting.append(name)
    return wanted


def _is_installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f=${Status}", package]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return done.stdout.endswith("ok installed")


def _said(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        argv,
        env={**os.environ, "LC_ALL": "C"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise NoPostgres(f"`{' '.join(argv[:3])} …` failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def main() -> int:
    """Runs a command that finds the server in its environment, and ends with its status."""
    try:
        with postgres() as server:
            return subprocess.run(
                sys.argv[1:], env={**os.environ, **server.variables()}, check=False
            ).returncode
    except NoPostgres as reason:
        print(f"no PostgreSQL: {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
