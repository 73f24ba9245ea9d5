"""Does one thing of the standard library that raises no audit event for what it opens: the one that is named."""

import multiprocessing
import os
import sys
from multiprocessing import shared_memory

WHAT, *REST = sys.argv[1:]


def certificates():
    import ssl

    certificate, key = REST
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.keylog_filename = "keys.log"


def databases():
    import sqlite3

    connection = sqlite3.connect("first.db")
    connection.execute("CREATE TABLE one (number)")
    connection.execute("ATTACH 'second.db' AS second")
    connection.execute("CREATE TABLE second.two (number)")
    connection.commit()
    connection.execute("VACUUM INTO 'third.db'")
    connection.close()


def history():
    import readline

    with open("typed", "w") as file:
        file.write("print(1)\n")
    readline.read_history_file("typed")
    readline.write_history_file("kept")


def fifo():
    os.mkfifo("fifo")


def memory():
    block = shared_memory.SharedMemory("gnomon-test-" + str(os.getpid()), create=True, size=100)
    print(block.name)
    block.close()
    block.unlink()


def double(number):
    return 2 * number


def processes():
    with multiprocessing.get_context(REST[0]).Pool(1) as pool:
        assert pool.map(double, [1]) == [2]


def loop():
    import asyncio

    import uvloop

    async def start():
        child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "pass")
        assert await child.wait() == 0

    uvloop.install()
    asyncio.run(start())


if __name__ == "__main__":
    globals()[WHAT]()
