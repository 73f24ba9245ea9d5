"""`gnomon uninstall`: undoes what the ledger says, the last change first; each is forgotten once undone.

So it can be cut short and started again. What somebody changed meanwhile stays, and is said.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import covering, payload, preloading, spooling, timer
from .errors import RolloutError, RolloutUsageError
from .interpreters import find as find_interpreters
from .layout import ROOT, Layout
from .ledger import Change, Ledger, locked, remove_root, remove_unfinished
from .outcome import Outcome


class Uninstall:
    """Takes gnomon out.

    Args:
        layout: Where things are.
        is_purged: Records are removed, too.
    """

    def __init__(self, layout: Layout, *, is_purged: bool = False) -> None:
        if os.geteuid() != 0 and layout.root == ROOT:
            raise RolloutUsageError(
                "only root takes gnomon out for all users of a machine",
                hint="say `sudo gnomon uninstall --all`",
            )
        self._layout = layout
        self._is_purged = is_purged
        self._keeps_records = False
        self._left: list[Change] = []

    def plan(self, pythons: Sequence[str] = ()) -> list[Outcome]:
        """What would be done; changes nothing."""
        ledger = Ledger.read(self._layout.ledger)
        planned = [self._planned(one) for one in self._wanted(ledger, pythons)]
        if not pythons and os.path.isdir(self._layout.root):
            planned.append(Outcome("payload", "would be removed", (self._layout.root,)))
        return planned

    def _planned(self, change: Change) -> Outcome:
        stays = change["kind"] == "spool" and not self._is_purged and spooling.has_records(change["path"])
        self._keeps_records = self._keeps_records or stays
        # The group goes last, and not before the records that are its own.
        is_kept = stays or (change["kind"] == "group" and self._keeps_records)
        return Outcome(_subject(change), "would be kept" if is_kept else "would be removed", _details(change))

    def carry_out(self, pythons: Sequence[str] = ()) -> list[Outcome]:
        """Takes it out of the interpreters at `pythons`; with none, takes out everything."""
        remove_unfinished(self._layout)
        if not os.path.isdir(self._layout.root):
            return []
        with locked(self._layout.root):
            ledger = Ledger.read(self._layout.ledger)
            outcomes = [self._undo(ledger, change) for change in self._wanted(ledger, pythons)]
            for spool in (one["path"] for one in self._left if one["kind"] == "spool"):
                spooling.leave(spool, self._left)
            if not pythons and not ledger.of_kind(covering.KIND):
                outcomes += self._remove_payload()
            return outcomes

    def _wanted(self, ledger: Ledger, pythons: Sequence[str]) -> list[Change]:
        changes = [one for one in reversed(ledger.changes) if one["kind"] != "root"]
        if not pythons:
            # The group may only go once nothing is its own any more.
            return sorted(changes, key=lambda one: one["kind"] == "group")
        found = find_interpreters(pythons, everywhere=False)
        libraries = {os.path.realpath(one.library) for one in found if one.library}
        wanted = [one for one in changes if one["kind"] == covering.KIND and one["library"] in libraries]
        if not wanted:
            raise RolloutError("gnomon is in none of these interpreters", hint="see `gnomon doctor`")
        return wanted

    def _undo(self, ledger: Ledger, change: Change) -> Outcome:
        try:
            remarks, is_undone = self._undone(ledger, change)
        except (OSError, RolloutError) as error:
            return Outcome(_subject(change), "failed", (str(error),))
        ledger.drop(change)
        if is_undone:
            return Outcome(_subject(change), "removed", (*_details(change), *remarks))
        state = "failed" if change["kind"] == covering.KIND else "kept"
        if state == "kept":
            self._left.append(change)
        return Outcome(_subject(change), state, tuple(remarks))

    def _undone(self, ledger: Ledger, change: Change) -> tuple[list[str], bool]:
        """What there is to say of it, and whether nothing is left."""
        kind = change["kind"]
        if kind == covering.KIND:
            return covering.uncover(ledger, change)
        if kind == "spool":
            remarks = spooling.remove_spool(change["path"], is_purged=self._is_purged)
            self._keeps_records = bool(remarks)
            return remarks, not remarks
        if kind == "group":
            return spooling.remove_group(change, is_needed=self._keeps_records)
        undo = timer.remove if kind == "timer" else preloading.remove
        return undo(change), True

    def _remove_payload(self) -> list[Outcome]:
        foreign = payload.remove(self._layout)
        remove_root(self._layout)
        remarks = [f"`{self._layout.root}/{name}` is not gnomon's, and stays" for name in foreign]
        return [Outcome("payload", "removed", (self._layout.root, *remarks))]


def _subject(change: Change) -> str:
    """What a person calls it."""
    kind = str(change["kind"])
    if kind == covering.KIND:
        return str(change["library"])
    names = {"group": f"group {change.get('name')}", preloading.KIND: "strong mode"}
    return names.get(kind, kind)


def _details(change: Change) -> tuple[str, ...]:
    """Which files of the machine it is about, where its subject does not say that."""
    files = change.get("files") or ([change["path"]] if "path" in change else [])
    return tuple(map(str, files))
