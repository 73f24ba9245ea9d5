"""What a person chose to see: pane, filter, order, selection. Keys in, choices out; knows no terminal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .filter import VERDICTS, Filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import Event, Said, Spoken, State, Traffic, Watched

PANES = ("processes", "events", "verdicts", "hosts")
ORDERS = {
    "processes": ("activity", "events", "start", "name"),
    "events": ("newest",),
    "verdicts": ("strictness", "count", "newest"),
    "hosts": ("bytes", "connections", "name"),
}
MAX_PROMPT = 200
_STRICTNESS = {"deny": 0, "justify": 1, "warn": 2}
_PAGE = 10


@dataclass
class Chooser:
    """A list to choose from: values, and the words for them."""

    title: str
    options: list[tuple[str, str]]
    index: int = 0


@dataclass
class View:
    """What is chosen. `press` changes it."""

    pane: str = "processes"
    wanted: Filter = field(default_factory=Filter)
    orders: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PANES, 0))
    chosen: dict[str, object] = field(default_factory=dict)
    """The selected row of each pane, by what it is about; where none is, the first."""
    paused: State | None = None
    """What is looked at while everything goes on."""
    prompt: str | None = None
    """The text that is being typed."""
    chooser: Chooser | None = None
    is_help_shown: bool = False
    shown_event: Event | None = None
    is_left: bool = False

    def order(self, pane: str) -> str:
        """By what a pane is sorted."""
        return ORDERS[pane][self.orders[pane]]

    def press(self, key: str, state: State) -> None:
        """Does what `key` stands for."""
        if self.prompt is not None:
            self._type(key)
        elif self.chooser:
            self._choose(key)
        elif self.is_help_shown or self.shown_event:
            self.is_help_shown, self.shown_event = False, None
            self.is_left = key == "q"
        elif key in _ACTIONS:
            _ACTIONS[key](self, state)
        elif key in ("1", "2", "3", "4"):
            self.pane = PANES[int(key) - 1]
        elif key in _STEPS:
            self._move(_STEPS[key], state)

    def rows(self, pane: str, state: State) -> list[tuple[object, object]]:
        """What a pane lists: what each row is about, and what is known of it."""
        state = self.paused or state
        if pane == "processes":
            return [(watched.process.key, watched) for watched in self._processes(state)]
        if pane == "events":
            return [((event.key, event.record.seq), event) for event in state.newest(self.wanted)]
        if pane == "verdicts":
            return list(self._verdicts(state))
        return list(self._hosts(state))

    def position(self, pane: str, rows: list[tuple[object, object]]) -> int:
        """Which of the rows is selected."""
        wanted = self.chosen.get(pane)
        return next((index for index, (about, _) in enumerate(rows) if about == wanted), 0)

    def _processes(self, state: State) -> list[Watched]:
        order = self.order("processes")
        now = state.now

        def weight(watched: Watched) -> tuple[object, ...]:
            process = watched.process
            if order == "events":
                return (-watched.events, -process.started)
            if order == "start":
                return (-process.started,)
            if order == "name":
                return (process.script or "", -process.started)
            # By the power of two: rows that are as busy as each other do not change places all the time.
            return (not watched.may_run, -int(watched.rate.value(now)).bit_length(), -process.started)

        found = [watched for key, watched in state.processes.items() if self.wanted.process in (None, key)]
        if self.wanted.text:
            having = {event.key for event in state.newest(self.wanted)}
            names = self.wanted.names
            found = [it for it in found if it.process.key in having or names(it.process)]
        return sorted(found, key=weight)

    def _verdicts(self, state: State) -> list[tuple[Said, Spoken]]:
        watched = state.processes.get(self.wanted.process) if self.wanted.process is not None else None
        table = watched.verdicts if watched else {} if self.wanted.process is not None else state.verdicts
        order = self.order("verdicts")
        found = [
            (said, spoken)
            for said, spoken in table.items()
            if not self.wanted.verdict or said[0] in self.wanted.verdicts
        ]
        if order == "newest":
            return sorted(found, key=lambda row: -row[1].last_time)
        if order == "count":
            return sorted(found, key=lambda row: -row[1].events)
        return sorted(
            found, key=lambda row: (row[0][2] == "would", _STRICTNESS.get(row[0][0], 9), -row[1].events)
        )

    def _hosts(self, state: State) -> list[tuple[str, Traffic]]:
        watched = state.processes.get(self.wanted.process) if self.wanted.process is not None else None
        table = watched.hosts if watched else {} if self.wanted.process is not None else state.hosts
        order = self.order("hosts")
        if order == "name":
            return sorted(table.items())
        if order == "connections":
            return sorted(table.items(), key=lambda row: (-row[1].connections, row[0]))
        return sorted(
            table.items(), key=lambda row: (-row[1].bytes_out - row[1].bytes_in, -row[1].connections)
        )

    def _type(self, key: str) -> None:
        if key == "escape":
            self.prompt = None
        elif key == "enter":
            self.wanted, self.prompt = replace(self.wanted, text=self.prompt or ""), None
        elif key == "backspace":
            self.prompt = (self.prompt or "")[:-1]
        elif key == "clear":
            self.prompt = ""
        elif len(key) == 1 and len(self.prompt or "") < MAX_PROMPT:
            self.prompt = (self.prompt or "") + key

    def _choose(self, key: str) -> None:
        chooser = self.chooser
        if chooser is None:
            return
        if key in _STEPS:
            last = len(chooser.options) - 1
            chooser.index = max(0, min(last, chooser.index + _STEPS[key]))
        elif key == "enter":
            self.wanted = replace(self.wanted, kind=chooser.options[chooser.index][0])
            self.chooser = None
        elif key in ("escape", "q", "k"):
            self.chooser = None

    def _move(self, step: int, state: State) -> None:
        rows = self.rows(self.pane, state)
        if rows:
            position = max(0, min(len(rows) - 1, self.position(self.pane, rows) + step))
            self.chosen[self.pane] = rows[position][0]
            if position == 0:
                del self.chosen[self.pane]  # the first, whatever comes to be that

    def _open(self, state: State) -> None:
        """Shows only what the selected row is about; of an event, everything."""
        rows = self.rows(self.pane, state)
        if not rows:
            return
        about, known = rows[self.position(self.pane, rows)]
        if self.pane == "processes":
            key = about if isinstance(about, int) else None
            self.wanted = replace(self.wanted, process=None if self.wanted.process == key else key)
        elif self.pane == "events":
            self.shown_event = known  # type: ignore[assignment]
        elif self.pane == "verdicts" and isinstance(about, tuple):
            self.wanted = replace(self.wanted, verdict=about[0], text=about[1])
        elif self.pane == "hosts":
            self.wanted = replace(self.wanted, text=str(about))

    def _pick_kind(self, state: State) -> None:
        counted = (self.paused or state).kinds.most_common()
        options = [("", "every kind"), *((kind, f"{kind}  {count:,}") for kind, count in counted)]
        index = next((at for at, (kind, _) in enumerate(options) if kind == self.wanted.kind), 0)
        self.chooser = Chooser("Which kind of event?", options, index)

    def _back(self, _: State) -> None:
        if self.wanted.process is not None:
            self.wanted = replace(self.wanted, process=None)
        else:
            self.wanted = Filter()

    def _pause(self, state: State) -> None:
        self.paused = None if self.paused else state.copy()

    def _next_verdict(self, _: State) -> None:
        index = VERDICTS.index(self.wanted.verdict)
        self.wanted = replace(self.wanted, verdict=VERDICTS[(index + 1) % len(VERDICTS)])

    def _next_order(self, _: State) -> None:
        self.orders[self.pane] = (self.orders[self.pane] + 1) % len(ORDERS[self.pane])

    def _next_pane(self, step: int) -> None:
        self.pane = PANES[(PANES.index(self.pane) + step) % len(PANES)]

    def _search(self, _: State) -> None:
        self.prompt = self.wanted.text

    def _help(self, _: State) -> None:
        self.is_help_shown = True

    def _leave(self, _: State) -> None:
        self.is_left = True


_STEPS = {
    "up": -1,
    "down": 1,
    "page-up": -_PAGE,
    "page-down": _PAGE,
    "home": -1_000_000,
    "end": 1_000_000,
}
_ACTIONS: dict[str, Callable[[View, State], None]] = {
    " ": View._pause,
    "/": View._search,
    "?": View._help,
    "enter": View._open,
    "escape": View._back,
    "k": View._pick_kind,
    "q": View._leave,
    "s": View._next_order,
    "tab": lambda view, _: view._next_pane(1),
    "shift-tab": lambda view, _: view._next_pane(-1),
    "v": View._next_verdict,
}
