"""What is measured: what each library is asked to do, on files below a place and servers on loopback.

Each is a generator: imports and preparation are before its `yield`, the operation is after it.
"""

# mypy: ignore-errors

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

#: Failing is part of what a client does whose server hangs up; what it tried is what counts.
ANY_ERROR = contextlib.suppress(Exception)


@dataclass(frozen=True)
class Operation:
    """One row of the table."""

    library: str
    title: str
    run: Callable[[Any], Iterator[None]]
    #: Names by which the receipt may flag the library.
    modules: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.run.__name__


OPERATIONS: dict[str, Operation] = {}


def operation(library: str, title: str, *modules: str) -> Callable[[Any], Any]:
    def add(run: Callable[[Any], Iterator[None]]) -> Callable[[Any], Iterator[None]]:
        assert run.__name__ not in OPERATIONS
        names = modules or (library.replace("-", "_"),)
        OPERATIONS[run.__name__] = Operation(library, title, run, names)
        return run

    return add


# Tables


@operation("polars", "read_csv")
def polars_read_csv(place):
    import polars

    yield
    polars.read_csv(place / "orders.csv")


@operation("polars", "read_parquet")
def polars_read_parquet(place):
    import polars

    yield
    polars.read_parquet(place / "orders.parquet")


@operation("polars", "scan_parquet, filter, collect")
def polars_scan_parquet(place):
    import polars

    yield
    polars.scan_parquet(place / "orders.parquet").filter(polars.col("amount") > 4).collect()


@operation("polars", "read_ipc")
def polars_read_ipc(place):
    import polars

    yield
    polars.read_ipc(place / "orders.arrow")


@operation("polars", "scan_ndjson")
def polars_scan_ndjson(place):
    import polars

    yield
    polars.scan_ndjson(place / "orders.ndjson").collect()


@operation("polars", "write_parquet, write_csv, write_ipc")
def polars_write(place):
    import polars

    table = polars.DataFrame({"a": [1, 2]})
    yield
    table.write_parquet(place / "new.parquet")
    table.write_csv(place / "new.csv")
    table.write_ipc(place / "new.arrow")


@operation("polars", "sink_parquet")
def polars_sink(place):
    import polars

    yield
    polars.scan_csv(place / "orders.csv").sink_parquet(place / "sunk.parquet")


@operation("polars", "scan_parquet over HTTP")
def polars_http(place):
    import polars

    yield
    with ANY_ERROR:
        polars.scan_parquet(f"{place.http}/orders.parquet").collect()


@operation("pyarrow", "parquet.read_table")
def pyarrow_parquet(place):
    import pyarrow.parquet

    yield
    pyarrow.parquet.read_table(place / "orders.parquet")


@operation("pyarrow", "parquet.write_table")
def pyarrow_write_parquet(place):
    import pyarrow.parquet

    table = pyarrow.table({"a": [1]})
    yield
    pyarrow.parquet.write_table(table, place / "new.parquet")


@operation("pyarrow", "csv.read_csv")
def pyarrow_csv(place):
    import pyarrow.csv

    yield
    pyarrow.csv.read_csv(place / "orders.csv")


@operation("pyarrow", "dataset of a partitioned folder")
def pyarrow_dataset(place):
    import pyarrow.dataset

    yield
    pyarrow.dataset.dataset(place / "parts", partitioning=["region"]).to_table()


@operation("pyarrow", "memory_map, OSFile")
def pyarrow_files(place):
    import pyarrow

    yield
    pyarrow.memory_map(str(place / "orders.arrow")).close()
    pyarrow.OSFile(str(place / "new.bin"), "w").close()


@operation("pyarrow", "LocalFileSystem: create, move, delete")
def pyarrow_file_system(place):
    import pyarrow.fs

    files = pyarrow.fs.LocalFileSystem()
    yield
    files.create_dir(str(place / "made"))
    files.copy_file(str(place / "note.txt"), str(place / "made" / "copied.txt"))
    files.move(str(place / "made" / "copied.txt"), str(place / "made" / "moved.txt"))
    files.delete_file(str(place / "made" / "moved.txt"))
    files.delete_dir(str(place / "made"))


@operation("pyarrow", "S3 at an endpoint")
def pyarrow_s3(place):
    import pyarrow.fs

    files = pyarrow.fs.S3FileSystem(
        access_key="a",
        secret_key="b",
        endpoint_override=place.http.partition("//")[2],
        scheme="http",
        region="eu-north-1",
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    yield
    with ANY_ERROR:
        files.get_file_info("bucket/orders.parquet")


@operation("pyarrow", "Flight client")
def pyarrow_flight(place):
    import pyarrow.flight

    yield
    with ANY_ERROR:
        client = pyarrow.flight.connect(f"grpc://127.0.0.1:{place.closing}")
        list(client.list_flights(options=pyarrow.flight.FlightCallOptions(timeout=3)))


@operation("duckdb", "select from CSV")
def duckdb_csv(place):
    import duckdb

    connection = duckdb.connect()
    yield
    connection.sql("select * from 'orders.csv'").fetchall()


@operation("duckdb", "select from Parquet")
def duckdb_parquet(place):
    import duckdb

    connection = duckdb.connect()
    yield
    connection.sql("select sum(amount) from 'orders.parquet'").fetchall()


@operation("duckdb", "glob over a partitioned folder")
def duckdb_glob(place):
    import duckdb

    connection = duckdb.connect()
    yield
    connection.sql("select * from 'parts/*/*.parquet'").fetchall()


@operation("duckdb", "COPY to CSV and Parquet")
def duckdb_copy(place):
    import duckdb

    connection = duckdb.connect()
    yield
    connection.execute("copy (select 1 as a) to 'copied.csv'")
    connection.execute("copy (select 1 as a) to 'copied.parquet'")


@operation("duckdb", "connect to a database file, insert")
def duckdb_database(place):
    import duckdb

    yield
    connection = duckdb.connect(str(place / "shop.duckdb"))
    connection.execute("insert into t values (2)")
    connection.close()


@operation("duckdb", "ATTACH")
def duckdb_attach(place):
    import duckdb

    connection = duckdb.connect()
    yield
    connection.execute("attach 'shop.duckdb' as shop (read_only)")
    connection.execute("attach 'made.duckdb' as made")


@operation("pandas", "read_csv, to_csv")
def pandas_csv(place):
    import pandas

    yield
    pandas.read_csv(place / "orders.csv").to_csv(place / "new.csv")


@operation("pandas", "read_parquet", "pyarrow", "pandas")
def pandas_parquet(place):
    import pandas
    import pyarrow.parquet

    yield
    pandas.read_parquet(place / "orders.parquet")


@operation("pandas", "read_excel (openpyxl)")
def pandas_excel(place):
    import openpyxl
    import pandas

    yield
    pandas.read_excel(place / "orders.xlsx")


@operation("openpyxl", "load and save a workbook")
def openpyxl_both(place):
    import openpyxl

    yield
    openpyxl.load_workbook(place / "orders.xlsx").save(place / "new.xlsx")


@operation("python-calamine", "read a workbook")
def calamine_read(place):
    import python_calamine

    yield
    python_calamine.CalamineWorkbook.from_path(str(place / "orders.xlsx")).get_sheet_by_index(0).to_python()


@operation("deltalake", "read a table")
def deltalake_read(place):
    import deltalake

    yield
    deltalake.DeltaTable(str(place / "delta")).to_pyarrow_table()


@operation("deltalake", "append to a table")
def deltalake_append(place):
    import deltalake
    import pyarrow

    rows = pyarrow.table({"region": ["west"], "amount": [1.0]})
    yield
    deltalake.write_deltalake(str(place / "delta"), rows, mode="append")


# Arrays, documents, models


@operation("numpy", "load, save, memmap")
def numpy_files(place):
    import numpy

    yield
    numpy.save(place / "new.npy", numpy.load(place / "figures.npy"))
    numpy.memmap(place / "raw.bin", dtype="u1", mode="w+", shape=8)


@operation("h5py", "read a file")
def h5py_read(place):
    import h5py

    yield
    with h5py.File(place / "figures.h5") as file:
        file["figures"][:]


@operation("h5py", "write a file")
def h5py_write(place):
    import h5py

    yield
    with h5py.File(place / "new.h5", "w") as file:
        file["a"] = [1, 2]


@operation("netCDF4", "read a dataset")
def netcdf_read(place):
    import netCDF4

    yield
    netCDF4.Dataset(place / "figures.nc").close()


@operation("netCDF4", "write a dataset")
def netcdf_write(place):
    import netCDF4

    yield
    netCDF4.Dataset(place / "new.nc", "w").close()


@operation("lxml", "parse and write a file")
def lxml_both(place):
    from lxml import etree

    yield
    etree.parse(str(place / "feed.xml")).write(str(place / "new.xml"))


@operation("lxml", "an XSL transformation that loads a document")
def lxml_xslt(place):
    from lxml import etree

    yield
    etree.XSLT(etree.parse(str(place / "style.xsl")))(etree.XML("<a/>"))


@operation("opencv", "imread, imwrite", "cv2")
def opencv_both(place):
    import cv2

    yield
    cv2.imwrite(str(place / "new.jpg"), cv2.imread(str(place / "photo.png")))


@operation("PyMuPDF", "open and save a document", "pymupdf", "fitz")
def pymupdf_both(place):
    import pymupdf

    yield
    document = pymupdf.open(place / "report.pdf")
    document[0].get_text()
    document.save(place / "new.pdf")


@operation("Pillow", "open and save an image", "PIL")
def pillow_images(place):
    import PIL.Image

    PIL.Image.init()
    yield
    PIL.Image.open(place / "photo.png").save(place / "new.png")


@operation("Pillow", "truetype: load a font", "PIL")
def pillow_font(place):
    import PIL.ImageFont

    PIL.ImageFont.truetype
    yield
    PIL.ImageFont.truetype(str(place / "letters.ttf"), 12)


@operation("matplotlib", "savefig")
def matplotlib_figure(place):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as pyplot

    figure = pyplot.figure()
    figure.savefig(place / "first.png")
    yield
    figure.savefig(place / "figure.png")


@operation("tokenizers", "load and save a tokenizer")
def tokenizers_both(place):
    import tokenizers

    yield
    tokenizers.Tokenizer.from_file(str(place / "tokenizer.json")).save(str(place / "new.json"))


@operation("safetensors", "load a model")
def safetensors_read(place):
    import safetensors

    yield
    with safetensors.safe_open(place / "model.safetensors", "numpy") as model:
        model.get_tensor("weight")


@operation("safetensors", "save a model")
def safetensors_write(place):
    import numpy
    import safetensors.numpy

    arrays = {"a": numpy.zeros(2)}
    yield
    safetensors.numpy.save_file(arrays, place / "new.safetensors")


# Databases


@operation("psycopg", "query over TCP", "psycopg_binary", "psycopg")
def psycopg_tcp(place):
    import psycopg

    yield
    with psycopg.connect(place.pg_url) as connection:
        connection.execute("select 1").fetchall()


@operation("psycopg", "query over a Unix socket", "psycopg_binary", "psycopg")
def psycopg_unix(place):
    import psycopg

    yield
    with psycopg.connect(place.pg_url, host=place.pg_socket_folder) as connection:
        connection.execute("select 1").fetchall()


@operation("psycopg", "connect to localhost by name", "psycopg_binary", "psycopg")
def psycopg_name(place):
    import psycopg

    yield
    with psycopg.connect(place.pg_url.replace("127.0.0.1", "localhost")) as connection:
        connection.execute("select 1").fetchall()


@operation("psycopg2", "query over TCP")
def psycopg2_tcp(place):
    import psycopg2

    yield
    with psycopg2.connect(place.pg_url) as connection:
        connection.cursor().execute("select 1")


@operation("psycopg2", "query over a Unix socket")
def psycopg2_unix(place):
    import psycopg2

    yield
    psycopg2.connect(place.pg_url, host=place.pg_socket_folder).close()


@operation("asyncpg", "query over TCP")
def asyncpg_plain(place):
    import asyncio

    import asyncpg

    yield
    asyncio.run(_asyncpg_query(asyncpg, place))


@operation("asyncpg", "query over TCP, on uvloop", "uvloop", "asyncpg")
def asyncpg_uvloop(place):
    import asyncpg
    import uvloop

    yield
    uvloop.run(_asyncpg_query(asyncpg, place))


async def _asyncpg_query(asyncpg, place):
    connection = await asyncpg.connect(place.pg_url, ssl=False)
    await connection.fetch("select 1")
    await connection.close()


@operation("connectorx", "read_sql from PostgreSQL")
def connectorx_read(place):
    import connectorx

    yield
    connectorx.read_sql(place.pg_url, "select 1 as one", return_type="arrow")


@operation("adbc-driver-postgresql", "query")
def adbc_postgresql(place):
    import adbc_driver_postgresql.dbapi

    yield
    with adbc_driver_postgresql.dbapi.connect(place.pg_url) as connection, connection.cursor() as cursor:
        cursor.execute("select 1")
        cursor.fetchall()


@operation("adbc-driver-sqlite", "query a database file")
def adbc_sqlite(place):
    import adbc_driver_sqlite.dbapi

    yield
    with (
        adbc_driver_sqlite.dbapi.connect(str(place / "main.db")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select * from t")
        cursor.fetchall()


@operation("adbc-driver-flightsql", "connect (Go)")
def adbc_flightsql(place):
    import adbc_driver_flightsql.dbapi

    yield
    with ANY_ERROR:
        url = f"grpc://127.0.0.1:{place.closing}"
        option = {"adbc.flight.sql.rpc.timeout_seconds.query": "2"}
        with adbc_driver_flightsql.dbapi.connect(url, option) as connection, connection.cursor() as cursor:
            cursor.execute("select 1")


@operation("pymysql", "connect")
def pymysql_connect(place):
    import pymysql

    yield
    with ANY_ERROR:
        pymysql.connect(host="127.0.0.1", port=place.closing, user="a", password="b")


@operation("redis", "PING")
def redis_ping(place):
    import redis

    yield
    with ANY_ERROR:
        redis.Redis(host="127.0.0.1", port=place.closing, socket_timeout=2).ping()


# Network


@operation("pycurl", "HTTP by name")
def pycurl_http(place):
    import io

    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, place.http.replace("127.0.0.1", "localhost") + "/orders.csv")
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    yield
    curl.perform()


@operation("pycurl", "HTTPS with an authority of one's own")
def pycurl_https(place):
    import io

    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, place.https + "/orders.csv")
    curl.setopt(pycurl.CAINFO, str(place / "ca.pem"))
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    yield
    curl.perform()


@operation("pycurl", "read a file:// URL")
def pycurl_file(place):
    import io

    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, f"file://{place / 'note.txt'}")
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    yield
    curl.perform()


@operation("pycurl", "upload with a cookie file, multipart", "pycurl")
def pycurl_upload(place):
    import io

    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, place.http + "/upload")
    curl.setopt(pycurl.COOKIEFILE, str(place / "note.txt"))
    curl.setopt(pycurl.HTTPPOST, [("file", (pycurl.FORM_FILE, str(place / "orders.csv")))])
    curl.setopt(pycurl.WRITEDATA, io.BytesIO())
    yield
    curl.perform()


@operation("curl_cffi", "HTTPS")
def curl_cffi_get(place):
    import curl_cffi.requests

    yield
    curl_cffi.requests.get(place.https + "/orders.csv", verify=str(place / "ca.pem"))


@operation("primp", "HTTP")
def primp_get(place):
    import primp

    client = primp.Client()
    yield
    with ANY_ERROR:
        client.get(place.http + "/orders.csv")


@operation("grpcio", "connect", "grpc")
def grpc_connect(place):
    import grpc

    yield
    with ANY_ERROR:
        channel = grpc.insecure_channel(f"127.0.0.1:{place.closing}")
        channel.unary_unary("/a/b")(b"", timeout=2)


@operation("grpcio", "connect to localhost by name", "grpc")
def grpc_name(place):
    import grpc

    yield
    with ANY_ERROR:
        channel = grpc.insecure_channel(f"localhost:{place.closing}")
        channel.unary_unary("/a/b")(b"", timeout=2)


@operation("confluent-kafka", "list_topics")
def kafka_list(place):
    import confluent_kafka.admin

    yield
    with ANY_ERROR:
        client = confluent_kafka.admin.AdminClient({"bootstrap.servers": f"127.0.0.1:{place.closing}"})
        client.list_topics(timeout=2)


@operation("pyzmq", "connect over TCP and IPC", "zmq")
def zmq_connect(place):
    import zmq

    context = zmq.Context()
    yield
    server, client = context.socket(zmq.REP), context.socket(zmq.REQ)
    server.bind(f"ipc://{place / 'zmq.socket'}")
    for address in (f"ipc://{place / 'zmq.socket'}", f"tcp://127.0.0.1:{place.closing}"):
        client.connect(address)
    client.send(b"a")
    server.poll(2000)
    context.destroy(linger=0)


@operation("uvloop", "open a connection")
def uvloop_tcp(place):
    import asyncio

    import uvloop

    async def talk():
        _, writer = await asyncio.open_connection("127.0.0.1", place.closing)
        writer.close()

    yield
    uvloop.run(talk())


@operation("uvloop", "open a connection by name")
def uvloop_name(place):
    import asyncio

    import uvloop

    async def talk():
        _, writer = await asyncio.open_connection("localhost", place.closing)
        writer.close()

    yield
    uvloop.run(talk())


@operation("uvloop", "start a child")
def uvloop_child(place):
    import asyncio

    import uvloop

    async def start():
        await (await asyncio.create_subprocess_exec("/bin/true")).wait()

    yield
    uvloop.run(start())


@operation("tls_client", "HTTP (Go)")
def tls_client_get(place):
    import tls_client

    session = tls_client.Session()
    yield
    with ANY_ERROR:
        session.get(place.http + "/orders.csv")


@operation("requests", "HTTPS")
def requests_get(place):
    import requests

    yield
    requests.get(place.https + "/orders.csv", verify=str(place / "ca.pem"))


@operation("urllib3", "HTTP by name")
def urllib3_get(place):
    import urllib3

    pool = urllib3.PoolManager()
    yield
    pool.request("GET", place.http.replace("127.0.0.1", "localhost") + "/orders.csv")


@operation("httpx", "HTTP")
def httpx_get(place):
    import httpx

    client = httpx.Client()
    yield
    client.get(place.http + "/orders.csv")


@operation("aiohttp", "HTTP")
def aiohttp_get(place):
    import asyncio

    import aiohttp

    async def get():
        async with aiohttp.ClientSession() as session, session.get(place.http + "/orders.csv") as answer:
            await answer.read()

    yield
    asyncio.run(get())


@operation("boto3", "get an object")
def boto3_get(place):
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=place.http,
        region_name="eu-north-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
    )
    yield
    with ANY_ERROR:
        client.download_file("bucket", "orders.csv", str(place / "downloaded.csv"))


@operation("paramiko", "connect, with known hosts")
def paramiko_connect(place):
    import paramiko

    client = paramiko.SSHClient()
    yield
    with ANY_ERROR:
        client.load_host_keys(str(place / "note.txt"))
    with ANY_ERROR:
        client.connect("127.0.0.1", place.closing, username="a", password="b", timeout=2, banner_timeout=2)


# The standard library, and what goes around it


@operation("ssl", "load_cert_chain, load_verify_locations")
def ssl_load(place):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yield
    context.load_cert_chain(place / "server.pem", place / "server.key")
    context.load_verify_locations(place / "ca.pem")


@operation("ssl", "keylog_filename")
def ssl_keylog(place):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    yield
    context.keylog_filename = str(place / "keys.log")


@operation("sqlite3", "insert")
def sqlite_insert(place):
    import sqlite3

    yield
    connection = sqlite3.connect(place / "main.db")
    connection.execute("insert into t values (1)")
    connection.commit()


@operation("sqlite3", "ATTACH")
def sqlite_attach(place):
    import sqlite3

    connection = sqlite3.connect(place / "main.db")
    yield
    connection.execute("attach 'other.db' as other")
    connection.execute("select * from other.t").fetchall()


@operation("sqlite3", "VACUUM INTO")
def sqlite_vacuum(place):
    import sqlite3

    connection = sqlite3.connect(place / "main.db")
    yield
    connection.execute("vacuum into 'vacuumed.db'")


@operation("dbm", "dumb: open and store")
def dbm_store(place):
    import dbm.dumb

    yield
    with dbm.dumb.open(str(place / "keys"), "c") as keys:
        keys["a"] = "b"


@operation("readline", "read and write a history")
def readline_history(place):
    import readline

    yield
    readline.read_history_file(place / "history")
    readline.write_history_file(place / "new-history")


@operation("mmap", "map a file")
def mmap_file(place):
    import mmap

    yield
    with open(place / "note.txt", "rb") as file:
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ).close()


@operation("os", "mkfifo")
def os_mkfifo(place):
    import os

    yield
    os.mkfifo(place / "pipe")


@operation("os", "make, rename, link, remove")
def os_changes(place):
    import os

    yield
    os.mkdir(place / "made")
    os.rename(place / "note.txt", place / "made" / "renamed.txt")
    os.link(place / "made" / "renamed.txt", place / "linked.txt")
    os.symlink("linked.txt", place / "symbolic.txt")
    os.remove(place / "linked.txt")


@operation("shutil", "copy, rmtree")
def shutil_changes(place):
    import shutil

    yield
    shutil.copy(place / "note.txt", place / "copied.txt")
    shutil.rmtree(place / "parts")


@operation("tempfile", "a folder and a file in it")
def tempfile_both(place):
    import tempfile

    yield
    with tempfile.TemporaryDirectory(dir=place) as folder, tempfile.NamedTemporaryFile(dir=folder):
        pass


@operation("subprocess", "run a program")
def subprocess_run(place):
    import subprocess

    yield
    subprocess.run(["/bin/true"], check=False)


@operation("multiprocessing", "spawn a child that opens a file")
def multiprocessing_spawn(place):
    import multiprocessing

    yield
    _in_a_child(multiprocessing.get_context("spawn"), place)


@operation("multiprocessing", "forkserver, a child that opens a file")
def multiprocessing_forkserver(place):
    import multiprocessing

    yield
    _in_a_child(multiprocessing.get_context("forkserver"), place)


@operation("multiprocessing", "fork, a child that opens a file")
def multiprocessing_fork(place):
    import multiprocessing

    yield
    _in_a_child(multiprocessing.get_context("fork"), place)


def _in_a_child(context, place):
    import os

    child = context.Process(target=os.listdir, args=(str(place / "parts"),))
    child.start()
    child.join()


@operation("multiprocessing", "shared_memory")
def multiprocessing_shared(place):
    from multiprocessing import shared_memory

    yield
    block = shared_memory.SharedMemory(create=True, size=64)
    block.close()
    block.unlink()


@operation("ctypes", "open, fopen, unlink, system")
def ctypes_calls(place):
    import ctypes

    library = ctypes.CDLL(None)
    library.fopen.restype = ctypes.c_void_p
    yield
    library.open(bytes(place / "note.txt"), 0)
    library.fopen(bytes(place / "feed.xml"), b"r")
    library.unlink(bytes(place / "feed.xml"))
    library.system(b"/bin/true")


@operation("ctypes", "connect")
def ctypes_connect(place):
    import ctypes
    import socket
    import struct

    library = ctypes.CDLL(None)
    one = socket.socket()
    address = struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", place.closing, bytes((127, 0, 0, 1)))
    yield
    library.connect(one.fileno(), address, len(address))


@operation("cffi", "open, fopen")
def cffi_calls(place):
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("int open(const char *, int, ...); void *fopen(const char *, const char *);")
    library = ffi.dlopen(None)
    yield
    library.open(bytes(place / "note.txt"), 0)
    library.fopen(bytes(place / "new.txt"), b"w")


@operation("socket", "connect, listen, send a datagram")
def socket_calls(place):
    import socket

    yield
    socket.create_connection(("127.0.0.1", place.closing)).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "own.socket"))
        server.listen()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"a", ("127.0.0.1", place.closing))


@operation("urllib", "HTTPS")
def urllib_get(place):
    import ssl
    import urllib.request

    yield
    context = ssl.create_default_context(cafile=place / "ca.pem")
    urllib.request.urlopen(place.https + "/orders.csv", context=context).read()


@operation("asyncio", "connect by name, start a child")
def asyncio_both(place):
    import asyncio

    async def both():
        _, writer = await asyncio.open_connection("localhost", place.closing)
        writer.close()
        await (await asyncio.create_subprocess_exec("/bin/true")).wait()

    yield
    asyncio.run(both())
