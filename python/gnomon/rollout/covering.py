"""One library directory: gnomon comes into it, and out of it, by way of the ledger.

What is done there, `startup` does, with the rights of the directory's owner.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence

from . import packages, startup, trust
from .errors import RolloutError
from .interpreters import Interpreter
from .layout import ROOT, Layout
from .ledger import Change, Ledger
from .outcome import Outcome

KIND = "loader"

# Prints the name of the bytecode's file, a NUL, and the bytecode of the source in argv[1].
_COMPILES = """
import os, sys
machinery, path = sys.modules["_frozen_importlib_external"], sys.argv[1]
with open(path, "rb") as file:
    status, data = os.fstat(file.fileno()), file.read()
code = machinery.SourceFileLoader("sitecustomize", path).source_to_code(data, path)
sys.stdout.buffer.write(os.path.basename(machinery.cache_from_source(path)).encode() + b"\\0")
sys.stdout.buffer.write(machinery._code_to_timestamp_pyc(code, int(status.st_mtime), len(data)))
"""
_NOT_RECORDING = re.compile(r"gnomon: not recording: (.*)")


def loader_text(source: bytes, root: str) -> str:
    """The loader of a payload below `root`.

    Raises:
        RolloutError: Python's source could not hold that path.
    """
    if not re.fullmatch(r"/[^\"'\\\n\r\0]*", root) or not root.isprintable():
        raise RolloutError(f"cannot install in `{root}`", hint="choose a directory with a plainer name")
    return source.decode().replace(f'ROOT = "{ROOT}"', f'ROOT = "{root}"')


class Covering:
    """Brings the loader into library directories."""

    def __init__(self, layout: Layout, ledger: Ledger, text: str) -> None:
        self._layout = layout
        self._ledger = ledger
        self._text = text
        self._digest = hashlib.sha256(text.encode()).hexdigest()

    def planned(self, library: str) -> tuple[str, list[str]]:
        """What `cover` would come to, as far as looking tells: its state, and remarks."""
        try:
            user = trust.actor(library)
            found = trust.act(user, startup.look, library)
        except (OSError, RolloutError) as error:
            return "failed", [_said(error)]
        refusal = self._refusal(library, found)
        if refusal:
            return "failed", [refusal]
        file = found["file"]
        if found["root"] is not None and file["sha256"] == self._digest:
            return "unchanged", []
        path = f"{library}/{startup.NAME}"
        if file is None or found["root"] is not None:
            return "would be covered", [f"by {path}"]
        package = packages.owner_of(path) if user is None else None
        remarks = [f"by {path}: the one that is there would run after it"]
        return "would be covered", remarks + ([f"diverted from {package}"] if package else [])

    def cover(self, library: str, interpreters: Sequence[Interpreter]) -> Outcome:
        """Brings the loader in, or up to date."""
        first = interpreters[0]
        try:
            is_new, remarks = self._cover(library, interpreters)
        except (OSError, RolloutError) as error:
            hint = getattr(error, "hint", None)
            return Outcome(
                first.executable, "failed", tuple(filter(None, (_said(error), hint))), first.version
            )
        silent = [problem for problem in map(not_recording, interpreters) if problem]
        if silent:
            remarks += [
                f"it is in place, but does not record: {problem}" for problem in dict.fromkeys(silent)
            ]
            return Outcome(first.executable, "failed", tuple(remarks), first.version)
        return Outcome(first.executable, "covered" if is_new else "unchanged", tuple(remarks), first.version)

    def _cover(self, library: str, interpreters: Sequence[Interpreter]) -> tuple[bool, list[str]]:
        user = trust.actor(library)
        found = trust.act(user, startup.look, library)
        refusal = self._refusal(library, found)
        if refusal:
            raise RolloutError(refusal)
        change = self._known(library)
        if change is not None and (found["root"] is None or not change["done"]):
            uncover(self._ledger, change)  # cut short, or overwritten by the interpreter's next version
            self._ledger.drop(change)
            change, found = None, trust.act(user, startup.look, library)
        if found["root"] is not None:
            return self._renew(user, library, found, change, interpreters)
        change = self._note(library, found)
        try:
            return True, self._put(user, library, change, interpreters)
        except BaseException:
            uncover(self._ledger, change)
            self._ledger.drop(change)
            raise

    def _refusal(self, library: str, found: startup.Facts) -> str | None:
        if found["shadow"]:
            return f"`{found['shadow']}` in its library is loaded before any sitecustomize.py"
        if not found["writable"]:
            return f"`{library}` cannot be written"
        root = found["root"]
        if root is not None and root != self._layout.root:
            return f"the gnomon in `{root}` is in it already: uninstall that first"
        change = self._known(library)
        if root is not None and change is not None and found["file"]["sha256"] not in change["sha256"]:
            return f"somebody changed gnomon's `{library}/{startup.NAME}`: restore it, or remove it"
        file = found["file"]
        if file is not None and "sha256" not in file and "target" not in file:
            return f"`{library}/{startup.NAME}` is neither a file nor a link"
        return None

    def _known(self, library: str) -> Change | None:
        return next((one for one in self._ledger.of_kind(KIND) if one["library"] == library), None)

    def _note(self, library: str, before: startup.Facts) -> Change:
        return self._ledger.add(
            {
                "kind": KIND,
                "library": library,
                "before": before,
                "sha256": [self._digest],
                "diverted": False,
                "done": False,
            }
        )

    def _put(
        self, user: int | None, library: str, change: Change, interpreters: Sequence[Interpreter]
    ) -> list[str]:
        before, cache, remarks = change["before"], change["before"]["cache"], []
        trust.act(user, startup.keep, library, before["file"], cache["files"] if cache else [])
        if before["file"] is not None:
            remarks.append("the sitecustomize that it had runs after gnomon's")
            if user is None:
                remarks += self._divert(change)
        trust.act(user, startup.place, library, self._text)
        self._compile(user, library, interpreters, has_kept=before["file"] is not None)
        trust.act(user, startup.settle, library, before["mtime_ns"], cache["mtime_ns"] if cache else None)
        change["done"] = True
        self._ledger.save()
        return remarks

    def _divert(self, change: Change) -> list[str]:
        path, kept = _names(change)
        package = packages.owner_of(path)
        if package is None:
            return []
        change["diverted"] = True
        self._ledger.save()
        problem = packages.divert(path, kept)
        return [
            f"dpkg does not divert what {package} brings: {problem}"
            if problem
            else f"diverted from {package}"
        ]

    def _renew(
        self,
        user: int | None,
        library: str,
        found: startup.Facts,
        change: Change | None,
        interpreters: Sequence[Interpreter],
    ) -> tuple[bool, list[str]]:
        if change is None:  # its ledger was lost: what it keeps says what was there
            cache = found["cache"]
            files = [name[len("_gnomon_kept_") :] for name in cache["kept"]] if cache else []
            before = {**found, "file": found["kept"], "cache": cache and {**cache, "files": files}}
            change = self._note(library, before)
            change["diverted"] = found["kept"] is not None and user is None
        if found["file"]["sha256"] == self._digest:
            change["sha256"], change["done"] = [self._digest], True
            self._ledger.save()
            return False, []
        change["sha256"] = [found["file"]["sha256"], self._digest]
        self._ledger.save()
        trust.act(user, startup.place, library, self._text)
        self._compile(user, library, interpreters, has_kept=found["kept"] is not None)
        change["sha256"], change["done"] = [self._digest], True
        self._ledger.save()
        return True, ["brought up to date"]

    def _compile(
        self, user: int | None, library: str, interpreters: Sequence[Interpreter], *, has_kept: bool
    ) -> None:
        """Without it each start of a user who may not write there would compile; it is only a saving."""
        for interpreter in interpreters:
            for name in (startup.NAME, *([startup.KEPT] if has_kept else [])):
                done = trust.run(
                    interpreter.executable, ["-I", "-S", "-B", "-c", _COMPILES, f"{library}/{name}"]
                )
                place, _, bytecode = done.stdout.partition(b"\0") if done else (b"", b"", b"")
                if 0 < len(bytecode) < startup.MAX_BYTES:
                    try:
                        trust.act(
                            user, startup.put_bytecode, library, place.decode("ascii", "replace"), bytecode
                        )
                    except (OSError, RolloutError):
                        continue


def not_recording(interpreter: Interpreter) -> str | None:
    """Why a program of this interpreter is not recorded, or `None`; starts one to see."""
    done = trust.run(interpreter.executable, ["-I", "-B", "-c", ""], GNOMON_DEBUG="1")
    if done is None:
        return "it could not be started to see"
    said = _NOT_RECORDING.search(done.stderr.decode("utf-8", "replace"))
    return said[1][:300] if said else None


def uncover(ledger: Ledger, change: Change) -> tuple[list[str], bool]:
    """Takes the loader out, however far it came in; what there is to say, and whether it is out.

    Raises:
        OSError: It cannot be taken out.
        RolloutError: It is in the hands of several users by now.
    """
    library, remarks, is_out = change["library"], [], True
    if os.path.isdir(library):
        user = trust.actor(library)
        if change["done"]:  # since then the directory's time is its own; undoing may be cut short as well
            change["before"]["mtime_ns"] = trust.act(user, startup.look, library)["mtime_ns"]
            change["done"] = False
            ledger.save()
        said = trust.act(user, startup.put_back, library, change["before"], change["sha256"])
        remarks, is_out = list(said[0]), bool(said[1])
    if change["diverted"]:
        path, kept = _names(change)
        problem = packages.undivert(path, kept)
        remarks += [f"dpkg still diverts `{path}`: {problem}"] if problem else []
    return remarks, is_out


def _names(change: Change) -> tuple[str, str]:
    return f"{change['library']}/{startup.NAME}", f"{change['library']}/{startup.KEPT}"


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        text = (error.strerror or str(error)).lower()
        return f"`{error.filename}`: {text}" if error.filename else text
    return str(error)
