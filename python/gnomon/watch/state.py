"""What is known of a spool that is watched. Knows no terminal; bounded, however long it goes on.

Every event is counted once, in the totals and in its process. What fits into no table counts as others.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .filter import Filter

if TYPE_CHECKING:
    from .. import Fault, LiveProcess, Look, Record

MAX_PROCESSES = 1000
MAX_HOSTS = 1000
MAX_HOSTS_OF_PROCESS = 20
MAX_RULES = 300
MAX_KINDS = 80
MAX_FAULTS = 20
NEWEST = 500
NEWEST_OF_KIND = 60
RATE_SECONDS = 4.0
HISTORY_SECONDS = 60
OTHERS = "(others)"
_BUCKET_SECONDS = 0.25


class Rate:
    """Events a second over the last few seconds."""

    __slots__ = ("_began", "_buckets")

    def __init__(self, now: float) -> None:
        self._began = now
        self._buckets: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """Notes that `count` came now."""
        if self._buckets and now - self._buckets[-1][0] < _BUCKET_SECONDS:
            began, before = self._buckets.pop()
            self._buckets.append((began, before + count))
        else:
            self._buckets.append((now, count))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0][0] < now - RATE_SECONDS - _BUCKET_SECONDS:
            self._buckets.popleft()

    def value(self, now: float) -> float:
        """How many came in a second."""
        ago = RATE_SECONDS + _BUCKET_SECONDS
        shares = ((began - now + ago) / _BUCKET_SECONDS for began, _ in self._buckets)
        total = sum(min(1.0, max(0.0, share)) * count for share, (_, count) in zip(shares, self._buckets))
        return total / max(0.5, min(RATE_SECONDS, now - self._began))

    def copy(self) -> Rate:
        """The same, which does not change with this one."""
        same = Rate(self._began)
        same._buckets = self._buckets.copy()
        return same


@dataclass
class Traffic:
    """What went to and from a host."""

    connections: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    def add(self, connections: int, bytes_out: int, bytes_in: int) -> None:
        """Adds to it."""
        self.connections += connections
        self.bytes_out += bytes_out
        self.bytes_in += bytes_in

    @property
    def weight(self) -> tuple[int, int]:
        """What is dropped first has the least."""
        return self.bytes_out + self.bytes_in, self.connections


Said = tuple[str, str, str]
"""A verdict, its rule, and its effect: empty, `stopped`, or `would` of an observed rule."""


@dataclass
class Spoken:
    """How often a rule said something, and when it did last."""

    events: int = 0
    last_time: int = 0

    def add(self, events: int, last_time: int) -> None:
        """Adds to it."""
        self.events += events
        self.last_time = max(self.last_time, last_time)

    @property
    def weight(self) -> tuple[int, int]:
        """What is dropped first has the least."""
        return self.last_time, self.events


@dataclass
class Watched:
    """A process, and what it did."""

    process: LiveProcess
    rate: Rate
    records: int = 0
    events: int = 0
    active: float = -math.inf
    kinds: Counter[str] = field(default_factory=Counter)
    verdicts: dict[Said, Spoken] = field(default_factory=dict)
    hosts: dict[str, Traffic] = field(default_factory=dict)

    @property
    def may_run(self) -> bool:
        """Whether it runs, or may do so elsewhere."""
        return self.process.ended is None and self.process.life != "gone"

    @property
    def is_elsewhere(self) -> bool:
        """Whether nothing here tells if it runs."""
        return self.may_run and self.process.life != "running"

    def copy(self) -> Watched:
        """The same, which does not change with this one."""
        return Watched(
            self.process,
            self.rate.copy(),
            self.records,
            self.events,
            self.active,
            self.kinds.copy(),
            {said: Spoken(it.events, it.last_time) for said, it in self.verdicts.items()},
            _copied(self.hosts),
        )


class Event:
    """A record to be shown, with the process that it is of."""

    __slots__ = ("_names", "key", "record")

    def __init__(self, key: int, record: Record) -> None:
        self.key = key
        self.record = record
        self._names: str | None = None

    @property
    def names(self) -> str:
        """Everything in it that has a name, in lower case."""
        if self._names is None:
            record = self.record
            found = (
                record.target,
                record.destination,
                record.requested,
                record.host,
                record.detail,
                record.rule,
                record.shadow_rule,
                *(record.argv or ()),
            )
            self._names = "\n".join(filter(None, found)).lower()
        return self._names


class Ring:
    """The newest of some sort, each record once."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._events: dict[tuple[int, int], Event] = {}

    def add(self, event: Event) -> None:
        """Keeps `event`, perhaps instead of what it was before, or of the oldest."""
        self._events[event.key, event.record.seq] = event
        if len(self._events) > 2 * self.capacity:
            newest = heapq.nlargest(
                self.capacity, self._events.items(), key=lambda item: item[1].record.last_time
            )
            self._events = dict(newest)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events.values())

    def __len__(self) -> int:
        return len(self._events)

    def copy(self) -> Ring:
        """The same, which does not change with this one."""
        same = Ring(self.capacity)
        same._events = self._events.copy()
        return same


class State:
    """All that is known. `feed` it with what came."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.records = 0
        self.events = 0
        self.kinds: Counter[str] = Counter()
        self.verdicts: dict[Said, Spoken] = {}
        self.hosts: dict[str, Traffic] = {}
        self.processes: dict[int, Watched] = {}
        self.others = 0
        """Processes that no longer have a row."""
        self.events_of_others = 0
        self.lost: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.fault_count = 0
        self.files = 0
        self.waiting = 0
        self.problem: str | None = None
        self.event_rate = Rate(now)
        self.record_rate = Rate(now)
        self.seconds: deque[int] = deque([0], maxlen=HISTORY_SECONDS)
        """Events in each of the last seconds."""
        self._second = int(now)
        self._all = Ring(NEWEST)
        self._wanted = Ring(NEWEST)
        self._kinds: dict[str, Ring] = {}
        self._spoken = Ring(NEWEST)
        self._filter = Filter()

    def feed(self, look: Look, now: float) -> bool:
        """Counts what came. Returns whether it was anything."""
        self.tick(now)
        self.problem = None
        self.files, self.waiting = look.files, look.waiting
        for process in look.processes:
            self._meet(process)
        for key, kind, records, events, is_history in look.counts:
            self._count(key, kind, records, events, is_history)
        for key, verdict, rule, effect, events, last_time in look.verdicts:
            self._say(key, (verdict, rule, effect), events, last_time)
        for key, host, *amounts in look.hosts:
            self._connect(key, host, *amounts)
        for key, record in look.newest:
            self._keep(Event(key, record))
        self._note_faults(look.faults)
        self._cap()
        return bool(look.processes or look.counts or look.newest or look.faults)

    def tick(self, now: float) -> None:
        """Goes on to `now`."""
        self.now = now
        for _ in range(min(int(now) - self._second, HISTORY_SECONDS)):
            self.seconds.append(0)
        self._second = max(self._second, int(now))

    def fail(self, problem: str, now: float) -> None:
        """Notes that the spool cannot be read now."""
        self.tick(now)
        self.problem = problem

    def ask(self, wanted: Filter) -> None:
        """From now on the newest are kept that `wanted` asks for, too."""
        self._filter = wanted
        self._wanted = Ring(NEWEST)

    def newest(self, wanted: Filter) -> list[Event]:
        """Those that `wanted` asks for, the newest first."""
        rings: Iterable[Ring] = [self._all]
        if wanted:
            rings = [self._all, self._wanted, self._spoken, *self._kinds.values()]
        found = {
            (event.key, event.record.seq): event
            for ring in rings
            for event in ring
            if not wanted or wanted.matches(event, self._process_of(event.key))
        }
        return heapq.nlargest(NEWEST, found.values(), key=lambda event: event.record.last_time)

    def copy(self) -> State:
        """The same, which does not change with this one: what a person looks at while it is paused."""
        same = State(self.now)
        same.__dict__.update(self.__dict__)
        same.kinds, same.lost = self.kinds.copy(), self.lost.copy()
        same.verdicts = {said: Spoken(it.events, it.last_time) for said, it in self.verdicts.items()}
        same.hosts = _copied(self.hosts)
        same.processes = {key: watched.copy() for key, watched in self.processes.items()}
        same.faults, same.seconds = self.faults.copy(), self.seconds.copy()
        same.event_rate, same.record_rate = self.event_rate.copy(), self.record_rate.copy()
        same._all, same._wanted, same._spoken = self._all.copy(), self._wanted.copy(), self._spoken.copy()
        same._kinds = {kind: ring.copy() for kind, ring in self._kinds.items()}
        return same

    def _process_of(self, key: int) -> LiveProcess | None:
        watched = self.processes.get(key)
        return watched.process if watched else None

    def _meet(self, process: LiveProcess) -> None:
        watched = self.processes.get(process.key)
        before = Counter(watched.process.lost if watched else {})
        self.lost.update(Counter(process.lost) - before)
        if watched:
            watched.process = process
        else:
            self.processes[process.key] = Watched(process, Rate(self.now))

    def _count(self, key: int, kind: str, records: int, events: int, is_history: bool) -> None:
        self.records += records
        self.events += events
        self.kinds[_slot(self.kinds, kind, MAX_KINDS)] += events
        watched = self.processes.get(key)
        if watched:
            watched.records += records
            watched.events += events
            watched.kinds[_slot(watched.kinds, kind, MAX_KINDS)] += events
        else:
            self.events_of_others += events
        if not is_history:
            self.event_rate.add(self.now, events)
            self.record_rate.add(self.now, records)
            self.seconds[-1] += events
            if watched:
                watched.rate.add(self.now, events)
                watched.active = self.now

    def _say(self, key: int, said: Said, events: int, last_time: int) -> None:
        self.verdicts.setdefault(said, Spoken()).add(events, last_time)
        watched = self.processes.get(key)
        if watched:
            watched.verdicts.setdefault(said, Spoken()).add(events, last_time)
            _fold(watched.verdicts, MAX_RULES // 10, ("", OTHERS, ""), Spoken)

    def _connect(self, key: int, host: str, connections: int, bytes_out: int, bytes_in: int) -> None:
        self.hosts.setdefault(host, Traffic()).add(connections, bytes_out, bytes_in)
        watched = self.processes.get(key)
        if watched:
            watched.hosts.setdefault(host, Traffic()).add(connections, bytes_out, bytes_in)
            _fold(watched.hosts, MAX_HOSTS_OF_PROCESS, OTHERS, Traffic)

    def _keep(self, event: Event) -> None:
        record = event.record
        self._all.add(event)
        if record.kind in self._kinds or len(self._kinds) < MAX_KINDS:
            self._kinds.setdefault(record.kind, Ring(NEWEST_OF_KIND)).add(event)
        if record.verdict not in (None, "allow") or record.shadow_verdict:
            self._spoken.add(event)
        if self._filter and self._filter.matches(event, self._process_of(event.key)):
            self._wanted.add(event)

    def _note_faults(self, faults: list[Fault]) -> None:
        bad = [fault for fault in faults if fault.severity != "torn"]
        self.fault_count += len(bad)
        self.faults = [*bad, *self.faults][:MAX_FAULTS]

    def _cap(self) -> None:
        _fold(self.hosts, MAX_HOSTS, OTHERS, Traffic)
        _fold(self.verdicts, MAX_RULES, ("", OTHERS, ""), Spoken)
        if len(self.processes) <= MAX_PROCESSES:
            return
        dropped = heapq.nsmallest(
            len(self.processes) - MAX_PROCESSES * 9 // 10,
            self.processes.values(),
            key=lambda watched: (watched.may_run, watched.active, watched.process.started),
        )
        for watched in dropped:
            self.others += 1
            self.events_of_others += watched.events
            del self.processes[watched.process.key]


def _slot(table: Counter[str], name: str, limit: int) -> str:
    return name if name in table or len(table) < limit else OTHERS


def _copied(hosts: dict[str, Traffic]) -> dict[str, Traffic]:
    return {name: Traffic(it.connections, it.bytes_out, it.bytes_in) for name, it in hosts.items()}


def _fold(table: dict, limit: int, others: object, make: type) -> None:  # type: ignore[type-arg]
    """Counts the lightest of a table that is too long as others, a tenth of them at a time."""
    if len(table) <= limit:
        return
    rest = table.pop(others, None) or make()
    for name in heapq.nsmallest(len(table) - limit * 9 // 10, table, key=lambda name: table[name].weight):
        lightest = table.pop(name)
        if isinstance(rest, Traffic):
            rest.add(lightest.connections, lightest.bytes_out, lightest.bytes_in)
        else:
            rest.add(lightest.events, lightest.last_time)
    table[others] = rest
