"""One table: a request, and the records that it leaves, on every version of Python."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from pathlib import Path

import pytest

from servers import http_api
from watching import Kept, Record, armed, program

HTTP = "http://127.0.0.1:PORT"

# Each row: request, the first and last version that can make it, its records as (kind, detail, target, size,
# count). Where two servers are asked, PORT is the last one's and FIRST the first one's.
_Row = tuple[str, "str | None", str, "int | None", int]
TABLE: list[tuple[str, tuple[int, int], list[_Row]]] = [
    ("urllib_get", (9, 99), [("http", "GET", f"{HTTP}/a?b=c", None, 1)]),
    ("urllib_post", (9, 99), [("http", "POST", HTTP, 10, 1)]),
    ("urllib_repeats", (9, 99), [("http", "GET", f"{HTTP}/again", None, 10)]),
    (
        "urllib_redirect",
        (9, 99),
        [("http", "GET", f"{HTTP}/here", None, 1), ("http", "GET", "http://127.0.0.1:FIRST/there", None, 1)],
    ),
    ("urllib_proxy", (9, 99), [("http", "GET", "http://name.invalid/a", None, 1)]),
    ("urllib_tunnel", (10, 99), [("http", "GET", "https://name.invalid/a", None, 1)]),
    (
        "urllib_tunnel",
        (9, 9),  # where nothing tells that the tunnel is part of it
        [
            ("http", "CONNECT", "https://name.invalid", None, 1),
            ("http", "GET", "https://name.invalid/a", None, 1),
        ],
    ),
    ("urllib_file", (9, 99), []),
    (
        "urllib_refused_then_client",
        (10, 99),
        [("http", "GET", "http://127.0.0.1:1/a", None, 1), ("http", "GET", f"{HTTP}/a", None, 1)],
    ),
    # 3.9 raises no event: what is sent tells.
    ("client_get", (9, 99), [("http", "GET", f"{HTTP}/a?b=c", None, 1)]),
    ("client_other_host", (10, 99), [("http", "GET", f"{HTTP}/a", None, 1)]),
    ("client_repeats", (10, 99), [("http", "GET", f"{HTTP}/again", None, 10)]),
    (
        "client_post_of_a_request",
        (10, 99),
        [("http", "POST", f"{HTTP}/a", 30, 1), ("http", "GET", f"{HTTP}/b", None, 1)],
    ),
    ("client_post_file", (10, 99), [("http", "PUT", f"{HTTP}/a", 20000, 1)]),
    ("client_post_iterable", (10, 99), [("http", "PUT", f"{HTTP}/a", 10, 1)]),
    (
        "client_tunnel",
        (10, 99),
        [
            ("http", "CONNECT", "https://name.invalid:8443", None, 1),
            ("http", "GET", "https://name.invalid:8443/a", None, 1),
        ],
    ),
    ("client_encrypted", (10, 99), [("http", "GET", "https://127.0.0.1:PORT/a", None, 1)]),
    ("client_with_properties", (9, 99), [("http", "GET", f"{HTTP}/audited", None, 1)]),
    (
        "client_unknown",
        (9, 99),
        [
            ("http", "GET", "http://name.invalid:81/a", None, 1),
            ("http", "GET", "http://name.invalid/b", None, 1),
        ],
    ),
    (
        "smtp",
        (9, 99),
        [
            ("request", "CONNECT", "smtp://127.0.0.1:PORT", None, 1),
            ("request", "AUTH", "smtp://127.0.0.1:PORT", None, 1),
            ("request", "MAIL", "smtp://127.0.0.1:PORT", None, 1),
            ("request", "RCPT", "smtp://127.0.0.1:PORT", None, 2),
        ],
    ),
    ("smtp_connected_later", (9, 99), [("request", "CONNECT", "smtp://127.0.0.1:PORT", None, 1)]),
    (
        "ftp",
        (9, 99),
        [
            ("request", "CONNECT", "ftp://127.0.0.1:PORT", None, 1),
            ("request", "PASS", "ftp://127.0.0.1:PORT", None, 1),
            ("request", "DELE", "ftp://127.0.0.1:PORT/pub/a b.csv", None, 2),
            ("request", "CWD", "ftp://127.0.0.1:PORT/pub", None, 1),
        ],
    ),
    (
        "imap",
        (9, 99),
        [
            ("request", "CONNECT", "imap://127.0.0.1:PORT", None, 1),
            ("request", "LOGIN", "imap://127.0.0.1:PORT", None, 1),
            ("request", "SELECT", "imap://127.0.0.1:PORT", None, 1),
            ("request", "FETCH", "imap://127.0.0.1:PORT", None, 10),
        ],
    ),
    (
        "pop",
        (9, 99),
        [
            ("request", "CONNECT", "pop3://127.0.0.1:PORT", None, 1),
            ("request", "PASS", "pop3://127.0.0.1:PORT", None, 1),
            ("request", "RETR", "pop3://127.0.0.1:PORT", None, 2),
        ],
    ),
    (
        "nntp",
        (9, 12),
        [
            ("request", "CONNECT", "nntp://127.0.0.1:PORT", None, 1),
            ("request", "GROUP", "nntp://127.0.0.1:PORT", None, 1),
        ],
    ),
    ("telnet", (9, 12), [("request", "CONNECT", "telnet://127.0.0.1:PORT", None, 1)]),
    ("browser", (9, 99), [("request", "OPEN", "https://name.invalid/a", None, 1)]),
    ("datagrams", (9, 99), [("send", None, "127.0.0.1:PORT", None, 11)]),
    ("datagram_by_name", (9, 99), [("send", None, "localhost:PORT", None, 1)]),
    ("datagram_unix", (9, 99), [("send", None, "socket", None, 1)]),
    ("reverse", (9, 99), [("resolve", None, "name.invalid", None, 1)]),
]


def _minor(python: str) -> int:
    return int(Path(python).name.rpartition(".")[2])


def _told(records: Iterable[Record], folder: Path) -> list[tuple[object, ...]]:
    """Each line of the program that makes a request has a record of its own; here they count together."""
    counts: collections.Counter[tuple[object, ...]] = collections.Counter()
    for record in records:
        target = (record.target or "").replace(f"{folder}/", "")
        counts[record.kind, record.detail, target, record.size] += record.count
    return [(*told, count) for told, count in counts.items()]


@pytest.mark.parametrize("operation", dict.fromkeys(row[0] for row in TABLE))
def test_a_request_leaves_these_records(operation: str, python: str, spool: Path, tmp_path: Path) -> None:
    minor = _minor(python)
    rows = [row for name, (first, last), row in TABLE if name == operation and first <= minor <= last]
    if not rows:
        pytest.skip(f"CPython 3.{minor} has no such request, or no event for it")
    folder = tmp_path / "cwd"
    folder.mkdir()
    done = armed([python, program("requests_made.py"), operation], spool, cwd=folder).checked()
    ports = done.stdout.decode().split()
    kept = Kept(spool)
    wanted = ("http", "request", "send", "resolve") if operation == "reverse" else ("http", "request", "send")
    found = _told(kept.records(*wanted), folder)
    expected = [
        (kind, detail, target.replace("PORT", ports[-1]).replace("FIRST", ports[0]), size, count)
        for kind, detail, target, size, count in rows[0]
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert kept.faults() == []
    assert kept.lost() == {}
    stored = b"".join(path.read_bytes() for path in spool.iterdir())
    assert b"hunter2" not in stored


def test_a_request_names_its_host_and_port(a_python: str, spool: Path, tmp_path: Path) -> None:
    done = armed([a_python, program("requests_made.py"), "client_get"], spool, cwd=tmp_path).checked()
    (request,) = Kept(spool).records("http")
    (connect,) = Kept(spool).records("connect")
    assert (request.host, request.port) == ("127.0.0.1", int(done.stdout))
    assert request.port == connect.port


RAW = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
head = ["GET /a HTTP/1.1", "Connection: close", "Host: " + sys.argv[3], "", ""]
connection.sendall("\\r\\n".join(head).encode())
while connection.recv(1000):
    pass
"""


@pytest.mark.parametrize(
    ("asked", "said", "told"),
    [
        ("localhost", "intranet.corp", "localhost:PORT"),
        ("localhost", "LocalHost", "localhost"),
        ("localhost", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "intranet.corp", "intranet.corp"),
    ],
)
def test_a_request_goes_where_its_connection_does(
    asked: str, said: str, told: str, a_python: str, spool: Path
) -> None:
    with http_api() as (url, _):
        port = url.rpartition(":")[2]
        armed([a_python, "-c", RAW, asked, port, said], spool).checked()
    (record,) = Kept(spool).records("http")
    assert record.target == f"http://{told.replace('PORT', port)}/a"
