"""What a person wants to see of the newest events; the same in Rust, where it is asked of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .. import Live, LiveProcess
    from .state import Event

VERDICTS = ("", "any", "deny", "justify", "warn")
"""Everything, what policy spoke of, and each verdict."""


@dataclass(frozen=True)
class Filter:
    """What must hold of an event; empty and `None` hold of every one."""

    kind: str = ""
    verdict: str = ""
    text: str = ""
    process: int | None = None

    def __bool__(self) -> bool:
        return self != Filter()

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdicts that are asked for."""
        if self.verdict == "any":
            return ("deny", "justify", "warn")
        return (self.verdict,) if self.verdict else ()

    def matches(self, event: Event, process: LiveProcess | None) -> bool:
        """Whether `event` of `process` is asked for."""
        record = event.record
        return (
            (self.process is None or self.process == event.key)
            and (not self.kind or record.kind == self.kind)
            and (
                not self.verdict or record.verdict in self.verdicts or record.shadow_verdict in self.verdicts
            )
            and (not self.text or self.text.lower() in event.names or self.names(process))
        )

    def names(self, process: LiveProcess | None) -> bool:
        """Whether the text is in a name that the process has."""
        if process is None:
            return False
        names = (process.script or "", process.user, *process.argv)
        return not self.text or any(self.text.lower() in name.lower() for name in names)

    def ask(self, live: Live) -> None:
        """Makes `live` show what is asked for, however much else comes."""
        try:
            kinds = [self.kind] if self.kind else []
            live.ask(kinds=kinds, verdicts=self.verdicts, text=self.text, process=self.process)
        except ValueError:  # a kind that a newer gnomon wrote: what is on hand must do
            live.ask()
