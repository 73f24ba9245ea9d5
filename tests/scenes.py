"""Base tables filled by hand: what rules find is then known without recording it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gnomon.analysis import Analysis

MONDAY = datetime(2026, 11, 16, 10)
_FIRST = (
    "runs", "actors", "imports", "library_uses", "checked_rows", "contacts", "host_facts", "file_uses",
    "path_facts", "sensitive_reads", "flows", "verdicts", "acts", "silent_rows",
)  # fmt: skip
_RUN: Mapping[str, Any] = {
    "started_by": "shell", "user": "ann", "uid": 1000, "owner_uid": 1000, "is_forged": False,
    "machine": "desk-1", "machine_id": "m1", "executable": "/usr/bin/python3", "python": "3.13.0",
    "argv": ["python3", "a.py"], "directory": "/home/ann", "script_form": "file", "script_name": "a.py",
    "script_path": "/home/ann/a.py", "script_sha256": "00", "script_owner": "ann", "script_owner_uid": 1000,
    "hook_proven": True, "native": "on", "records": 1, "actor": 1, "status": 0, "is_start": True,
}  # fmt: skip


class Scene:
    """An analysis of an empty spool, with rows of one's own."""

    def __init__(self, directory: Path, **options: Any) -> None:
        spool = directory / "spool"
        spool.mkdir(mode=0o700, exist_ok=True)
        self.analysis = Analysis([spool], **{"reads_scripts": False, **options})
        self.analysis.ensure(_FIRST)
        self._runs = 0

    def add(self, table: str, **values: Any) -> None:
        """A row of a table."""
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" for _ in values)
        place = table if table.endswith("_rows") else f"base.{table}"
        self.analysis.connection.execute(
            f"insert into {place} ({names}) values ({marks})", list(values.values())
        )

    def run(self, script: str = "a", started: datetime = MONDAY, **more: Any) -> str:
        """A run of `script`; its id."""
        self._runs += 1
        process = f"p{self._runs:04}"
        row = {**_RUN, "script": script, "process": process, "started": started, "last_seen": started, **more}
        self.add("runs", **row)
        return process

    def days(self, count: int, script: str = "a", **more: Any) -> list[str]:
        """A run on each of `count` days, not at the same hour."""
        return [
            self.run(script, MONDAY + timedelta(days=day, hours=day % 5, minutes=7 * day), **more)
            for day in range(count)
        ]

    def contact(
        self, process: str, host: str, port: int = 443, *, at: datetime = MONDAY, **more: Any
    ) -> None:
        """A connection that was made. The host's facts are added by `host`."""
        row = {"connects": 1, "first_seen": at, "last_seen": at, "evidence": {"process": process, "seq": 7}}
        row.update(more)
        was_asked = bool(row.get("requests")) and not row.get("failed")
        row["is_reached"] = was_asked or any(row.get(sent) for sent in ("connects", "datagrams", "bytes_out"))
        self.add("contacts", process=process, host=host, port=port, **row)

    def host(self, host: str, port: int = 443, **facts: Any) -> None:
        """What is known of a host."""
        known = {"is_local": False, "is_internal": False, "is_ai": False, "port_protocol": "https"}
        self.add("host_facts", host=host, port=port, **{**known, **facts})

    def found(self, rule: str) -> list[dict[str, Any]]:
        """What the rule found."""
        return self.analysis.rows("select * from findings where rule = ?", [rule])

    def one(self, rule: str) -> dict[str, Any]:
        """The only finding of the rule."""
        (found,) = self.found(rule)
        return found
