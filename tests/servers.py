"""Servers on loopback for the libraries' tests, each on a port that the system chose."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import http.server
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

_NOTHING: Mapping[str, str] = {}
_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-test",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Two sums."}}
    ],
}
_PIECE = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "gpt-test",
    "choices": [{"index": 0, "delta": {"content": "Two sums."}}],
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "content": [{"type": "text", "text": "Two sums."}],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
_LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}</Name><Prefix></Prefix>
<KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"""


class _Api(http.server.BaseHTTPRequestHandler):
    """Answers as a small API, as OpenAI, as Anthropic, and as S3, by the path."""

    protocol_version = "HTTP/1.1"
    # With two packets an answer waits for the acknowledgement of the first.
    wbufsize = -1
    objects: dict[str, bytes]
    seen: list[tuple[str, str]]

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # the standard library has answered
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        # Each chunk of AWS's own kind is `size[;signature]`, its bytes, and an empty line's end.
        data = b""
        while body:
            head, _, rest = body.partition(b"\r\n")
            size = int(head.split(b";")[0], 16)
            if not size:
                break
            data, body = data + rest[:size], rest[size + 2 :]
        return data

    def _answer(
        self,
        body: bytes,
        kind: str = "application/json",
        status: int = 200,
        more: Mapping[str, str] = _NOTHING,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _object(self, path: str, body: bytes) -> None:
        """S3: `/bucket/key`."""
        etag = {"ETag": '"0123456789abcdef0123456789abcdef"'}
        if self.command == "PUT":
            self.objects[path] = body
            self._answer(b"", "application/xml", more=etag)
        elif path.count("/") == 1 or path.endswith("/"):
            keys = [name.split("/", 2)[2] for name in sorted(self.objects) if name.startswith(path)]
            entries = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
            text = _LISTING.format(bucket=path.strip("/"), count=len(keys), entries=entries)
            self._answer(text.encode(), "application/xml")
        else:
            self._answer(self.objects[path], "binary/octet-stream", more=etag)

    def _any(self) -> None:
        self.seen.append((self.command, self.path))
        body = self._body()
        path, _, query = self.path.partition("?")
        if path == "/v1/chat/completions":
            if json.loads(body).get("stream"):
                text = f"data: {json.dumps(_PIECE)}\n\ndata: [DONE]\n\n"
                self._answer(text.encode(), "text/event-stream")
            else:
                self._answer(json.dumps(_CHAT).encode())
        elif path == "/v1/messages":
            self._answer(json.dumps(_MESSAGE).encode())
        elif path.startswith("/reports/") or (path == "/reports" and "list-type=2" in query):
            self._object(path, body)
        elif path == "/redirect":
            self._answer(b"", status=302, more={"Location": "/reports"})
        elif path == "/unavailable":
            self._answer(b"", status=503)
        elif path == "/rates.json":
            self._answer(b'[{"currency":"EUR","rate":1},{"currency":"USD","rate":0.5}]')
        else:
            self._answer(json.dumps({"path": self.path.partition("api_key")[0]}).encode())

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _any

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def http_api() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server of small APIs; gives its `http://localhost:port`, and what it is asked for as that comes."""
    seen: list[tuple[str, str]] = []
    handler = type("Api", (_Api,), {"objects": {}, "seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@functools.cache
def certificate() -> tuple[str, str]:
    """A certificate for this machine, which is its own authority: its file, and that of its key."""
    openssl = shutil.which("openssl") or pytest.skip("openssl, which makes a certificate, is not here")
    folder = tempfile.mkdtemp(prefix="gnomon-certificate-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    files = (f"{folder}/certificate.pem", f"{folder}/key.pem")
    names = "subjectAltName=DNS:localhost,DNS:one.example,IP:127.0.0.1"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", files[1], "-out", files[0], "-days", "30", "-subj", "/CN=gnomon", "-addext", names]
    subprocess.run(command, check=True, capture_output=True)
    return files


def _server_context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate())
    context.set_alpn_protocols(protocols)
    return context


@contextlib.contextmanager
def _serving(
    answer: Callable[[socket.socket], object], address: tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[int]:
    """A server that answers each connection in a thread; gives its port."""

    def one(connection: socket.socket) -> None:
        # A client may be gone, or may have been stopped within a request.
        with contextlib.suppress(OSError, ValueError), connection:
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(address) as listening:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@dataclass(frozen=True)
class Encrypted:
    """A server of HTTP inside TLS."""

    url: str
    #: The file of the certificate that vouches for it.
    authority: str
    #: What it is asked for, as that comes.
    seen: list[tuple[str, str]]


@contextlib.contextmanager
def https_api() -> Iterator[Encrypted]:
    """The server of small APIs, inside TLS, over HTTP/1.1."""
    seen: list[tuple[str, str]] = []
    handler = type("Api", (_Api,), {"objects": {}, "seen": seen})
    context = _server_context("http/1.1")

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as encrypted:
            handler(encrypted, None, None)

    with _serving(answer) as port:
        yield Encrypted(f"https://localhost:{port}", certificate()[0], seen)


@contextlib.contextmanager
def http2_api() -> Iterator[Encrypted]:
    """A server that answers whatever it is asked over HTTP/2."""
    h2 = pytest.importorskip("h2", reason="h2, which the server is made of, is not installed")
    for module in ("config", "connection", "events"):
        pytest.importorskip(f"h2.{module}")
    context = _server_context("h2")
    seen: list[tuple[str, str]] = []

    def answer(connection: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        protocol = h2.connection.H2Connection(config=config)
        protocol.initiate_connection()
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.sendall(protocol.data_to_send())
            while data := encrypted.recv(1 << 16):
                for event in protocol.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        asked = dict(event.headers)
                        seen.append((asked[":method"], asked[":path"]))
                    elif isinstance(event, h2.events.DataReceived):
                        protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        protocol.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
                encrypted.sendall(protocol.data_to_send())

    with _serving(answer) as port:
        yield Encrypted(f"https://localhost:{port}", certificate()[0], seen)


@contextlib.contextmanager
def connect_proxy() -> Iterator[str]:
    """A proxy for tunnels (CONNECT); gives its URL."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def answer(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        host, port = head.split()[1].decode().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as server:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, connection))
            back.start()
            pump(connection, server)
            back.join()

    with _serving(answer) as port:
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def halving_server() -> Iterator[int]:
    """A server that sends back half of what it receives; gives its port."""

    def answer(connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            connection.sendall(data[: len(data) // 2])

    with _serving(answer) as port:
        yield port


DNS_SERVER = "127.0.0.77"


def _dns_answer(query: bytes, names: Mapping[str, str]) -> bytes:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += length + 1
    (kind,) = struct.unpack_from(">H", query, at + 1)
    address = names.get(".".join(labels).lower())
    record = struct.pack(">HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address) if address else b""
    answers = int(kind == 1 and bool(record))
    head = query[:2] + struct.pack(">5H", 0x8180 if address else 0x8183, 1, answers, 0, 0)
    return head + query[12 : at + 5] + (record if answers else b"")


@contextlib.contextmanager
def dns_server(names: Mapping[str, str]) -> Iterator[str]:
    """A DNS server on port 53, over UDP and TCP, which knows the addresses of `names`; gives its own."""

    def over_tcp(connection: socket.socket) -> None:
        while head := connection.recv(2):
            answer = _dns_answer(connection.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL), names)
            connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def over_datagrams() -> None:
        while True:
            query, asker = datagrams.recvfrom(4096)
            if not query:
                return
            datagrams.sendto(_dns_answer(query, names), asker)

    with contextlib.ExitStack() as stack:
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            datagrams.bind((DNS_SERVER, 53))
            stack.enter_context(_serving(over_tcp, (DNS_SERVER, 53)))
        except OSError as reason:
            pytest.skip(f"port 53 of {DNS_SERVER} cannot be had: {reason.strerror}")
        thread = threading.Thread(target=over_datagrams)
        thread.start()
        try:
            yield DNS_SERVER
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", (DNS_SERVER, 53))
            thread.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextlib.contextmanager
def _child(argv: list[str], port: int) -> Iterator[None]:
    """A server as a program of its own, from when it answers to its end."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                assert server.poll() is None, f"{argv[0]} ended with {server.returncode}"
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
            yield
        finally:
            server.terminate()


@contextlib.contextmanager
def redis_server(password: str, folder: Path) -> Iterator[str]:
    """The `host:port` of a Redis: the system's, or what fakeredis makes of it."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        port = _free_port()
        argv = [found, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", password]
        with _child([*argv, "--save", "", "--dir", str(folder)], port):
            yield f"localhost:{port}"
        return
    fakeredis = pytest.importorskip("fakeredis", reason="neither redis-server nor fakeredis is here")
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        # Some versions take any password.
        server.fake_server.config[b"requirepass"] = password.encode()
        yield f"localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def mysql_server(user: str, password: str, folder: Path) -> Iterator[str]:
    """The `host:port` of a MySQL: the system's MariaDB, or what mysql-mimic makes of it."""
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found:
        with _mariadb(found, user, password, folder) as address:
            yield address
        return
    mimic = pytest.importorskip("mysql_mimic", reason="neither mariadbd nor mysql-mimic is here")

    class Users(mimic.IdentityProvider):  # type: ignore[misc, name-defined]
        def get_plugins(self) -> list[object]:
            return [mimic.NativePasswordAuthPlugin()]

        async def get_user(self, username: str) -> object:
            known = mimic.NativePasswordAuthPlugin.create_auth_string(password)
            return mimic.User(
                name=username,
                auth_string=known if username == user else None,
                auth_plugin=mimic.NativePasswordAuthPlugin.name,
            )

    class Rows(mimic.Session):  # type: ignore[misc, name-defined]
        async def query(self, expression: object, sql: str, attrs: object) -> object:
            return [(2,)], ["two"]

    ready = threading.Event()
    loop = asyncio.new_event_loop()
    server = mimic.MysqlServer(session_factory=Rows, identity_provider=Users())

    async def serve() -> None:
        await server.start_server(host="127.0.0.1", port=0)
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    task = loop.create_task(serve())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        ready.wait(60)
        yield f"localhost:{next(iter(server.sockets())).getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()


@contextlib.contextmanager
def _mariadb(found: str, user: str, password: str, folder: Path) -> Iterator[str]:
    data = folder / "mysql"
    base = Path(found).parent.parent
    first = folder / "first.sql"
    first.write_text(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';")
    port = _free_port()
    install = [
        str(base / "bin/mariadb-install-db"),
        "--no-defaults",
        f"--basedir={base}",
        f"--datadir={data}",
    ]
    subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True)
    argv = [found, "--no-defaults", f"--basedir={base}", f"--datadir={data}", f"--port={port}"]
    if os.geteuid() == 0:
        argv.append("--user=root")
    argv += ["--bind-address=127.0.0.1", f"--socket={folder}/mysql.socket", f"--init-file={first}"]
    with _child(argv, port):
        yield f"localhost:{port}"
