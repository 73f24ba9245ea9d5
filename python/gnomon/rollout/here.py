"""gnomon in one environment, for a developer without root: own start-up files, and the user's own spool.

Three files in site-packages: a module that arms, a `.pth` line that starts it, and a `.start` entry that does
so from Python 3.15 on (PEP 829), where the `.pth` of the same name is then left alone.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import site
import stat
import sys
import sysconfig

from . import startup
from .errors import RolloutError
from .ledger import Ledger, unnoticed, write_file
from .outcome import Outcome

_MODULE = "_gnomon_startup"
_STEM = "0000_gnomon"
_LEDGER = "_gnomon_startup.json"

_ARMS = '''\
# gnomon: records what Python programs of this environment do. `gnomon uninstall --here` removes it.
"""Arms gnomon once, whoever asks and however often; whatever goes wrong, the program starts."""

import sys

LIBRARY = {library}
SPOOL = {spool}


def start():
    """Is done by the import: `.pth` lines run twice in an environment up to Python 3.14."""


def _arm():
    import _imp
    import os

    machinery = sys.modules["_frozen_importlib_external"]
    is_named = "GNOMON_SPOOL" in os.environ
    if not is_named:
        os.environ["GNOMON_SPOOL"] = SPOOL
    try:
        for suffix in _imp.extension_suffixes():
            path = LIBRARY + suffix
            try:
                machinery._path_stat(path)
            except OSError:
                continue
            spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin=path)
            module = _imp.create_dynamic(spec)
            _imp.exec_dynamic(module)
            return getattr(module, "error", None)
        return "no library for this Python at " + LIBRARY
    finally:
        if not is_named:
            del os.environ["GNOMON_SPOOL"]


def _arm_safely():
    try:
        problem = _arm()
    except Exception as error:
        problem = repr(error)
    if problem:
        import os

        if os.environ.get("GNOMON_DEBUG"):
            sys.stderr.write("gnomon: not recording: " + problem + "\\n")


_arm_safely()
'''


def _directory() -> str:
    """The environment's site-packages, or the user's where that cannot be written."""
    own = sysconfig.get_path("purelib")
    if os.access(own, os.W_OK):
        return own
    user = site.getusersitepackages()
    if sys.prefix == sys.base_prefix and site.ENABLE_USER_SITE:
        os.makedirs(user, exist_ok=True)
        return user
    raise RolloutError(f"cannot write `{own}`: it is not yours", hint="use an environment of your own")


def _files(spool: str) -> dict[str, str]:
    from .. import _native

    library = os.path.abspath(str(_native.__file__))
    stem = f"{os.path.dirname(library)}/_native"
    return {
        f"{_MODULE}.py": _ARMS.format(library=json.dumps(stem), spool=json.dumps(spool)),
        f"{_STEM}.pth": f"import {_MODULE}\n",
        f"{_STEM}.start": f"{_MODULE}:start\n",
    }


def install(spool: str | None = None, *, is_dry: bool = False) -> list[Outcome]:
    """Has the programs of this environment recorded from now on.

    Raises:
        RolloutError: It cannot be written, or somebody else's files are in the way.
    """
    from ..places import default_spool

    place = os.path.abspath(spool or default_spool())
    directory, files = _directory(), _files(place)
    ledger = Ledger.read(f"{directory}/{_LEDGER}")
    known = {change["name"] for change in ledger.changes}
    for name in files:
        if name not in known and os.path.lexists(f"{directory}/{name}"):
            raise RolloutError(
                f"cannot write `{directory}/{name}`: it is there, and not gnomon's", hint="look at it"
            )
    if is_dry:
        return [Outcome(f"{directory}/{name}", "would be written") for name in files]
    os.makedirs(place, mode=0o700, exist_ok=True)
    with unnoticed(directory):
        for name, text in files.items():
            _write(ledger, directory, name, text)
        _list(directory, files)
    return [Outcome(sys.prefix, "covered", (f"records go to {place}",), sys.version.split()[0])]


def _write(ledger: Ledger, directory: str, name: str, text: str) -> None:
    change = next((one for one in ledger.changes if one["name"] == name), None)
    change = change or {"kind": "file", "name": name, "sha256": []}
    digest = hashlib.sha256(text.encode()).hexdigest()
    change["sha256"] = [*change["sha256"][-1:], digest]
    if change in ledger.changes:
        ledger.save()
    else:
        ledger.add(change)
    write_file(f"{directory}/{name}", text.encode())


def _list(directory: str, files: dict[str, str]) -> None:
    """Has the list of what gnomon's distribution installed name `files` and no others of ours.

    So `pip uninstall gnomon` removes them, and who asks whose they are is told.
    """
    lists = glob.glob(f"{glob.escape(directory)}/gnomon-*.dist-info/RECORD")
    if len(lists) != 1 or not os.access(lists[0], os.W_OK):
        return
    with open(lists[0], "rb") as file:
        before = file.read()
    ours = (_LEDGER, f"{_MODULE}.py", f"{_STEM}.pth", f"{_STEM}.start")
    lines = [line for line in before.splitlines(keepends=True) if line.split(b",")[0].decode() not in ours]
    if files and before.endswith(b"\n"):
        lines += [f"{name},{_listed(text.encode())}\n".encode() for name, text in files.items()]
        lines.append(f"{_LEDGER},,\n".encode())
    if lines != before.splitlines(keepends=True):
        found = os.stat(lists[0])
        with unnoticed(os.path.dirname(lists[0])):
            write_file(lists[0], b"".join(lines), stat.S_IMODE(found.st_mode))
            os.utime(lists[0], ns=(found.st_atime_ns, found.st_mtime_ns))


def _listed(data: bytes) -> str:
    """Hash and size as RECORD has them.

    Source: https://packaging.python.org/specifications/recording-installed-packages/
    """
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest},{len(data)}"


def installed() -> str | None:
    """Where it is in this environment, if it is."""
    places = dict.fromkeys((sysconfig.get_path("purelib"), site.getusersitepackages()))
    return next((place for place in places if os.path.exists(f"{place}/{_LEDGER}")), None)


def uninstall(*, is_dry: bool = False) -> list[Outcome]:
    """Takes it out of this environment.

    Raises:
        RolloutError: It is not in it.
    """
    directory = installed()
    if directory is None:
        raise RolloutError(f"gnomon is not in `{sys.prefix}`", hint="use the Python that it was installed by")
    ledger = Ledger.read(f"{directory}/{_LEDGER}")
    names = [change["name"] for change in ledger.changes]
    if is_dry:
        return [Outcome(f"{directory}/{name}", "would be removed") for name in names]
    with unnoticed(directory):
        outcomes = [
            _remove(directory, change["name"], change["sha256"]) for change in reversed(ledger.changes)
        ]
        _remove_bytecode(directory)
        _list(directory, {})
        os.unlink(ledger.path)
    return outcomes


def _remove(directory: str, name: str, digests: list[str]) -> Outcome:
    path = f"{directory}/{name}"
    try:
        with open(path, "rb") as file:
            is_ours = hashlib.sha256(file.read()).hexdigest() in digests
    except FileNotFoundError:
        return Outcome(path, "removed", ("it was gone already",))
    if not is_ours:
        return Outcome(path, "failed", ("somebody changed it: it stays",))
    os.unlink(path)
    return Outcome(path, "removed")


def _remove_bytecode(directory: str) -> None:
    cache = f"{directory}/{startup.CACHE}"
    if not os.path.isdir(cache):
        return
    with unnoticed(cache):
        for name in os.listdir(cache):
            if name.startswith(f"{_MODULE}."):
                os.unlink(f"{cache}/{name}")
    if not os.listdir(cache):
        os.rmdir(cache)
