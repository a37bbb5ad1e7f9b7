"""What keeps a secret out of texts."""

import operator

from tests.mutations import Mutation


def show(secret, *_args: object) -> str:
    """Return the text that no text may hold."""
    return f"Secret({secret.reveal()!r})"


MUTATIONS = (
    Mutation("repr masks a secret", "caxton_async.secret:Secret.__repr__", show, ("test_secret.py",)),
    Mutation("str masks a secret", "caxton_async.secret:Secret.__str__", show, ("test_secret.py",)),
    Mutation("format masks a secret", "caxton_async.secret:Secret.__format__", show, ("test_secret.py",)),
    Mutation(
        "a secret is not pickled",
        "caxton_async.secret:Secret.__reduce_ex__",
        lambda secret, _protocol: (type(secret), (secret.reveal(),)),
        ("test_secret.py",),
    ),
    Mutation(
        "secrets are compared in constant time",
        "caxton_async.secret:Secret.__eq__",
        lambda mine, other: isinstance(other, type(mine)) and operator.eq(mine.reveal(), other.reveal()),
        ("test_secret.py::test_comparing_takes_constant_time",),
    ),
)
