"""The services of `examples` pay once for each key, though they are killed or ended under load."""

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import define

from caxton_async.emulator import Fault
from tests.support.programs import Programs, free_port, open_programs

SERVICES = {
    "fastapi": ("-m", "uvicorn", "examples.fastapi_service:app"),
    "aiohttp": ("-m", "examples.aiohttp_service"),
}
_CALLERS = 8
_AGAIN = {409, 503}  # nothing was paid, or is being paid: the caller asks again with the same key
Payment = tuple[str | None, int]  # the tenant, and the amount in pence, which gives the key too


@define
class Browser:
    """A caller of a service, who asks again with the same key until there is an answer."""

    session: aiohttp.ClientSession
    url: str

    async def post(self, payment: Payment, **changes: str) -> tuple[int, Any]:
        """Ask for a payment once."""
        tenant, pence = payment
        body = {"pot": "POTBC-GBP", "amount": f"{pence / 100:.2f}"} | changes
        headers = {"Idempotency-Key": f"invoice-{pence}"} | ({"X-Tenant": tenant} if tenant else {})
        async with self.session.post(self.url, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def pay(self, payment: Payment) -> tuple[int, Any]:
        """Ask for a payment until there is an answer; return the status, and what stays the same in the body."""
        async with asyncio.timeout(30):
            while True:
                try:
                    status, body = await self.post(payment)
                except aiohttp.ClientError:  # the service is gone, for a while
                    status = 503
                if status not in _AGAIN:
                    return status, body if status == 200 else body["error"]
                await asyncio.sleep(0.02)  # a retry, and no wait for the service

    async def pay_all(self, payments: Iterable[Payment]) -> dict[Payment, tuple[int, Any]]:
        """Ask for payments, some at once, each of them twice; both answers are the same."""
        left = [payment for payment in payments for _ in range(2)]
        answers: dict[Payment, list[tuple[int, Any]]] = defaultdict(list)

        async def work() -> None:
            while left:
                payment = left.pop()
                answers[payment].append(await self.pay(payment))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_CALLERS):
                tasks.create_task(work())
        assert [payment for payment, (first, second) in answers.items() if first != second] == []
        return {payment: first for payment, (first, _) in answers.items()}


async def serve(programs: Programs, service: str) -> asyncio.subprocess.Process:
    """Start a service, and wait until it listens."""
    process = await programs.start(*SERVICES[service])
    async with asyncio.timeout(20):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(programs.environ["PORT"]))
            except OSError:
                await asyncio.sleep(0.02)  # another process cannot set an event of ours
            else:
                writer.close()
                await writer.wait_closed()
                return process
    pytest.fail("the service ended at its start")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_stops_under_load_pays_once_for_each_key(
    tmp_path: Path, service: str, number: signal.Signals
) -> None:
    """Each key is paid at most once and keeps its answer, and only a kill leaves outcomes unknown."""
    payments = [(tenant, pence) for tenant in (None, "ID-1") for pence in range(101, 131)]
    async with open_programs(tmp_path) as programs, aiohttp.ClientSession() as session:
        port = str(free_port())
        programs.environ |= {"PORT": port, "UVICORN_PORT": port}
        browser = Browser(session, f"http://127.0.0.1:{port}/transfers")

        process = await serve(programs, service)
        load = asyncio.create_task(browser.pay_all(payments))
        await programs.emulator.seen("move_funds", 20)
        ended = await programs.end(process, number)
        process = await serve(programs, service)
        answers = await load
        sent = programs.emulator.count("move_funds")
        again = await browser.pay_all(payments)
        assert await programs.end(process) in {0, -signal.SIGTERM}

        assert ended in {0, -number}
        assert (again, programs.emulator.count("move_funds")) == (answers, sent)
        moved = programs.moved()
        assert set(moved.values()) == {1}
        unknown = {payment for payment, answer in answers.items() if answer == (502, "OutcomeUnknown")}
        assert len(unknown) <= (_CALLERS if number == signal.SIGKILL else 0)
        assert {payment for payment, (status, _) in answers.items() if status == 200} == set(answers) - unknown
        assert set(payments) - unknown <= set(moved)
        recorded = programs.recorded()
        assert recorded == Counter(
            (f"invoice-{payment[1]}", "unknown" if payment in unknown else "accepted") for payment in payments
        )


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_tells_its_callers_what_went_wrong(tmp_path: Path, service: str) -> None:
    """Each failure has a status of its own, from which a caller learns whether to ask again."""
    async with open_programs(tmp_path) as programs, aiohttp.ClientSession() as session:
        port = str(free_port())
        programs.environ |= {"PORT": port, "UVICORN_PORT": port}
        browser = Browser(session, f"http://127.0.0.1:{port}/transfers")
        await serve(programs, service)
        faults = programs.emulator.faults
        faults.clear()
        assert (await browser.post((None, 100)))[0] == 200

        async def explained(pence: int, **changes: str) -> tuple[int, str, str]:
            status, body = await browser.post((None, pence), **changes)
            return status, body["error"], body["sent"]

        assert await explained(100, amount="2") == (422, "ReferenceConflict", "no")
        assert await explained(101, pot="NOPOT-GBP") == (422, "NotFound", "yes")
        assert await explained(102, amount="0.001") == (422, "InvalidRequest", "no")
        faults.add(Fault("reset_after_work", endpoint="move_funds"))
        assert await explained(103) == (502, "OutcomeUnknown", "unknown")
        assert await explained(103) == (502, "OutcomeUnknown", "unknown")
        faults.add(Fault("rate_limited", endpoint="move_funds", retry_after="3600"))
        assert await explained(104) == (503, "RateLimited", "yes")
        assert (await browser.post((None, 104)))[0] == 200
        for headers, body in (({}, b'{"pot": "POTBC-GBP", "amount": "1"}'), ({"Idempotency-Key": "a"}, b"rubbish")):
            async with session.post(browser.url, data=body, headers=headers) as response:
                assert response.status == 422
        assert programs.moved() == {(None, 100): 1, (None, 103): 1, (None, 104): 1}
