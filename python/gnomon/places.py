"""Where gnomon keeps things on this machine, by platform. Nothing is created here."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "GNOMON_SPOOL"


def default_spool() -> str:
    """The user's own spool: in the machine's, else `GNOMON_SPOOL`, else below the directory for state.

    Linux: `$XDG_STATE_HOME/gnomon/spool`, with `~/.local/state` where that is not set (XDG Base Directory
    Specification 0.8). macOS: `~/Library/Application Support`. Windows: `%LOCALAPPDATA%`.
    """
    shared = machine_spool()
    if shared:
        return f"{shared}/{os.geteuid()}"
    return spool_of(os.environ, os.path.expanduser("~"))


def spool_of(environment: Mapping[str, str], home: str) -> str:
    """The same of a user with this environment and home, on a machine without a spool of its own."""
    given = environment.get(VARIABLE)
    if given:
        return given
    if sys.platform == "win32":
        base = environment.get("LOCALAPPDATA") or f"{home}/AppData/Local"
    elif sys.platform == "darwin":
        base = f"{home}/Library/Application Support"
    else:
        base = environment.get("XDG_STATE_HOME") or f"{home}/.local/state"
    return f"{base}/gnomon/spool"


def machine_spool() -> str | None:
    """The spool into which all Pythons of this machine are recorded; `None` where none is."""
    from . import _native

    found = _native.machine_spool()
    return None if found is None else os.fspath(found)


def bootstrap() -> str:
    """The directory whose `sitecustomize` arms a Python that has it on `PYTHONPATH`."""
    return f"{os.path.dirname(os.path.abspath(__file__))}/bootstrap"
