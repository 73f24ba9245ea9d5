"""A few requests at once, and a server in the same program."""

import asyncio
import sys

import aiohttp

# > import aiohttp
# > import yarl (aiohttp)
from aiohttp import web
# ? open read /etc/mime.types (aiohttp) -- the types that this machine knows

server = sys.argv[1]


async def fetch(session, page):
    async with session.get(f"{server}/pages", params={"page": page}) as answer:
        # > connect localhost:PORT (aiohappyeyeballs via aiohttp)
        # > http GET http://localhost:PORT/pages?page=0 (aiohttp)
        # > http GET http://localhost:PORT/pages?page=1 (aiohttp)
        # > http GET http://localhost:PORT/pages?page=2 (aiohttp)
        return (await answer.json())["path"]


async def hello(request):
    return web.json_response({"hello": request.match_info["name"]})


async def serve():
    app = web.Application()
    app.router.add_get("/hello/{name}", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    # > bind 127.0.0.1:0 (aiohttp)
    return runner, runner.addresses[0][1]


async def main():
    headers = {"Authorization": "Bearer header-key-9923"}
    async with aiohttp.ClientSession(headers=headers) as session:
        print(*await asyncio.gather(*(fetch(session, page) for page in range(3))))
        async with session.post(f"{server}/orders", json={"card": "body-secret-1177"}) as answer:
            print(answer.status)
        runner, port = await serve()
        async with session.get(f"http://127.0.0.1:{port}/hello/ann") as answer:
            # > connect localhost:* (aiohappyeyeballs via aiohttp)
            # > http GET http://127.0.0.1:*/hello/ann (aiohttp)
            print(await answer.text())
        await runner.cleanup()


asyncio.run(main())
# > http POST http://localhost:PORT/orders (aiohttp)
# ~ resolve localhost:PORT
