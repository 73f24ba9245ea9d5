"""The same with httpx: a client, and one that waits for nobody."""

import asyncio
import sys

import httpx
# > import httpx

server = sys.argv[1]

print(httpx.get(f"{server}/reports", params={"api_key": "query-key-8471"}).json())
# > import httpcore (httpx)
# > import anyio (httpcore via httpx)
# > resolve localhost:PORT (httpcore via httpx)
# > connect localhost:PORT (httpcore via httpx)
# > http GET http://localhost:PORT/reports?api_key=*** (httpcore via httpx)

with httpx.Client(base_url=server, auth=("ann", "basic-password-5512")) as client:
    print(client.post("/orders", json={"card": "body-secret-1177"}).json()["path"])
    # > resolve localhost:PORT (httpcore via httpx)
    # > connect localhost:PORT (httpcore via httpx)
    # > http POST http://localhost:PORT/orders (httpcore via httpx)


async def both():
    async with httpx.AsyncClient(base_url=server, headers={"X-Api-Key": "header-key-9923"}) as client:
        answers = await asyncio.gather(client.get("/pages?page=1"), client.get("/pages?page=2"))
    print(*(answer.json()["path"] for answer in answers))


asyncio.run(both())
# > connect localhost:PORT (anyio)
# > http GET http://localhost:PORT/pages?page=1 (anyio via httpx)
# > http GET http://localhost:PORT/pages?page=2 (anyio via httpx)
# ~ resolve localhost:PORT
