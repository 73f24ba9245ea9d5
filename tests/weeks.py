"""A recording of the demonstration's week, and what it must hold; the golden one."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

import gnomon
from gnomon._native import Process, Record
from gnomon.catalog import Catalog
from gnomon.cli import main
from gnomon.findings import WorkingHours

_GOLDEN = Path(__file__).resolve().parent / "demo_week"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Week:
    """A recording, and what it must hold."""

    spool: Path
    beside: Path

    @cached_property
    def expected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.beside / "expected.json").read_text())
        return found

    @cached_property
    def processes(self) -> dict[str, Process]:
        found, faults = gnomon.Spool(self.spool).processes()
        assert faults == []
        return {process.id: process for process in found}

    @cached_property
    def records(self) -> list[Record]:
        records = gnomon.Spool(self.spool).records()
        found = list(records)
        assert records.faults == []
        return found

    def script(self, record: Record) -> str:
        """The story's name for the script of a record's process: its path there; empty for a command."""
        return self.story_path(self.processes[record.process].script_file or "")

    def when(self, time: int) -> str:
        """`Mon 09:30`, by the day of the week that the story has."""
        moment = datetime.fromtimestamp(time / 1e9, timezone.utc)
        monday = datetime.fromisoformat(self.expected["monday"]).replace(tzinfo=timezone.utc)
        return f"{_DAYS[(moment - monday).days]} {moment:%H:%M}"

    def knowledge(self, database: Path) -> dict[str, Any]:
        """What an analysis of it is given: the organisation's files, and its vulnerability database."""
        return {
            "catalog": Catalog.load([self.beside / "catalog.toml"], own=False),
            "leavers": self.beside / "leavers.csv",
            "suppressions": [self.beside / "suppressions.toml"],
            "vulnerabilities": database,
            "working_hours": WorkingHours(zone="UTC"),
        }

    def story_path(self, path: str) -> str:
        """A path as the story has it, also where the company had no file systems of its own."""
        return path.removeprefix(f"{self.beside}/files")


def osv(week: Week) -> Path:
    """The week's advisories as a database."""
    database = week.beside / "osv.sqlite"
    assert main(["osv", "import", "--output", str(database), str(week.beside / "osv")]) == 0
    return database


def golden(folder: Path) -> Week:
    """The golden one, unpacked into `folder`."""
    for name in ("spool", "beside"):
        (folder / name).mkdir(mode=0o700)
        with tarfile.open(_GOLDEN / f"{name}.tar.xz") as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder / name, filter="data")
            else:
                archive.extractall(folder / name)
    accepted = folder / "beside" / "suppressions.toml"
    until = (datetime.now(timezone.utc) + timedelta(days=90)).date()
    accepted.write_text(accepted.read_text().replace("2026-12-31", until.isoformat()))
    return Week(folder / "spool", folder / "beside")
