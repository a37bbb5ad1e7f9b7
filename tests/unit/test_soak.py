"""The soak in small, so that it is in order when it is needed."""

from tests.soak import MAX_GROWTH, soak


async def test_a_few_hundred_calls_leave_nothing_behind() -> None:
    """Calls with trouble among them leave no memory, descriptor or task behind, and most are answered."""
    soaked = await soak(400)

    assert soaked.ended.total() == 400
    assert soaked.is_dry, soaked
    assert soaked.growth < MAX_GROWTH
