"""What clients of HTTP say inside TLS: each request is one record, and no secret of it is stored."""

from __future__ import annotations

import collections
import re
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from obeying import policy, under
from servers import Encrypted, connect_proxy, http2_api, https_api
from watching import Ended, Kept, armed, program

PROGRAM = program("speaks_tls.py")
SECRET = "Qz7W" + secrets.token_hex(12)
STANDARD = ["urllib_request", "http_client", "streams"]
# Client, the module that it needs, the distributions that may make the request, and its server.
LIBRARIES: list[tuple[str, str, set[str], Callable[[], AbstractContextManager[Encrypted]]]] = [
    ("requests", "requests", {"urllib3"}, https_api),
    ("urllib3", "urllib3", {"urllib3"}, https_api),
    ("httpx", "httpx", {"httpcore"}, https_api),
    ("httpx_http2", "httpx", {"httpcore"}, http2_api),
    ("httpx_async", "httpx", {"httpcore", "anyio"}, https_api),
    ("aiohttp", "aiohttp", {"aiohttp"}, https_api),
    ("pycurl", "pycurl", {"pycurl"}, https_api),
    ("pycurl", "pycurl", {"pycurl"}, http2_api),
]


@pytest.fixture(scope="module")
def api() -> Iterator[Encrypted]:
    with https_api() as server:
        yield server


def _speak(
    python: str, client: str, server: Encrypted, spool: Path, policies: str | None = None, proxy: str = ""
) -> Ended:
    argv = [python, PROGRAM, client, server.url, server.authority, proxy]
    if policies:
        return under(policies, argv, spool, SECRET=SECRET)
    return armed(argv, spool, SECRET=SECRET).checked()


def _requests(kept: Kept) -> collections.Counter[tuple[str | None, str | None, int | None]]:
    counted: collections.Counter[tuple[str | None, str | None, int | None]] = collections.Counter()
    for record in kept.records("http"):
        counted[record.detail, record.target, record.size] += record.count
    return counted


def _expected(server: Encrypted, times: int = 1) -> dict[tuple[str, str, int | None], int]:
    get = ("GET", f"{server.url}/get?api_key=***&page=2", None)
    return {
        get: times,
        ("POST", f"{server.url}/post", 300_000): times,
        ("PUT", f"{server.url}/put", None): times,
    }


def _is_stored(secret: str, spool: Path) -> bool:
    return any(secret.encode() in path.read_bytes() for path in spool.rglob("*") if path.is_file())


@pytest.mark.parametrize("client", STANDARD)
def test_the_standard_library_tells_each_request_once(
    client: str, python: str, spool: Path, api: Encrypted
) -> None:
    _speak(python, client, api, spool)
    kept = Kept(spool)
    assert _requests(kept) == _expected(api)
    assert {(one.file, one.host) for one in kept.records("http")} == {(PROGRAM, "localhost")}
    assert (kept.faults(), kept.lost(), _is_stored(SECRET, spool)) == ([], {}, False)


@pytest.mark.parametrize(
    ("client", "module", "distributions", "serve"),
    LIBRARIES,
    ids=[f"{one[0]}-{one[3].__name__}" for one in LIBRARIES],
)
def test_a_library_tells_each_request_once(
    client: str,
    module: str,
    distributions: set[str],
    serve: Callable[[], AbstractContextManager[Encrypted]],
    spool: Path,
) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed: pip install --group libraries")
    with serve() as server:
        _speak(sys.executable, client, server, spool)
    kept = Kept(spool)
    assert _requests(kept) == _expected(server)
    assert {one.distribution for one in kept.records("http")} <= distributions
    assert {one.file for one in kept.records("http")} == {PROGRAM}
    assert (kept.faults(), kept.lost(), _is_stored(SECRET, spool)) == ([], {}, False)


def test_threads_are_told_apart(a_python: str, spool: Path, api: Encrypted) -> None:
    _speak(a_python, "threads", api, spool)
    assert _requests(Kept(spool)) == _expected(api, 4)


def test_another_protocol_after_an_upgrade_is_not_listened_to(
    a_python: str, spool: Path, api: Encrypted
) -> None:
    _speak(a_python, "upgraded", api, spool)
    assert list(_requests(Kept(spool))) == [("GET", f"{api.url}/get?api_key=***&page=2", None)]


@pytest.mark.parametrize("client", ["urllib_request", "http_client"])
def test_a_tunnel_is_no_second_request(client: str, python: str, spool: Path, api: Encrypted) -> None:
    with connect_proxy() as proxy:
        _speak(python, client, api, spool, proxy=proxy)
    found = _requests(Kept(spool))
    tunnels = {key: found.pop(key) for key in list(found) if key[0] == "CONNECT"}
    assert found == _expected(api)
    if client == "http_client":
        assert tunnels == {("CONNECT", api.url, None): 1}
    else:
        # urllib asks for the page, and the tunnel is how; on 3.9 nothing tells that it belongs to that.
        assert tunnels == ({("CONNECT", api.url, None): 3} if "3.9" in python else {})


@pytest.mark.parametrize("client", ["requests", "httpx", "aiohttp", "pycurl"])
def test_a_library_goes_through_a_tunnel(client: str, spool: Path, api: Encrypted) -> None:
    pytest.importorskip(client, reason=f"{client} is not installed: pip install --group libraries")
    with connect_proxy() as proxy:
        _speak(sys.executable, client, api, spool, proxy=proxy)
    kept = Kept(spool)
    found = _requests(kept)
    tunnels = {key[1] for key in list(found) if key[0] == "CONNECT" and found.pop(key)}
    assert (found, tunnels) == (_expected(api), {api.url})
    # The proxy is not called as the server that it leads to.
    port = int(proxy.rpartition(":")[2])
    assert {one.host for one in kept.records("connect") if one.port == port} <= {None}


DENIED = """
[[rule]]
id = "no-posts"
event = "http"
url = "*://*/post"
action = "deny"
"""


@pytest.mark.parametrize("client", ["requests", "httpx", "httpx_async", "aiohttp", "pycurl"])
def test_a_denied_request_is_not_sent(client: str, spool: Path, tmp_path: Path, api: Encrypted) -> None:
    module = client.removesuffix("_async")
    pytest.importorskip(module, reason=f"{module} is not installed: pip install --group libraries")
    api.seen.clear()
    done = _speak(sys.executable, client, api, spool, policy(DENIED, tmp_path))
    assert ("POST", "/post") not in api.seen
    assert done.status == 1
    # At once: nobody waits for an answer.
    assert re.search(rb"(?i)error", done.stderr) and b"Timeout" not in done.stderr, done.stderr
    outcomes = {one.target: one.outcome for one in Kept(spool).records("http")}
    assert outcomes[f"{api.url}/post"] == "denied"
