"""The store in memory, in more than one event loop."""

import asyncio

from caxton_async import Secret
from caxton_async.auth.hold import Hold
from caxton_async.auth.stores import MemoryStore
from caxton_async.auth.token import Token

TOKEN = Token(Secret("tok"), "bearer", 3600, 1_700_000_000.0)


async def meet_at(store: MemoryStore) -> Token | None:
    """Let two wait for the lock of a key, and return what stands under it."""
    first = asyncio.Event()

    async def work() -> None:
        async with store.lock("key"):
            first.set()
            await asyncio.sleep(0)

    await asyncio.gather(work(), work())
    found = await store.load("key")
    await store.save("key", TOKEN)
    return found


def test_a_store_serves_one_event_loop_after_another() -> None:
    """With `asyncio.run` for each job, the second finds the token of the first, and its own lock."""
    store = MemoryStore()

    found = [asyncio.run(meet_at(store)) for _ in range(3)]

    assert found == [None, TOKEN, TOKEN]


async def test_a_hold_is_kept_until_it_is_lifted() -> None:
    """A hold belongs to its key; None lifts it, also where there is none."""
    store, hold = MemoryStore(), Hold("no", 1_800_000_000.0, 1)

    await store.save_hold("key", hold)
    found = [await store.load_hold("key"), await store.load_hold("other")]
    for _ in range(2):
        await store.save_hold("key", None)

    assert found == [hold, None]
    assert await store.load_hold("key") is None
