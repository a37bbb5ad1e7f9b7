"""The CPU of one call beside bare aiohttp: `python benchmarks/bench_call.py`.  Goal: 1.10x, and 1.15x of its Python calls."""

import asyncio
import json
from decimal import Decimal

import aiohttp
import method
import server

from caxton_async import CaxtonClient, Credentials, Settings

BODY = b'{"FromCurrency":"GBP","ToCurrency":"POTBC-GBP","Amount":"10"}'
REQUEST = {"FromCurrency": "GBP", "ToCurrency": "POTBC-GBP", "Amount": "10"}
IN_FLIGHT = 32


async def measure(port: int) -> None:
    base_url = f"http://127.0.0.1:{port}/api/"
    url = f"{base_url}account/balances/third-party/movement"
    headers = {"Authorization": "Bearer benchmark", "Content-Type": "application/json"}
    settings = Settings(base_url=base_url, paths={"get_access_token": "token"})
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        CaxtonClient(Credentials("user", "client", "password"), settings) as caxton,
    ):

        async def bare() -> object:
            async with session.post(url, data=BODY) as response:
                return json.loads(await response.read())

        async def idiomatic() -> object:
            async with session.post(url, json=REQUEST) as response:
                response.raise_for_status()
                return await response.json()

        async def caxton_async() -> object:
            return await caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10))

        variants = {"bare aiohttp": bare, "idiomatic aiohttp": idiomatic, "caxton_async": caxton_async}
        ratios = await method.compare(variants, calls=320, in_flight=IN_FLIGHT)
        counts = {name: await method.python_calls(call) for name, call in variants.items()}
    for name, ratio in ratios.items():
        count = counts.get(name)
        print(f"{name:20} {ratio}" + (f"  {count:.0f} Python calls ({count / counts['bare aiohttp']:.2f}x)" if count else ""))


if __name__ == "__main__":
    with server.running() as port:
        asyncio.run(measure(port))
