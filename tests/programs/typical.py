"""A bit of everything that scripts do."""

import asyncio
import concurrent.futures
import csv
import http.server
import json
import logging
import multiprocessing
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"answer to " + self.path.encode())

    def log_message(self, *args):
        pass


def square(number):
    return number * number


async def asynchronous():
    process = await asyncio.create_subprocess_exec("/bin/echo", "async", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server_port)
    writer.write(b"GET /async HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return output, answer.split(b"\r\n\r\n")[1]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    with (folder / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[1, "ä"], [2, "b"]])
    (folder / "data.json").write_text(json.dumps({"rows": [1, 2]}))
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.write(folder / "data.csv", "data.csv")
    shutil.copytree(folder, folder / "copy")
    connection = sqlite3.connect(folder / "data.db")
    connection.execute("create table t(x)")
    connection.execute("insert into t values (1)")
    print(connection.execute("select * from t").fetchall())
    connection.close()
    with urllib.request.urlopen("http://127.0.0.1:%d/path?q=1" % server.server_port) as answer:
        print(answer.read())
    print(subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True))
    print(subprocess.run("echo $((1+1)); exit 3", shell=True, stdout=subprocess.PIPE))
    print(os.system("true"), os.popen("echo popen").read())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(list(pool.map(square, range(5))))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(square, range(5)))
    print(asyncio.run(asynchronous()))
    logging.info("%s", sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")))
server.shutdown()
server.server_close()
print(os.path.exists(name), threading.active_count())
