"""What `gnomon watch` counts, keeps and draws, without a terminal: `state`, `view`, `keys`, `screen`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rich", reason="gnomon[report] is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.watch import state as states
from gnomon.watch.cells import fit, plain, safe, width_of
from gnomon.watch.filter import Filter
from gnomon.watch.keys import Keys
from gnomon.watch.screen import draw
from gnomon.watch.state import OTHERS, Rate, State
from gnomon.watch.view import PANES, View

HOSTILE = (
    "\x1b[2J\x1b]0;x\x07evil\n\r\t\u202egnp.py\u200d世界e\u0301\udcff\u2066 \U0001f469\u200d\U0001f4bb.py"
)


def record(**fields: Any) -> Any:
    """A record of which nothing is known but `fields`."""
    names = (
        "time last_time count process seq pid kind access target destination requested host port address argv"
    )
    names += (
        " detail size sha256 file line function distribution via object source outcome failed errno bytes_out"
    )
    names += " bytes_in verdict rule reason shadow_verdict shadow_rule child status owner_uid is_forged"
    found = dict.fromkeys(names.split())
    found.update(time=1, last_time=1, count=1, process="p", seq=1, pid=1, kind="open", is_forged=False)
    return SimpleNamespace(**{**found, **fields})


def process(key: int, **fields: Any) -> Any:
    """A process that runs."""
    found: dict[str, Any] = dict(
        key=key,
        id=str(key),
        role="python",
        pid=key,
        life="running",
        uid=0,
        user="ann",
        host="h",
        python="3.12.1",
        argv=[],
        script="/s/report.py",
        script_form="file",
        started=key,
        ended=None,
        status=None,
        lost={},
        owner_uid=0,
        is_forged=False,
    )
    return SimpleNamespace(**{**found, **fields})


def look(**fields: Any) -> Any:
    """What came: nothing but `fields`."""
    lists = dict(processes=[], counts=[], verdicts=[], hosts=[], newest=[], faults=[], files=1, waiting=0)
    return SimpleNamespace(**{**lists, **fields})


keys_of_processes = st.integers(0, 40)
amounts = st.integers(1, 1 << 40)
looks = st.builds(
    look,
    processes=st.lists(keys_of_processes.map(process), max_size=8),
    counts=st.lists(
        st.tuples(
            keys_of_processes, st.integers(0, 30).map("kind-{}".format), amounts, amounts, st.booleans()
        ),
        max_size=10,
    ),
    hosts=st.lists(
        st.tuples(keys_of_processes, st.integers(0, 60).map("host-{}".format), amounts, amounts, amounts),
        max_size=10,
    ),
    verdicts=st.lists(
        st.tuples(
            keys_of_processes,
            st.sampled_from(["deny", "warn"]),
            st.integers(0, 60).map(str),
            st.just(""),
            amounts,
            amounts,
        ),
        max_size=10,
    ),
    newest=st.lists(
        st.tuples(
            keys_of_processes, st.builds(record, seq=st.integers(0, 500), last_time=st.integers(0, 99))
        ),
        max_size=20,
    ),
)


@given(st.lists(looks, max_size=30))
@settings(max_examples=60, deadline=None)
def test_counts_are_exact_and_tables_stay_small(many: list[Any]) -> None:
    small = dict(MAX_PROCESSES=10, MAX_HOSTS=10, MAX_RULES=10, MAX_KINDS=10, NEWEST=20)
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in small.items():
            patch.setattr(states, name, limit)
        state = State(0.0)
        for moment, one in enumerate(many):
            state.feed(one, float(moment))
    events = sum(events for one in many for *_, events, _ in one.counts)
    assert state.events == events == sum(state.kinds.values())
    assert events == sum(it.events for it in state.processes.values()) + state.events_of_others
    assert state.records == sum(records for one in many for _, _, records, _, _ in one.counts)
    traffic = [sum(host[at] for one in many for host in one.hosts) for at in (2, 3, 4)]
    of_hosts = [(it.connections, it.bytes_out, it.bytes_in) for it in state.hosts.values()]
    assert traffic == [sum(numbers) for numbers in zip(*of_hosts)] if of_hosts else not any(traffic)
    said = sum(said[4] for one in many for said in one.verdicts)
    assert said == sum(spoken.events for spoken in state.verdicts.values())
    assert len(state.processes) <= 10 and len(state.hosts) <= 10 and len(state.verdicts) <= 10
    assert len(state.kinds) <= 11 and len(state.newest(Filter())) <= 40
    for watched in state.processes.values():
        assert watched.events == sum(watched.kinds.values())
    newest = state.newest(Filter())
    assert [event.record.last_time for event in newest] == sorted(
        (it.record.last_time for it in newest), reverse=True
    )


def test_memory_stays_bounded_over_hours() -> None:
    state = State(0.0)
    for hour in range(40):
        fresh = [process(hour * 100 + number) for number in range(100)]
        newest = [
            (it.key, record(seq=number, last_time=hour, kind=f"kind-{number}"))
            for number, it in enumerate(fresh)
        ]
        counts = [(it.key, f"kind-{hour}-{it.key}", 1, 1, False) for it in fresh]
        hosts = [(fresh[0].key, f"host-{hour}-{number}", 1, 1, 1) for number in range(100)]
        state.feed(look(processes=fresh, newest=newest, counts=counts, hosts=hosts), hour * 3600.0)
    assert len(state.processes) <= states.MAX_PROCESSES and state.others == 4000 - len(state.processes)
    assert len(state.hosts) <= states.MAX_HOSTS and len(state.kinds) <= states.MAX_KINDS + 1
    assert OTHERS in state.hosts and sum(it.connections for it in state.hosts.values()) == 4000
    assert len(state._kinds) <= states.MAX_KINDS and len(state.seconds) == states.HISTORY_SECONDS


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate(0.0)
    for tick in range(100):
        rate.add(tick / 10, 5)
    assert rate.value(9.9) == pytest.approx(50, rel=0.03)
    assert rate.value(12.0) == pytest.approx(25, rel=0.1)
    assert rate.value(60.0) == 0


def test_what_was_there_before_counts_but_is_no_rate() -> None:
    state = State(0.0)
    state.feed(look(processes=[process(1)], counts=[(1, "open", 10, 1000, True)]), 1.0)
    assert state.events == 1000 and state.event_rate.value(1.0) == 0
    state.feed(look(counts=[(1, "open", 1, 8, False)]), 2.0)
    assert state.events == 1008 and state.event_rate.value(2.0) == 4


def test_losses_are_totals_of_a_process_and_add_up_over_them() -> None:
    state = State(0.0)
    for lost in ({"no space": 2}, {"no space": 2}, {"no space": 5, "busy": 1}):
        state.feed(look(processes=[process(1, lost=lost), process(2, lost={"busy": 1})]), 0.0)
    assert state.lost == {"no space": 5, "busy": 2}


def test_a_repeat_replaces_what_was_shown() -> None:
    state = State(0.0)
    state.feed(look(newest=[(1, record(seq=7, count=1, last_time=1)), (1, record(seq=8, last_time=2))]), 0.0)
    state.feed(look(newest=[(1, record(seq=7, count=90, last_time=3))]), 0.1)
    assert [(event.record.seq, event.record.count) for event in state.newest(Filter())] == [(7, 90), (8, 1)]


def filled() -> State:
    """A state with something of everything."""
    state = State(100.0)
    names = ["report.py", HOSTILE, "世" * 200, "\u05e9\u05dc\u05d5\u05dd\u200f.py", ""]
    state.feed(
        look(
            processes=[process(key, script=name, user=HOSTILE) for key, name in enumerate(names)],
            counts=[(key, "open", 1, 10, False) for key in range(5)],
            verdicts=[(1, "deny", "finance/hr", "stopped", 3, 5), (1, "warn", HOSTILE, "would", 1, 6)],
            hosts=[(1, HOSTILE, 1, 2, 3), (2, "api.example.com", 4, 50, 60)],
            newest=[
                (
                    key,
                    record(
                        seq=key,
                        last_time=key,
                        target=HOSTILE * 3,
                        kind="open" if key else "spawn",
                        argv=[HOSTILE],
                    ),
                )
                for key in range(5)
            ]
            + [
                (
                    1,
                    record(
                        seq=9,
                        last_time=9,
                        verdict="deny",
                        rule="finance/hr",
                        outcome="denied",
                        target="/hr.csv",
                    ),
                ),
                (
                    1,
                    record(
                        seq=10, last_time=8, shadow_verdict="warn", shadow_rule="a/b", target="/other.csv"
                    ),
                ),
            ],
            faults=[
                SimpleNamespace(path="/spool/7", offset=0, kind="unreadable", severity="io", detail=HOSTILE)
            ],
        ),
        101.0,
    )
    return state


@pytest.mark.parametrize(
    "size", [(1, 1), (3, 2), (20, 5), (40, 10), (59, 17), (60, 18), (80, 24), (110, 22), (300, 100)]
)
def test_every_line_is_as_wide_as_the_screen_whatever_is_shown(size: tuple[int, int]) -> None:
    width, height = size
    state, view = filled(), View()
    presses = [
        "",
        *"1234",
        "enter",
        "escape",
        "2",
        "enter",
        "q",
        "?",
        "x",
        "k",
        "escape",
        "/",
        HOSTILE,
        "enter",
        " ",
        "v",
        "s",
    ]
    for press in presses:
        for key in [press] if len(press) < 10 and press else list(press):
            view.press(key, state)
        lines = draw(state, view, "/a/" + HOSTILE, width, height)
        assert len(lines) <= height
        for line in lines:
            text = plain(line)
            assert text.isprintable(), ascii(text)
            if width >= 20:
                assert width_of(text) == width, ascii(text)
        view.is_left = False


def test_verdicts_are_told_in_words_and_by_colour() -> None:
    lines = draw(filled(), View(pane="events"), "/spool", 120, 36)
    (denied,) = [line for line in lines if any("/hr.csv" in text for text, _ in line)]
    assert "deny finance/hr" in plain(denied) and "deny" in {style.split(" ")[0] for _, style in denied}
    (would,) = [line for line in lines if any("/other.csv" in text for text, _ in line)]
    assert "would warn a/b" in plain(would)
    text = "\n".join(map(plain, lines))
    assert "1 not readable: /spool/7" in text and "5 of 5 processes running" in text


def test_processes_elsewhere_are_not_said_to_run() -> None:
    state = State(100.0)
    lives = ["running", "unknown", "unknown", "gone"]
    ended = process(9, life="unknown", ended=10, status=0)
    state.feed(look(processes=[ended, *(process(key, life=life) for key, life in enumerate(lives))]), 100.0)
    text = "\n".join(map(plain, draw(state, View(), "/spool", 120, 36)))
    assert "1 of 5 processes running, 2 elsewhere" in text


def test_filters_choose_events_by_kind_verdict_text_and_process() -> None:
    state, view = filled(), View(pane="events")

    def shown() -> int:
        return len(view.rows("events", state))

    assert shown() == 7
    view.press("v", state)
    assert (view.wanted.verdict, shown()) == ("any", 2)
    view.press("v", state)
    assert (view.wanted.verdict, shown()) == ("deny", 1)
    view.press("escape", state)
    for key in ["k", "down", "enter"]:
        view.press(key, state)
    assert (view.wanted.kind, shown()) == ("open", 6)
    for key in ["escape", "/", *"HR.CSV", "enter"]:
        view.press(key, state)
    assert shown() == 1
    for key in ["escape", "1", "enter"]:
        view.press(key, state)
    assert view.wanted.process is not None and shown() < 7
    view.press("escape", state)
    assert not view.wanted and shown() == 7


def test_a_paused_view_stays_while_counting_goes_on() -> None:
    state, view = filled(), View(pane="events")
    view.press(" ", state)
    before = [plain(line) for line in draw(state, view, "/spool", 120, 36)[1:]]
    state.feed(look(counts=[(1, "open", 5, 5000, False)], newest=[(1, record(seq=99, last_time=99))]), 102.0)
    lines = [plain(line) for line in draw(state, view, "/spool", 120, 36)]
    assert lines[1:] == before and "paused: 5,000 events since" in lines[0]
    view.press(" ", state)
    assert "5,050 events" in "".join(plain(line) for line in draw(state, view, "/spool", 120, 36))


def test_panes_orders_and_rows_are_chosen_by_key() -> None:
    state, view = filled(), View()
    view.press("tab", state)
    assert view.pane == "events"
    view.press("shift-tab", state)
    for number, pane in enumerate(PANES, 1):
        view.press(str(number), state)
        assert view.pane == pane
        first = view.order(pane)
        view.press("s", state)
        assert view.order(pane) != first or pane == "events"
        for key in ("down", "page-down", "end", "up", "home", "page-up"):
            view.press(key, state)
    view.press("q", state)
    assert view.is_left


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"q"], ["q"]),
        ([b"\x1b[A\x1b[B\x1bOC\x1b[5~"], ["up", "down", "right", "page-up"]),
        ([b"\x1b", b"[", b"A"], ["up"]),
        ([b"\x1b"], ["escape"]),
        ([b"\x1b\x1b[A"], ["escape", "up"]),
        ([b"\xc3", b"\xa9"], ["é"]),
        ([b"\x1b[200~x\x1b[1;5A"], ["x"]),
        ([b"\x1bq"], []),
        (
            [b"\t\x1b[Z\r\n\x7f \x15\x00\x02"],
            ["tab", "shift-tab", "enter", "enter", "backspace", " ", "clear"],
        ),
        ([b"\x1b[" + b"1" * 100], ["escape", "[", *"1" * 100]),
    ],
)
def test_bytes_become_keys(pieces: list[bytes], expected: list[str]) -> None:
    keys = Keys()
    found = [key for piece in pieces for key in keys.feed(piece)] + keys.flush()
    assert found == expected


@given(st.lists(st.binary(max_size=20), max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_bytes_break_the_keyboard(pieces: list[bytes]) -> None:
    keys, view, state = Keys(), View(), State(0.0)
    for piece in pieces:
        for key in keys.feed(piece):
            view.press(key, state)
    for key in keys.flush():
        view.press(key, state)


@given(st.text(max_size=60), st.integers(0, 40), st.sampled_from(["left", "right", "end"]))
@settings(max_examples=200, deadline=None)
def test_text_fits_its_cells_exactly(text: str, width: int, align: str) -> None:
    shown = safe(text)
    assert shown.isprintable()
    assert width_of(fit(shown, width, align)) == width
