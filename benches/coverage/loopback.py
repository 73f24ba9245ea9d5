"""The servers that the operations talk to, all on loopback."""

from __future__ import annotations

import contextlib
import http.server
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path


class _Files(http.server.BaseHTTPRequestHandler):
    """Gives the files of a folder, whole or in parts, and accepts whatever is sent."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    folder: Path

    def do_GET(self) -> None:
        found = self.folder / Path(self.path.partition("?")[0]).name
        if not found.is_file():
            self._answer(404, b"")
            return
        content = found.read_bytes()
        part = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if part is None:
            self._answer(200, content)
            return
        size = len(content)
        first = int(part[1]) if part[1] else max(0, size - int(part[2] or 0))
        last = min(int(part[2]), size - 1) if part[1] and part[2] else size - 1
        self._answer(206, content[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{size}"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(200, b"thank you")

    do_PUT = do_POST

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        known = {"Content-Length": str(len(body)), "Accept-Ranges": "bytes", "ETag": '"1"'}
        known["Last-Modified"] = "Wed, 01 Jan 2020 00:00:00 GMT"
        for name, value in {**known, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: who speaks no TLS, or hangs up, is part of what is measured."""


@contextlib.contextmanager
def files(folder: Path, *, certificate: Path | None = None, key: Path | None = None) -> Iterator[int]:
    """An HTTP server, with a certificate an HTTPS one; gives its port."""
    handler = type("Files", (_Files,), {"folder": folder})
    server = _Server(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def hangs_up() -> Iterator[int]:
    """A port that accepts whoever connects, and says no more; gives its number."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_hang_up, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _hang_up(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.accept()[0].close()
