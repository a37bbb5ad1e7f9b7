"""Deterministic simulation: batches in a world of faults, kills and cancellations, decided by a seed each."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.simulation.world import FATES, Batch, World
from tests.support.scale import scaled

# In memory where there is such a place: 500 seeds write some twenty-five thousand transactions.
MEMORY = Path("/dev/shm")
ENDS = ("end", "stop", "cancel", "cancel twice", "kill", "kill", "kill")

# Seeds that once failed; each is kept, and run first.
KEPT: tuple[int, ...] = ()


@contextmanager
def said_of(seed: int) -> Iterator[None]:
    """Print the seed that fails."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"seed {seed} failed: watch it with simulate({seed}), and add it to KEPT")
        raise


def simulate(seed: int) -> list[str]:
    """Live through the lives of one batch, check after each, and return what happened."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        world = World(rng.choice)
        batch = Batch(world, Path(folder), concurrency=rng.choice((1, 3, 6)))
        for _ in range(rng.randrange(4)):
            batch.live(rng.choice(ENDS), moment=rng.randrange(1, 60))
            batch.check()
        batch.finish()
    return world.story


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_seed_makes_a_batch_do_anything_twice_or_lose_anything() -> None:
    """Through a thousand stories the books and the journal agree."""
    told = set()

    for seed in (*KEPT, *range(scaled(500, 10_000))):
        with said_of(seed):
            told.update(simulate(seed))

    assert {line.partition(" ")[2] for line in told} >= set(FATES), "each fate came to pass"


@pytest.mark.parametrize("seed", range(20))
def test_a_seed_tells_the_same_story_each_time(seed: int) -> None:
    """What failed once can be watched again."""
    first, second = simulate(seed), simulate(seed)

    assert first == second
    assert first
