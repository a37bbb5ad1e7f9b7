"""What a request costs the emulator, beside an aiohttp.web application with the same body.

`python benchmarks/bench_emulator.py`: each server runs in a process of its own and tells its own processor time.
"""

import asyncio
import random
import statistics
import subprocess
import sys
import time

import method
from aiohttp import web

from caxton_async.emulator import Emulator

ROUNDS, CALLS, IN_FLIGHT = 21, 1000, 16
CONTROL_RANGE = (0.97, 1.03)
RUNS = 5
PATH = "/api/account/balances/third-party/movement"
REQUEST = b'{"FromCurrency":"GBP","ToCurrency":"POTBC-GBP","Amount":"0.01"}'


async def serve_application(body: bytes) -> None:
    """Serve one route with a fixed body, as a user of aiohttp.web would."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json", charset="utf-8")

    application = web.Application()
    application.router.add_post(PATH, handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await tell_processor_time(f"http://127.0.0.1:{runner.addresses[0][1]} none")
    await runner.cleanup()


async def serve_emulator() -> None:
    """Serve the emulator, its main balance full."""
    async with Emulator(history=1000) as emulator:
        accounts = emulator.ledger.accounts
        emulator.ledger.fund(accounts.main, "GBP", 10_000_000)
        emulator.ledger.create_pot(accounts.main, "GBP", "POTBC", None)
        token = accounts.log_in(accounts.main.username, accounts.main_password)
        await tell_processor_time(f"{emulator.base_url.removesuffix('/api/')} {token.value}")


async def tell_processor_time(first: str) -> None:
    """Print a line about the server, and then the processor time so far for each line on stdin."""
    print(first, flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        print(time.process_time(), flush=True)


class Server:
    """A server in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, __file__, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.origin, self.token = self._process.stdout.readline().split()

    def seconds(self) -> float:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate(timeout=30)

    async def burst(self, calls: int) -> bytes:
        """Send requests over `IN_FLIGHT` connections; return the last answer."""
        host, port = self.origin.removeprefix("http://").split(":")
        head = [f"POST {PATH} HTTP/1.1", f"Host: {host}:{port}", f"Authorization: Bearer {self.token}"]
        head += ["Accept: application/json", "Content-Type: application/json", f"Content-Length: {len(REQUEST)}"]
        request = "\r\n".join([*head, "", ""]).encode() + REQUEST
        left = iter(range(calls))

        async def connection() -> bytes:
            reader, writer = await asyncio.open_connection(host, port)
            body = b""
            for _ in left:
                writer.write(request)
                answer = await reader.readuntil(b"\r\n\r\n")
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"not a right answer: {answer.decode()}")
                length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
            writer.close()
            await writer.wait_closed()
            return body

        bodies = await asyncio.gather(*(connection() for _ in range(IN_FLIGHT)))
        return max(bodies)

    async def cost(self) -> float:
        before = self.seconds()
        await self.burst(CALLS)
        return self.seconds() - before


async def main() -> None:
    """Print the table."""
    emulator = Server("emulator")
    body = await emulator.burst(1)
    servers = {
        "aiohttp.web": Server("application", body.decode()),
        "control": Server("application", body.decode()),
        "emulator": emulator,
    }
    try:
        for server in servers.values():
            await server.burst(CALLS)
        for _ in range(RUNS):
            costs = {name: [] for name in servers}
            for _ in range(ROUNDS):
                for name in random.sample(list(servers), len(servers)):
                    costs[name].append(await servers[name].cost())
            ratios = {
                name: statistics.median(mine / base for mine, base in zip(taken, costs["aiohttp.web"], strict=True))
                for name, taken in costs.items()
            }
            if CONTROL_RANGE[0] <= ratios["control"] <= CONTROL_RANGE[1]:
                break
        else:
            raise SystemExit("the control spreads too far: the machine is too noisy, run it again")
    finally:
        for server in servers.values():
            server.end()
    print(
        "## The emulator\n\n"
        f"Processor time of the server for one move of funds ({len(body)} bytes), {IN_FLIGHT} connections, "
        f"the median of {ROUNDS} rounds of {CALLS}.\n\n"
        "| server | to aiohttp.web | us a request | goal |\n|---|---|---|---|"
    )
    for name, ratio in ratios.items():
        goal = method.verdict(ratio, 1.3) if name == "emulator" else ""
        print(f"| {name} | {ratio:.2f}x | {statistics.median(costs[name]) / CALLS * 1e6:.0f} | {goal} |")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["emulator"]:
            asyncio.run(serve_emulator())
        case ["application", text]:
            asyncio.run(serve_application(text.encode()))
        case _:
            asyncio.run(main())
