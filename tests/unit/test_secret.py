"""The secret: no text shows it, nothing stores it, and comparing it takes the same time whatever is guessed."""

import asyncio
import copy
import hmac
import json
import logging
import pickle
import pprint

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async.secret import Secret, to_secret

HIDDEN = "canary-4711"


@attrs.frozen
class Holder:
    """Somebody's class with a secret in it."""

    token: Secret
    more: dict[str, Secret]


WAYS_TO_SHOW = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "format": format,
    "f-string": lambda value: f"{value} {value!r:>40} {value:_^40s}",
    "percent": lambda value: "%s %r" % (value, value),  # noqa: UP031 -- this way of formatting is the one under test
    "str.format": "{0.__class__} {0} {0!r}".format,
    "pprint": pprint.pformat,
    "dir": dir,
    "in containers": lambda value: repr([value, {"a": value}, (value,)]),
    "in a class": lambda value: repr(Holder(value, {"a": value})),
    "in asdict": lambda value: repr(attrs.asdict(Holder(value, {"a": value}))),
    "in an error": lambda value: f"{ValueError(value)} {ValueError(value)!r}",
    "in a log": lambda value: logging.LogRecord("n", 10, "f", 1, "%s %r", (value, value), None).getMessage(),
}


@pytest.mark.parametrize("show", WAYS_TO_SHOW.values(), ids=WAYS_TO_SHOW)
def test_no_text_shows_a_secret(show) -> None:
    """However it is formatted, alone or inside something else, the value stays hidden."""
    shown = str(show(Secret(HIDDEN)))

    assert shown
    assert HIDDEN not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    """No protocol of pickle writes the value, alone or inside something else."""
    for thing in (Secret(HIDDEN), [Secret(HIDDEN)], Holder(Secret(HIDDEN), {})):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing, protocol)


@pytest.mark.parametrize("write", [json.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins])
def test_a_secret_cannot_be_serialised(write) -> None:
    """A serialiser finds nothing that it could write."""
    with pytest.raises(TypeError) as refusal:
        write({"a": Secret(HIDDEN)})

    assert HIDDEN not in str(refusal.value)


def test_a_secret_has_no_state() -> None:
    """Tools that walk attributes find neither `__dict__` nor a state, and cannot add one."""
    secret = Secret(HIDDEN)

    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError, match="no state"):
        secret.__getstate__()
    with pytest.raises(AttributeError):
        secret.other = 1
    with pytest.raises(TypeError):
        vars(secret)


def test_a_copy_is_the_secret_itself() -> None:
    """Copying what holds a secret neither fails nor makes a second one."""
    secret = Secret(HIDDEN)

    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@pytest.mark.parametrize("value", [None, b"bytes", 5, Secret("x")])
def test_a_secret_holds_text_only(value: object) -> None:
    """Anything else is refused, by its type and not by its value."""
    with pytest.raises(TypeError, match=f"not {type(value).__name__}$"):
        Secret(value)


@given(st.text(), st.text())
def test_secrets_compare_by_value(mine: str, theirs: str) -> None:
    """Two secrets are equal exactly when their values are, whatever the characters, and hash alike."""
    assert (Secret(mine) == Secret(theirs)) == (mine == theirs)
    assert Secret(mine) == Secret(mine)
    assert hash(Secret(mine)) == hash(Secret(mine))
    assert Secret(mine).reveal() == mine
    assert bool(Secret(mine)) == bool(mine)


def test_half_a_character_can_be_compared() -> None:
    """A lone surrogate, which UTF-8 cannot carry, is no reason to fail."""
    assert Secret("\ud800") == Secret("\ud800")
    assert Secret("\ud800") != Secret("?")


def test_a_secret_equals_nothing_but_a_secret() -> None:
    """Its value as text is another thing."""
    assert Secret(HIDDEN) != HIDDEN
    assert hash(Secret(HIDDEN)) != hash(HIDDEN)


def test_comparing_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is that of `hmac`, whose time does not depend on where the values differ."""
    compared = []
    constant = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda mine, theirs: compared.append(mine) or constant(mine, theirs))

    assert Secret("a") == Secret("a")
    assert compared == [b"a"]


def test_to_secret_keeps_a_secret_as_it_is() -> None:
    """Text becomes a secret; a secret stays the same object."""
    secret = Secret(HIDDEN)

    assert to_secret(secret) is secret
    assert to_secret(HIDDEN) == secret


async def test_debugging_a_task_does_not_show_a_secret() -> None:
    """The `repr` of a future that holds a secret is what a crash reporter prints."""
    future: asyncio.Future[Secret] = asyncio.get_running_loop().create_future()
    future.set_result(Secret(HIDDEN))

    assert HIDDEN not in repr(future)
    assert await future == Secret(HIDDEN)
