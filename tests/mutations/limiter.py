"""What bounds the calls in flight."""

from tests.mutations import Mutation, returning

MUTATIONS = (
    Mutation(
        "calls in flight never exceed the limit",
        "caxton_async.limiter:Limiter.try_acquire",
        returning(True),
        ("test_limiter.py",),
    ),
    Mutation("starts are paced", "caxton_async.limiter:Limiter._is_early", returning(False), ("test_limiter.py",)),
)
