"""A caller of the emulator that shares nothing with the client: it spells every request by hand."""

import json
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import aiohttp

from caxton_async.emulator import Emulator

MOVE = "account/balances/third-party/movement"
POT = "account/balances/balance/GBP/POTBC"
TEN_POUNDS = {"FromCurrency": "GBP", "ToCurrency": "POTBC-GBP", "Amount": "10"}


def read(text: str) -> Any:
    """Read JSON with its numbers exact."""
    return json.loads(text, parse_float=Decimal)


class Caller:
    """Logs in to an emulator as its main account and makes calls: `async with Caller(emulator) as caller:`."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.headers: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self.emulator.base_url)
        main = self.emulator.credentials
        await self.log_in(main.username, self.emulator.ledger.accounts.main_password)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def log_in(self, username: str, password: str) -> tuple[int, Any]:
        """Ask for a token, and use it from now on if there is one."""
        form = {"Grant_Type": "password", "Username": username, "Password": password}
        status, answer = await self.call("POST", "token", form=form)
        if status == 200:
            self.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return status, answer

    async def text(
        self, method: str, path: str, body: Any = None, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, str]:
        """Make a call; return its HTTP status and body. Header names are given with `_` for `-`."""
        extra = {name.replace("_", "-"): value for name, value in headers.items()}
        if path == "clients/auth/register":
            extra.setdefault("Content-Type", "text/json")
        data = form if form is not None else None if body is None else json.dumps(body).encode()
        if form is None and body is not None:
            extra.setdefault("Content-Type", "application/json")
        sent = self._session.request(method, path, data=data, headers=self.headers | extra, allow_redirects=False)
        async with sent as response:
            return response.status, await response.text()

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Make a call; return its HTTP status and JSON."""
        status, text = await self.text(method, path, body, **options)
        return status, read(text)

    async def open_pot(self, pounds: int = 1000) -> None:
        """Fund the main balance, and open the pot that `TEN_POUNDS` goes to."""
        self.emulator.ledger.fund(self.emulator.ledger.accounts.main, "GBP", pounds)
        await self.call("POST", POT)

    async def move(self) -> tuple[int, str]:
        """Move ten pounds to the pot."""
        return await self.text("POST", MOVE, TEN_POUNDS)
