"""Services on this machine that stand in for those of the story, and note what reaches them.

What they note is the story's witness: it comes from the other end of each connection, and not from gnomon.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from . import story

# Needed once a name is looked up, when the directories of the standard library may be covered.
import encodings.idna  # isort: skip  # noqa: F401

_WORDS = "Dear customer, the invoice may have slipped your mind."
_CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": _WORDS}}]}
_ANSWERS: dict[str, Any] = {
    "/daily.json": {"EUR": 1, "USD": 1.09, "CHF": 0.94},
    "/v1/messages": {"content": [{"type": "text", "text": _WORDS}]},
    "/v1/chat/completions": _CHAT,
    "/api/generate": {"response": _WORDS, "done": True},
    "/api/churn": [["C0007", 0.81], ["C0042", 0.64]],
}
_FEED = b"item,price\noats,1.19\nrye,1.49\nspelt,2.09\n"


class Witness:
    """Writes down what arrived, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, **what: object) -> None:
        """One line more; whole, whichever thread writes it."""
        self._file.write(json.dumps(what) + "\n")


class _Http(BaseHTTPRequestHandler):
    witness: ClassVar[Witness]
    scheme: ClassVar[str]
    # With two packets an answer waits for the acknowledgement of the first.
    wbufsize = -1

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        host = self.headers.get("Host", "").partition(":")[0]
        path = self.path.partition("?")[0]
        self.witness.note(scheme=self.scheme, host=host, method=self.command, path=path, body=len(body))
        found = _ANSWERS.get(path, "thank you")
        content = _FEED if path == "/today.csv" else json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""


class _Tunnel(BaseHTTPRequestHandler):
    """A company's proxy, which leads whatever name to the services here."""

    plain: ClassVar[int]
    secure: ClassVar[int]

    def do_CONNECT(self) -> None:
        with socket.create_connection(("127.0.0.1", self.secure)) as server:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            back = threading.Thread(target=_pump, args=(server, self.connection), daemon=True)
            back.start()
            _pump(self.connection, server)
            back.join()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = "/" + self.path.split("/", 3)[3]
        head = [
            f"{self.command} {path} HTTP/1.0",
            *(f"{name}: {text}" for name, text in self.headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.plain)) as server:
            server.sendall("\r\n".join([*head, "", ""]).encode() + body)
            _pump(server, self.connection)

    do_GET = do_POST = do_PUT = _forward

    def log_message(self, format: str, *args: object) -> None:
        """Stays silent."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class _Mail(socketserver.StreamRequestHandler):
    witness: ClassVar[Witness]

    def handle(self) -> None:
        self._say("220 mail.meridian.example")
        for line in self.rfile:
            verb = line[:4].upper().decode()
            if verb == "DATA":
                self._say("354 go on")
                size = 0
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    size += len(line)
                self.witness.note(scheme="smtp", host="mail.meridian.example", method="DATA", body=size)
            self._say("221 bye" if verb == "QUIT" else "250 mail.meridian.example")
            if verb == "QUIT":
                break

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class _Ftp(_Mail):
    def handle(self) -> None:
        answers = {"USER": "331 password", "PASS": "230 welcome", "TYPE": "200 yes", "QUIT": "221 bye"}
        self._say("220 ftp.partner.example")
        with socket.create_server((self.connection.getsockname()[0], story.FTP_DATA_PORT)) as data:
            address, port = data.getsockname()
            where = ",".join([*address.split("."), str(port >> 8), str(port & 255)])
            for line in self.rfile:
                verb, _, name = line.decode().strip().partition(" ")
                if verb == "PASV":
                    self._say(f"227 ({where})")
                elif verb == "STOR":
                    self._say("150 go on")
                    connection, _ = data.accept()
                    with connection, connection.makefile("rb") as file:
                        size = len(file.read())
                    self.witness.note(
                        scheme="ftp", host="ftp.partner.example", method="STOR", path="/" + name, body=size
                    )
                    self._say("226 done")
                else:
                    self._say(answers.get(verb, "502 no"))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _serve(server: socketserver.BaseServer) -> None:
    threading.Thread(target=server.serve_forever, daemon=True).start()


def start(witness: Path, certificate: Path, *, is_private: bool) -> dict[str, int]:
    """Starts all of them in threads of this process, and returns their ports.

    Args:
        witness: The file that they note in.
        certificate: The file with their certificate and its key.
        is_private: They have the machine's addresses to themselves, and so their usual ports.
    """
    everywhere = "0.0.0.0" if is_private else "127.0.0.1"
    common = {"witness": Witness(witness)}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    ports = {}
    for scheme, port in (("http", 80), ("https", 443), ("ollama", 11434)):
        handler = type(scheme, (_Http,), {**common, "scheme": scheme})
        usual = port if is_private or scheme == "ollama" else 0
        try:
            server = _HttpServer(("127.0.0.1" if scheme == "ollama" else everywhere, usual), handler)
        except OSError:  # a real Ollama runs here
            continue
        if scheme == "https":
            # The handshake is made by the thread that answers, so that nobody has to wait for another's.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        ports[scheme] = server.server_address[1]
        _serve(server)
    if is_private:
        for scheme, port, kind in (("smtp", 25, _Mail), ("ftp", 21, _Ftp)):
            _serve(_Server((everywhere, port), type(scheme, (kind,), common)))
            ports[scheme] = port
    else:
        proxy = type("Proxy", (_Tunnel,), {"plain": ports["http"], "secure": ports["https"]})
        server = _HttpServer(("127.0.0.1", 0), proxy)
        ports["proxy"] = server.server_address[1]
        _serve(server)
    return ports
