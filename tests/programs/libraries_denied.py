"""Has native libraries read a protected file, or connect to a protected address: prints the errors."""

import asyncio
import json
import sys

LIBRARY, FOLDER, PORT = sys.argv[1:]
URL = f"http://127.0.0.1:{PORT}/"
TRIED = {}


def tried(act):
    TRIED[act.__name__] = act
    return act


@tried
def polars():
    import polars

    yield lambda: polars.read_csv(f"{FOLDER}/data.csv")
    yield lambda: polars.scan_csv(f"{FOLDER}/data.csv").collect()
    yield lambda: polars.scan_parquet(f"{FOLDER}/data.parquet").collect()
    yield lambda: polars.LazyFrame({"a": [1]}).sink_parquet(f"{FOLDER}/new.parquet")
    yield lambda: polars.DataFrame({"a": [1]}).write_csv(f"{FOLDER}/new.csv")


@tried
def pyarrow():
    import pyarrow
    import pyarrow.csv
    import pyarrow.fs
    import pyarrow.parquet

    yield lambda: pyarrow.csv.read_csv(f"{FOLDER}/data.csv")
    yield lambda: pyarrow.parquet.read_table(f"{FOLDER}/data.parquet")
    yield lambda: pyarrow.fs.LocalFileSystem().open_output_stream(f"{FOLDER}/new")
    yield lambda: pyarrow.fs.LocalFileSystem().delete_file(f"{FOLDER}/data.csv")


@tried
def duckdb():
    import duckdb

    yield lambda: duckdb.sql(f"select * from '{FOLDER}/data.csv'").fetchall()
    yield lambda: duckdb.connect(f"{FOLDER}/new.duckdb")
    yield lambda: duckdb.sql(f"copy (select 1) to '{FOLDER}/new.csv'")


@tried
def h5py():
    import h5py

    yield lambda: h5py.File(f"{FOLDER}/data.csv", "r")
    yield lambda: h5py.File(f"{FOLDER}/new.h5", "w")


@tried
def lxml():
    from lxml import etree

    yield lambda: etree.parse(f"{FOLDER}/data.xml")
    yield lambda: etree.ElementTree(etree.XML("<a/>")).write(f"{FOLDER}/new.xml")


@tried
def psycopg():
    import psycopg

    yield lambda: psycopg.connect(f"host=127.0.0.1 port={PORT} dbname=x user=y sslmode=disable")
    yield lambda: psycopg.connect("host=db.denied.example dbname=x user=y sslmode=disable")


@tried
def pycurl():
    import pycurl

    def get(url):
        request = pycurl.Curl()
        request.setopt(pycurl.URL, url)
        request.setopt(pycurl.NOSIGNAL, 1)
        request.perform()

    yield lambda: get(URL)
    yield lambda: get("http://db.denied.example/")
    yield lambda: get(f"file://{FOLDER}/data.csv")


@tried
def curl_cffi():
    from curl_cffi import requests

    yield lambda: requests.get(URL)
    yield lambda: requests.get("http://db.denied.example/")


@tried
def primp():
    import primp

    yield lambda: primp.Client().get(URL)


@tried
def grpc():
    import grpc

    def call(target):
        with grpc.insecure_channel(target) as channel:
            channel.unary_unary("/x/y")(b"", timeout=20, wait_for_ready=False)

    yield lambda: call(f"127.0.0.1:{PORT}")
    yield lambda: call(f"[::ffff:127.0.0.1]:{PORT}")


@tried
def uvloop():
    import uvloop

    def run(task):
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(task())
        finally:
            loop.close()

    yield lambda: run(lambda: asyncio.open_connection("127.0.0.1", int(PORT)))
    yield lambda: run(lambda: asyncio.open_connection("db.denied.example", 80))
    yield lambda: run(lambda: asyncio.create_subprocess_exec(f"{FOLDER}/tool"))


@tried
def zmq():
    import zmq

    yield lambda: zmq.Context().socket(zmq.PUSH).bind(f"ipc://{FOLDER}/new")


@tried
def requests():
    import requests

    yield lambda: requests.get(URL)
    yield lambda: requests.get("http://db.denied.example/")


@tried
def urllib3():
    import urllib3

    yield lambda: urllib3.PoolManager(retries=False).request("GET", URL)


@tried
def httpx():
    import httpx

    yield lambda: httpx.get(URL)
    yield lambda: httpx.get("http://db.denied.example/")


@tried
def aiohttp():
    import aiohttp

    async def get(url):
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status

    yield lambda: asyncio.run(get(URL))
    yield lambda: asyncio.run(get("http://db.denied.example/"))


@tried
def pandas():
    import pandas

    yield lambda: pandas.read_csv(f"{FOLDER}/data.csv")
    yield lambda: pandas.read_parquet(f"{FOLDER}/data.parquet")


@tried
def cffi():
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("int open(const char *path, int flags, ...);")

    def opened():
        if ffi.dlopen(None).open(f"{FOLDER}/data.csv".encode(), 0) < 0:
            raise OSError(ffi.errno, "refused")

    yield opened


def error_of(act):
    try:
        return f"done: {act()}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    print(json.dumps([error_of(act) for act in TRIED[LIBRARY]()]))
