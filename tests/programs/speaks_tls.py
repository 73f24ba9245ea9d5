"""Makes the same three requests, each with secrets, by a client of HTTP: `speaks_tls.py CLIENT URL CA [PROXY]`."""

import asyncio
import http.client
import os
import ssl
import sys
import threading
import urllib.request
from urllib.parse import urlsplit

CLIENT, URL, CA, PROXY = (*sys.argv[1:], "")[:4]
SECRET = os.environ["SECRET"]
QUERY = f"?api_key={SECRET}&page=2"
HEADERS = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}"}
BODY = (SECRET * 30_000).encode()[:300_000]
PIECES = [BODY[:10], BODY[10:100], BODY[100:]]
HOST, PORT = urlsplit(URL).hostname, urlsplit(URL).port


def trusted():
    return ssl.create_default_context(cafile=CA)


def urllib_request():
    handlers = [urllib.request.HTTPSHandler(context=trusted())]
    handlers.append(urllib.request.ProxyHandler({"https": PROXY} if PROXY else {}))
    opener = urllib.request.build_opener(*handlers)
    put = {**HEADERS, "Content-Type": "text/plain", "Transfer-Encoding": "chunked"}
    for request in (
        urllib.request.Request(f"{URL}/get{QUERY}", headers=HEADERS),
        urllib.request.Request(f"{URL}/post", data=BODY, headers=HEADERS),
        urllib.request.Request(f"{URL}/put", data=iter(PIECES), headers=put, method="PUT"),
    ):
        opener.open(request).read()


def http_client():
    proxy = urlsplit(PROXY)
    connection = http.client.HTTPSConnection(
        *((proxy.hostname, proxy.port) if PROXY else (HOST, PORT)), context=trusted()
    )
    if PROXY:
        connection.set_tunnel(HOST, PORT)
    for method, path, body in (
        ("GET", f"/get{QUERY}", None),
        ("POST", "/post", BODY),
        ("PUT", "/put", iter(PIECES)),
    ):
        connection.request(method, path, body, HEADERS, encode_chunked=method == "PUT")
        connection.getresponse().read()


def threads():
    running = [threading.Thread(target=urllib_request) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def streams():
    """By hand, over a connection that does not block: heads in pieces, and two requests in one."""

    async def main():
        reader, writer = await asyncio.open_connection(HOST, PORT, ssl=trusted())
        fields = "".join(
            f"{name}: {value}\r\n" for name, value in {"Host": f"{HOST}:{PORT}", **HEADERS}.items()
        )
        get = f"GET /get{QUERY} HTTP/1.1\r\n{fields}\r\n".encode()
        post = f"POST /post HTTP/1.1\r\n{fields}Content-Length: {len(BODY)}\r\n\r\n".encode()
        put = f"PUT /put HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*PIECES, b""))
        for piece in (
            get[:3],
            get[3:40],
            get[40:] + post[:20],
            post[20:],
            BODY[:99],
            BODY[99:] + put + chunks,
        ):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    asyncio.run(main())


def upgraded():
    """To another protocol, which is nobody's business."""
    with socket_to_server() as connection:
        connection.sendall(
            f"GET /get{QUERY} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nCookie: a={SECRET}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode()
        )
        connection.sendall(b"\x81\xfeGET /none HTTP/1.1\r\nHost: none\r\n\r\n")
        connection.recv(1)


def socket_to_server():
    import socket

    return trusted().wrap_socket(socket.create_connection((HOST, PORT)), server_hostname=HOST)


def requests():
    import requests

    with requests.Session() as session:
        session.verify, session.trust_env = CA, False
        session.proxies = {"https": PROXY} if PROXY else {}
        session.get(f"{URL}/get{QUERY}", headers=HEADERS)
        session.post(f"{URL}/post", data=BODY, headers=HEADERS)
        session.put(f"{URL}/put", data=iter(PIECES), headers=HEADERS)


def urllib3():
    import urllib3

    pool = urllib3.ProxyManager(PROXY, ca_certs=CA) if PROXY else urllib3.PoolManager(ca_certs=CA)
    pool.request("GET", f"{URL}/get{QUERY}", headers=HEADERS)
    pool.request("POST", f"{URL}/post", body=BODY, headers=HEADERS)
    pool.request("PUT", f"{URL}/put", body=iter(PIECES), headers=HEADERS, chunked=True)


def httpx(http2=False):
    import httpx

    with httpx.Client(verify=trusted(), http2=http2, proxy=PROXY or None, trust_env=False) as client:
        client.get(f"{URL}/get{QUERY}", headers=HEADERS)
        client.post(f"{URL}/post", content=BODY, headers=HEADERS)
        client.put(f"{URL}/put", content=iter(PIECES), headers=HEADERS)


def httpx_http2():
    httpx(http2=True)


def httpx_async():
    import httpx

    async def pieces():
        for piece in PIECES:
            yield piece

    async def main():
        async with httpx.AsyncClient(verify=trusted(), proxy=PROXY or None, trust_env=False) as client:
            await asyncio.gather(
                client.get(f"{URL}/get{QUERY}", headers=HEADERS),
                client.post(f"{URL}/post", content=BODY, headers=HEADERS),
                client.put(f"{URL}/put", content=pieces(), headers=HEADERS),
            )

    asyncio.run(main())


def aiohttp():
    import aiohttp

    async def pieces():
        for piece in PIECES:
            yield piece

    async def main():
        # Its own resolver, if aiodns is there, knows nothing of this machine's names.
        connector = aiohttp.TCPConnector(ssl=trusted(), resolver=aiohttp.ThreadedResolver())
        async with aiohttp.ClientSession(connector=connector, proxy=PROXY or None) as session:
            async with session.get(f"{URL}/get{QUERY}", headers=HEADERS) as response:
                await response.read()
            async with session.post(f"{URL}/post", data=BODY, headers=HEADERS) as response:
                await response.read()
            async with session.put(f"{URL}/put", data=pieces(), headers=HEADERS) as response:
                await response.read()

    asyncio.run(main())


def pycurl():
    import io

    import pycurl

    for path, more in (
        (f"/get{QUERY}", {}),
        ("/post", {pycurl.POSTFIELDS: BODY}),
        ("/put", {pycurl.UPLOAD: 1, pycurl.READFUNCTION: io.BytesIO(BODY).read}),
    ):
        curl = pycurl.Curl()
        options = {pycurl.URL: URL + path, pycurl.CAINFO: CA, pycurl.WRITEFUNCTION: lambda _: None}
        headers = [f"{name}: {value}" for name, value in {**HEADERS, "Expect": ""}.items()]
        for option, value in {**options, pycurl.HTTPHEADER: headers, pycurl.PROXY: PROXY, **more}.items():
            curl.setopt(option, value)
        curl.perform()
        curl.close()


globals()[CLIENT]()
