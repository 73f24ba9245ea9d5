"""What an analyst's script looks like: a spreadsheet in, a summary out, a figure sent to a service.

Everything happens on this machine: the service is a small HTTP server that the script starts itself.
"""

import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd


class Service(BaseHTTPRequestHandler):
    """Accepts a report and says thank you."""

    def do_POST(self) -> None:
        """Reads the report, keeps nothing."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"thank you")

    def log_message(self, *args: object) -> None:
        """Stays silent."""


def start_service() -> str:
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}/reports"


def send(url: str, figures: dict[str, float]) -> str:
    request = urllib.request.Request(url, data=json.dumps(figures).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="analyst-"))
    orders = pd.read_excel(Path(__file__).parent / "data" / "orders.xlsx", engine="openpyxl")
    totals = orders.groupby("region")["amount"].sum().round(2)
    totals.to_csv(folder / "totals.csv")

    reply = send(start_service(), totals.to_dict())
    lines = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; print(len(open(sys.argv[1]).readlines()))",
            folder / "totals.csv",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    print(f"{len(totals)} regions, {lines} lines in {folder / 'totals.csv'}, the service said: {reply}")


if __name__ == "__main__":
    main()
