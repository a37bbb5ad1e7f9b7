"""One call by each client that is measured: ours, aiohttp by itself, and the SDKs and HTTP clients that users know.

Each opener takes the address of the static server, leaves what has to be closed on the stack, and returns the call.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from importlib.metadata import version

from attrs import frozen
from method import Call

BODY = b'{"FromCurrency":"GBP","ToCurrency":"POTBC-GBP","Amount":"10"}'
REQUEST = json.loads(BODY)
PATH = "/api/account/balances/third-party/movement"
TOKEN = {"access_token": "benchmark", "token_type": "bearer", "expires_at": 2**33}
HEADERS = {"Authorization": "Bearer benchmark"}


async def caxton_async(base: str, stack: AsyncExitStack) -> Call:
    from caxton_async import CaxtonClient, Credentials, Settings

    settings = Settings(base_url=f"{base}/api/", paths={"get_access_token": "token"})
    caxton = await stack.enter_async_context(CaxtonClient(Credentials("user", "client", "password"), settings))
    return lambda: caxton.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10))


async def bare_aiohttp(base: str, stack: AsyncExitStack) -> Call:
    import aiohttp

    headers = {**HEADERS, "Content-Type": "application/json"}
    session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))

    async def call() -> object:
        async with session.post(base + PATH, data=BODY) as response:
            return json.loads(await response.read())

    return call


async def tuned_aiohttp(base: str, stack: AsyncExitStack) -> Call:
    """Use aiohttp with what our transport leaves out left out too: cookies, and a timer for each call."""
    import aiohttp

    session = aiohttp.ClientSession(
        headers={**HEADERS, "Content-Type": "application/json"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(None),
        auto_decompress=False,
    )
    await stack.enter_async_context(session)

    async def call() -> object:
        async with session.post(base + PATH, data=BODY) as response:
            return json.loads(await response.read())

    return call


async def idiomatic_aiohttp(base: str, stack: AsyncExitStack) -> Call:
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS))

    async def call() -> object:
        async with session.post(base + PATH, json=REQUEST) as response:
            response.raise_for_status()
            return await response.json()

    return call


async def _stripe(base: str, stack: AsyncExitStack, backend: str) -> Call:
    import stripe

    stripe.enable_telemetry = False
    http_client = getattr(stripe, backend)()
    stack.push_async_callback(http_client.close_async)
    client = stripe.StripeClient("sk_test_benchmark", base_addresses={"api": base}, http_client=http_client)
    return lambda: client.v1.payouts.create_async({"amount": 1000, "currency": "gbp"})


async def stripe_aiohttp(base: str, stack: AsyncExitStack) -> Call:
    return await _stripe(base, stack, "AIOHTTPClient")


async def stripe_default(base: str, stack: AsyncExitStack) -> Call:
    return await _stripe(base, stack, "HTTPXClient")


async def increase(base: str, stack: AsyncExitStack) -> Call:
    from increase import AsyncIncrease, DefaultAioHttpClient

    client = AsyncIncrease(api_key="benchmark", base_url=base, http_client=DefaultAioHttpClient())
    await stack.enter_async_context(client)
    return lambda: client.account_transfers.create(
        account_id="account_in71c4amph0vgo2qllky",
        amount=1000,
        description="Move money into savings",
        destination_account_id="account_uf16sut2ct5bevmq3eh",
    )


async def modern_treasury(base: str, stack: AsyncExitStack) -> Call:
    from modern_treasury import AsyncModernTreasury, DefaultAioHttpClient

    client = AsyncModernTreasury(
        organization_id="benchmark", api_key="benchmark", base_url=base, http_client=DefaultAioHttpClient()
    )
    await stack.enter_async_context(client)
    return lambda: client.payment_orders.create(
        amount=1000,
        direction="credit",
        originating_account_id="0f8e1719-0b0a-4a2e-8d57-4e6f7a8b9c0d",
        receiving_account_id="5acec2ef-987b-4260-aa97-b719eeb0a8d5",
        type="sepa",
    )


async def openai_aiohttp(base: str, stack: AsyncExitStack) -> Call:
    from openai import DefaultAioHttpClient

    return await _openai(base, stack, http_client=DefaultAioHttpClient())


async def openai_default(base: str, stack: AsyncExitStack) -> Call:
    return await _openai(base, stack)


async def _openai(base: str, stack: AsyncExitStack, **options: object) -> Call:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="benchmark", base_url=f"{base}/v1", **options)
    await stack.enter_async_context(client)
    messages = [{"role": "user", "content": "Move 10 GBP."}]
    return lambda: client.chat.completions.create(model="gpt-benchmark", messages=messages)


async def authlib(base: str, stack: AsyncExitStack) -> Call:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

    return _posting(base, await stack.enter_async_context(AsyncOAuth2Client("client", "secret", token=TOKEN)))


async def httpx(base: str, stack: AsyncExitStack) -> Call:
    from httpx import AsyncClient

    return _posting(base, await stack.enter_async_context(AsyncClient(headers=HEADERS)))


async def httpx2(base: str, stack: AsyncExitStack) -> Call:
    from httpx2 import AsyncClient

    return _posting(base, await stack.enter_async_context(AsyncClient(headers=HEADERS)))


def _posting(base: str, client: object) -> Call:
    async def call() -> object:
        response = await client.post(base + PATH, json=REQUEST)
        response.raise_for_status()
        return response.json()

    return call


@frozen
class Peer:
    """A client that is measured; `goal` is how many times our CPU it should need at least."""

    title: str
    package: str
    open: Callable[[str, AsyncExitStack], Awaitable[Call]]
    goal: float | None = None

    def __str__(self) -> str:
        return self.title.replace(self.package, f"{self.package} {version(self.package)}", 1)


PEERS = (
    Peer("caxton-async", "caxton-async", caxton_async),  # the baseline
    Peer("aiohttp, bare, with json.loads", "aiohttp", bare_aiohttp),
    Peer("aiohttp, idiomatic", "aiohttp", idiomatic_aiohttp),
    Peer("stripe on aiohttp", "stripe", stripe_aiohttp, 3.3),
    Peer("stripe by default (on httpx)", "stripe", stripe_default, 12),
    Peer("increase on aiohttp", "increase", increase, 4.5),
    Peer("modern-treasury on aiohttp", "modern-treasury", modern_treasury, 4.5),
    Peer("openai on aiohttp", "openai", openai_aiohttp, 10),
    Peer("openai by default (on httpx2)", "openai", openai_default),
    Peer("Authlib, AsyncOAuth2Client", "Authlib", authlib, 7),
    Peer("httpx", "httpx", httpx, 6),
    Peer("httpx2", "httpx2", httpx2, 6.5),
)
