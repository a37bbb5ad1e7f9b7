"""What a hundred callers see when the token is missing, ageing or refused: `python benchmarks/bench_refresh.py`."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable

import time_machine
from attrs import frozen
from method import Call
from refreshers import REFRESHERS, Refresher
from token_server import LIFE_S, TokenServer

CALLERS = 100
HANG_S = 30.0  # more than the retries of any peer take
SOON_S = 2.0  # what is served without waiting is served by then, also on a busy machine
PAUSE_S = 0.001  # lets what a caller has started in the background come to its end


@frozen
class Outcome:
    """What came of the callers; those that the scenario itself cancels are not counted."""

    logins: int
    served: int = 0
    waited: int = 0  # served, but not before the login was answered
    failed: int = 0
    shared: int = 0  # of those that failed, with an exception object that another got too
    cancelled: int = 0
    hung: int = 0

    def __str__(self) -> str:
        counts = {
            "served": self.served,
            "of them late": self.waited,
            "failed": self.failed,
            "with a shared error": self.shared,
            "cancelled with another": self.cancelled,
            "hung": self.hung,
        }
        told = [f"{count} {what}" for what, count in counts.items() if count] or ["none served"]
        return f"{self.logins} login{'s' * (self.logins != 1)}; {', '.join(told)}"


Story = Callable[[TokenServer, Call], Awaitable[list[asyncio.Task]]]


def start(call: Call) -> asyncio.Task:
    async def caller() -> object:
        return await call()

    return asyncio.create_task(caller())


async def crowd(server: TokenServer, call: Call, patience_s: float = HANG_S) -> list[asyncio.Task]:
    """Let all callers begin, and the first login arrive; none is answered yet."""
    server.gate.clear()
    arrival = server.next_login
    callers = [start(call) for _ in range(CALLERS)]
    await asyncio.wait({arrival}, timeout=patience_s)
    return callers


async def together(server: TokenServer, call: Call) -> list[asyncio.Task]:
    callers = await crowd(server, call)
    server.gate.set()
    return callers


async def refused(server: TokenServer, call: Call) -> list[asyncio.Task]:
    server.is_refusing = True
    return await together(server, call)


async def first_cancelled(server: TokenServer, call: Call) -> list[asyncio.Task]:
    """Cancel the first caller while its login is on its way."""
    callers = await crowd(server, call)
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    server.gate.set()
    return callers[1:]


async def impatient(server: TokenServer, call: Call) -> list[asyncio.Task]:
    """Let callers come in turn, and give up, as at a deadline, if they have to wait for a login of their own."""
    callers = []
    for _ in range(CALLERS):
        server.gate.clear()
        arrival = server.next_login
        caller = start(call)
        done, _ = await asyncio.wait({caller, arrival}, timeout=HANG_S, return_when=asyncio.FIRST_COMPLETED)
        if done == {arrival}:
            caller.cancel()
            await asyncio.wait({caller})
        else:
            callers.append(caller)
        server.gate.set()
        if not done:
            break  # one that hangs says enough
    return callers


async def ageing(server: TokenServer, call: Call) -> list[asyncio.Task]:
    """Answer the login only when all who do not wait for it have been served."""
    callers = await crowd(server, call, SOON_S)
    await asyncio.wait(callers, timeout=SOON_S)
    for caller in callers:
        caller.set_name("in time" if caller.done() else "late")
    server.gate.set()
    return callers


async def ageing_refused(server: TokenServer, call: Call) -> list[asyncio.Task]:
    """Let callers come in turn, the second when the login that the first has started has been refused."""
    server.is_refusing = True
    arrival = server.next_login
    callers = [start(call)]
    await asyncio.wait({arrival}, timeout=SOON_S)
    for _ in range(CALLERS - 1):
        done, _ = await asyncio.wait(callers[-1:], timeout=HANG_S)
        if not done:
            break
        await asyncio.sleep(PAUSE_S)
        callers.append(start(call))
    return callers


@frozen
class Scenario:
    letter: str
    title: str
    story: Story
    expected: Outcome
    ages: bool = False


SCENARIOS = (
    Scenario("A", "no token, all at once", together, Outcome(1, served=CALLERS)),
    Scenario(
        "B",
        "no token, all at once, the login is refused; each gets an error of its own",
        refused,
        Outcome(1, failed=CALLERS),
    ),
    Scenario("C", "no token, all at once, the first is cancelled", first_cancelled, Outcome(1, served=CALLERS - 1)),
    Scenario("D", "no token, in turn, each less patient than the login", impatient, Outcome(1, served=CALLERS - 1)),
    Scenario("E", "ageing token, all at once; nobody may wait", ageing, Outcome(1, served=CALLERS), ages=True),
    Scenario("F", "ageing token, in turn, the login is refused", ageing_refused, Outcome(1, served=CALLERS), ages=True),
)


def count(logins: int, callers: list[asyncio.Task]) -> Outcome:
    done = [caller for caller in callers if caller.done()]
    lived = [caller for caller in done if not caller.cancelled()]
    errors = [caller.exception() for caller in lived if caller.exception() is not None]
    served = len(lived) - len(errors)
    return Outcome(
        logins=logins,
        served=served,
        waited=sum(caller.get_name() == "late" and caller.exception() is None for caller in lived),
        failed=len(errors),
        shared=sum(sum(other is error for other in errors) > 1 for error in errors),
        cancelled=len(done) - len(lived),
        hung=len(callers) - len(done),
    )


async def play(refresher: Refresher, scenario: Scenario) -> Outcome:
    """Play a scenario with a client and a server of its own."""
    async with TokenServer() as server, refresher.open(server.url) as call:
        if scenario.ages:
            await call()
        later = time.time() + (LIFE_S - refresher.ageing_left_s if scenario.ages else 0)
        before = server.logins
        with time_machine.travel(later, tick=True):
            callers = await scenario.story(server, call)
            if callers:
                await asyncio.wait(callers, timeout=HANG_S)
            outcome = count(server.logins - before, callers)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
    return outcome


@frozen
class Row:
    """What one client made of every scenario."""

    refresher: Refresher
    outcomes: dict[str, Outcome]


def measure() -> list[Row]:
    """Play every scenario with every client."""
    os.environ["no_proxy"] = "*"  # several heed the environment, and would leave loopback for a proxy
    logging.disable()  # some log each refusal with its traceback
    try:
        return [
            Row(refresher, {s.letter: asyncio.run(play(refresher, s)) for s in SCENARIOS}) for refresher in REFRESHERS
        ]
    finally:
        logging.disable(logging.NOTSET)


def main() -> None:
    """Print the table."""
    print(
        "## Renewing the token, beside the peers\n\n"
        f"{CALLERS} callers, and a token endpoint on loopback that counts the logins.\n"
        "In each cell: the logins made, and what the callers got; in bold what is not as it should be.\n"
    )
    for scenario in SCENARIOS:
        print(f"- {scenario.letter}: {scenario.title}. Should be: {scenario.expected}.")
    print(f"\n| client | {' | '.join(s.letter for s in SCENARIOS)} | how |\n|{'---|' * (len(SCENARIOS) + 2)}")
    for row in measure():
        cells = []
        for scenario in SCENARIOS:
            outcome = row.outcomes[scenario.letter]
            cells.append(f"{outcome}" if outcome == scenario.expected else f"**{outcome}**")
        print(f"| {row.refresher} | {' | '.join(cells)} | {row.refresher.note} |")


if __name__ == "__main__":
    main()
