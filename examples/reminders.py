"""A finance script of the kind that people write with an AI: it has reminders worded by an AI service.

Everything happens on this machine: the service is a small HTTP server that the script starts itself, and
speaks the protocol of the well-known ones.
"""

import csv
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

DATA = Path(__file__).parent / "data"


class Service(BaseHTTPRequestHandler):
    """Answers as a language model would."""

    def do_POST(self) -> None:
        """Says the same to everybody."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        message = {"role": "assistant", "content": "Kindly settle your invoice."}
        self.wfile.write(json.dumps({"choices": [{"message": message}]}).encode())

    def log_message(self, *args: object) -> None:
        """Stays silent."""


def ask(service: str, customer: dict[str, str]) -> str:
    question = {"model": "any", "messages": [{"role": "user", "content": f"Remind {customer}"}]}
    body = json.dumps(question).encode()
    request = urllib.request.Request(f"{service}/v1/chat/completions", data=body, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]["content"]


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    with open(DATA / "customers.csv", newline="") as file:
        customers = list(csv.DictReader(file))
    for customer in customers:
        print(f"{customer['customer']}: {ask(f'http://localhost:{server.server_port}', customer)}")

    try:
        with open(DATA / "hr" / "salaries.csv", newline="") as file:
            print(f"{sum(1 for _ in csv.DictReader(file))} colleagues to thank")
    except PermissionError as error:
        print(f"No thanks to colleagues this time: {error}")


if __name__ == "__main__":
    main()
