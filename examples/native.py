"""What native libraries do: Parquet through polars and DuckDB, a database, a download, a child.

Python raises no audit event for nearly all of it. The database is the PostgreSQL that the PG… variables name;
the web server is the script's own. To start both: `python tests/postgres.py gnomon run examples/native.py`.
"""

import multiprocessing
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import polars
import psycopg
import pycurl

ORDERS = Path(__file__).resolve().parent / "data" / "orders.parquet"


class Files(SimpleHTTPRequestHandler):
    """Gives files, and says nothing."""

    def log_message(self, *args: object) -> None:
        """Stays silent."""


def start_server(folder: Path) -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}"


def total() -> float:
    return polars.scan_parquet(ORDERS).select(polars.col("amount").sum()).collect().item()


def write_regions(path: Path) -> None:
    regions = duckdb.sql(
        f"select region, sum(amount) as amount from '{ORDERS}' group by region order by region"
    )
    regions.write_csv(str(path))


def budget() -> float:
    with psycopg.connect() as connection:
        row = connection.execute("select 1000000.0::float8").fetchone()
    return row[0] if row else 0.0


def download(url: str, path: Path) -> int:
    curl = pycurl.Curl()
    with path.open("wb") as file:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.WRITEDATA, file)
        curl.perform()
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    curl.close()
    return status


def count_lines(path: Path) -> None:
    print(f"{len(path.read_text().splitlines())} lines in {path}", flush=True)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="native-"))
    write_regions(folder / "regions.csv")
    status = download(f"{start_server(folder)}/regions.csv", folder / "downloaded.csv")
    print(f"{total() / budget():.0%} of the budget, the server said {status}", flush=True)
    child = multiprocessing.get_context("spawn").Process(
        target=count_lines, args=(folder / "downloaded.csv",)
    )
    child.start()
    child.join()


if __name__ == "__main__":
    main()
