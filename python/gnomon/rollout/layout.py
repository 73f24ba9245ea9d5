"""The places of a managed machine. Nothing is read or made here."""

from __future__ import annotations

import os
from dataclasses import dataclass

ROOT = "/opt/gnomon"


@dataclass(frozen=True)
class Layout:
    """Where things are.

    Attributes:
        root: The payload's directory.
        config: What the machine's owner writes.
        spool: Where records go, unless the owner says otherwise.
        units: systemd's directory for units of the machine's owner.
        systemd: What is there where systemd runs.
        cron: The directory whose files cron reads.
        preload: What the dynamic linker loads into every program.
    """

    root: str = ROOT
    config: str = "/etc/gnomon/gnomon.toml"
    spool: str = "/var/spool/gnomon"
    units: str = "/etc/systemd/system"
    systemd: str = "/run/systemd/system"
    cron: str = "/etc/cron.d"
    preload: str = "/etc/ld.so.preload"

    @classmethod
    def at(cls, prefix: str | None = None) -> Layout:
        """The machine's layout; below another `prefix`, configuration and spool are in it too."""
        root = os.path.abspath(prefix or ROOT)
        if root == ROOT:
            return cls()
        return cls(root=root, config=f"{root}/gnomon.toml", spool=f"{root}/spool")

    @property
    def settings(self) -> str:
        """What every process reads when it is armed."""
        return f"{self.root}/settings"

    @property
    def ledger(self) -> str:
        """What was changed, and how it was before."""
        return f"{self.root}/installed.json"

    @property
    def versions(self) -> str:
        """The directory of payloads."""
        return f"{self.root}/versions"

    @property
    def current(self) -> str:
        """The link to the payload that is in use."""
        return f"{self.root}/current"

    @property
    def policies(self) -> str:
        """The directory of compiled policies."""
        return f"{self.root}/policies"
