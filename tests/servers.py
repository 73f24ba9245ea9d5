"""Servers on loopback for the libraries' tests, each on a port that the system chose."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
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
