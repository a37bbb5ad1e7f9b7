"""A token endpoint in this process that counts the logins, and answers them when it is told to."""

import asyncio
from typing import Self

from aiohttp import web

LIFE_S = 3600


class TokenServer:
    """Gives a token that lives an hour, or refuses; with its gate closed, logins wait for an answer."""

    def __init__(self) -> None:
        self.logins = 0
        self.is_refusing = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.next_login: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        await self._runner.cleanup()

    async def _answer(self, _request: web.Request) -> web.Response:
        self.logins += 1
        token = f"token-{self.logins}"
        arrived, self.next_login = self.next_login, asyncio.get_running_loop().create_future()
        arrived.set_result(None)
        await self.gate.wait()
        if self.is_refusing:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response(
            # `resource` is what Azure's endpoints add.
            {"access_token": token, "token_type": "Bearer", "expires_in": LIFE_S, "resource": "benchmark"}
        )
