"""How much went over connections and through files, and what connections are called."""

from __future__ import annotations

import json
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import gnomon
from obeying import policy, under
from servers import dns_server, halving_server
from watching import Kept, Record, armed, program

PROGRAM = program("moves_bytes.py")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with halving_server() as port:
        yield str(port)


@pytest.fixture
def refusing() -> Iterator[str]:
    """A port that nobody listens on, and that nobody else gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield str(bound.getsockname()[1])


def _moved(python: str, spool: Path, *argv: str) -> Kept:
    folder = spool.parent / "folder"
    folder.mkdir()
    armed([python, PROGRAM, *argv], spool, cwd=folder).checked()
    kept = Kept(spool)
    assert (kept.faults(), kept.lost()) == ([], {})
    return kept


def _volume(records: Iterator[Record] | list[Record]) -> tuple[int, int]:
    records = list(records)
    return sum(one.bytes_out or 0 for one in records), sum(one.bytes_in or 0 for one in records)


def _of_files(kept: Kept, *kinds: str) -> dict[str, tuple[int, int]]:
    names = {Path(one.target or "").name for one in kept.records(*kinds) if "/folder/" in (one.target or "")}
    return {
        name: _volume(one for one in kept.records(*kinds) if Path(one.target or "").name == name)
        for name in names
    }


def test_every_way_to_send_and_receive_is_counted(python: str, spool: Path, server: str) -> None:
    (record,) = _moved(python, spool, "sockets", server).records("connect")
    assert (record.outcome, record.source) == ("done", "audit+native")
    assert (record.bytes_out, record.bytes_in) == (1120, 560)


@pytest.mark.parametrize("way", ["streams", "uvloop"])
def test_a_loop_of_events_is_counted(way: str, spool: Path, server: str) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    (record,) = _moved(sys.executable, spool, way, server).records("connect")
    assert (record.outcome, record.bytes_out, record.bytes_in) == ("done", 5000, 2500)
    assert record.file == PROGRAM


@pytest.mark.parametrize("way", ["refused", "refused_streams", "refused_uvloop"])
def test_a_connection_that_fails_later_has_failed(way: str, spool: Path, refusing: str) -> None:
    if way == "refused_uvloop":
        pytest.importorskip("uvloop")
    (record,) = _moved(sys.executable, spool, way, refusing).records("connect")
    assert (record.outcome, record.failed, record.errno) == ("failed", 1, "ECONNREFUSED")


def test_every_way_to_read_and_write_is_counted(python: str, spool: Path) -> None:
    found = _of_files(_moved(python, spool, "files"), "open")
    assert found["buffered"][0] == 10_000
    assert 100 <= found["buffered"][1] <= 10_000  # as much as the buffer takes
    assert found["plain"] == (100 + 50 + 30 + 10 + 40 + 5, 10 + 20 + 30 + 7)


def test_a_number_that_is_used_again_counts_for_nobody(python: str, spool: Path) -> None:
    kept = _moved(python, spool, "reused")
    found = _of_files(kept, "open", "transfer")
    assert found == {**{f"file{number}": (7, 0) for number in range(4)}, "directory4": (0, 0)}


def test_a_child_before_its_exec_closes_only_its_own(python: str, spool: Path) -> None:
    found = _of_files(_moved(python, spool, "children"), "open", "transfer")
    assert found == {"file": (30, 0)}


def test_thousands_of_descriptors_are_counted(a_python: str, spool: Path) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 20_000:
        pytest.skip("fewer than 20,000 descriptors are allowed here")
    found = _of_files(_moved(a_python, spool, "many", "18000"), "open")
    assert found == {f"file{number}": (1800, 0) for number in range(10)}


def test_threads_that_close_take_nothing_from_others(a_python: str, spool: Path) -> None:
    found = _of_files(_moved(a_python, spool, "churn"), "open", "transfer")
    assert found == {f"file{number}": (1500, 0) for number in range(6)}


def test_what_was_opened_in_an_earlier_segment_goes_on_in_the_next(
    a_python: str, spool: Path, server: str
) -> None:
    kept = _moved(a_python, spool, "rotation", server, "30000")
    after = {one.target: one for one in kept.records("transfer")}
    connection, file = after[f"localhost:{server}"], after[str(spool.parent / "folder" / "file")]
    assert (connection.bytes_out, connection.bytes_in, file.bytes_out) == (2000, 1000, 2000)
    assert (connection.host, connection.address, connection.source) == ("localhost", "127.0.0.1", "native")
    assert _volume(kept.records("connect")) == (10, 0)
    assert _of_files(kept, "open")["file"] == (10, 0)


def test_what_a_parent_opened_counts_in_the_child(python: str, spool: Path, server: str) -> None:
    kept = _moved(python, spool, "fork", server)
    (parent,) = {one.process for one in kept.records("connect")}
    (child,) = {one.process for one in kept.records("transfer")}
    assert child != parent
    assert {one.target: one.bytes_out for one in kept.records("transfer")} == {
        f"localhost:{server}": 1000,
        str(spool.parent / "folder" / "file"): 2000,
    }
    assert _of_files(kept, "open")["file"] == (17, 0)
    told = json.loads(gnomon("show", spool, "--format", "json").checked().stdout)
    (contact,) = [one for one in told["contacts"] if one["port"] == int(server)]
    assert (contact["bytes_out"], contact["bytes_in"]) == (1000, 0)
    (file,) = [one for one in told["files"] if one["path"] == str(spool.parent / "folder" / "file")]
    assert file["bytes_written"] == 17 + 2000


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_library_that_speaks_dns_itself_tells_names(protocol: str, spool: Path) -> None:
    pytest.importorskip("pycares")
    with dns_server({"one.example": "127.0.0.11", "two.example": "127.0.0.12"}) as address:
        kept = _moved(sys.executable, spool, "look_up_by_cares", address, protocol)
    looked_up = list(kept.records("resolve"))
    assert [one.host for one in looked_up] == ["one.example", "two.example"]
    assert {one.distribution for one in looked_up} == {"pycares"}
    connected = {one.address: one.host for one in kept.records("connect", "send")}
    assert connected == {address: None, "127.0.0.11": "one.example", "127.0.0.12": "two.example"}


PLAIN = """
[[rule]]
id = "no-posts"
event = "http"
url = "*://*/post"
action = "deny"
"""


def test_a_denied_request_over_plain_http_is_not_sent(spool: Path, tmp_path: Path, server: str) -> None:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed: pip install --group libraries")
    assert httpx
    url = f"http://127.0.0.1:{server}/post"
    code = f"import httpx; httpx.post({url!r}, content=b'abc', trust_env=False)"
    done = under(policy(PLAIN, tmp_path), [sys.executable, "-c", code], spool)
    assert done.status == 1
    assert b"Error" in done.stderr.splitlines()[-1], done.stderr
    (record,) = [one for one in Kept(spool).records("http") if one.detail == "POST"]
    assert (record.outcome, record.target) == ("denied", url)
    assert [one.bytes_out for one in Kept(spool).records("connect")] == [None]
