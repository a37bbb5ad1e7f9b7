"""A reply costs at most 12 times its size in memory, and no long list of honest objects is refused for it."""

import gc
import tracemalloc

import pytest

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.errors import CaxtonError
from caxton_async.protocol import codec
from caxton_async.protocol.reply import HttpReply, read_reply
from caxton_async.protocol.spelling import DecodeError

SIZE = 2**20


def model(inner: bytes) -> bytes:
    """Write an answer around the members of a Model."""
    return b'{"Content":{"Model":{' + inner + b"}}}"


def items(write: bytes) -> bytes:
    """Write an answer with a list of a megabyte; `%d` in an item is its number."""
    some = [write.replace(b"%d", b"%d" % number) for number in range(SIZE // (len(write) + 4))]
    return model(b'"Balances":[' + b",".join(some) + b"]")


FULL = (
    b'{"Balance":%d.31,"CcyCode":"GBP","BaseCcyCode":"GBP","AlphabeticCode":"GBP","Description":"Pound",'
    b'"NumericCode":"826","Symbol":"x","ApiStatusCode":100,"ApiStatus":"IsValid","ApiStatusDescription":"Valid"}'
)
HONEST = {
    "whole objects": items(FULL),
    "an unknown member in each": items(FULL[:-1] + b',"Added":%d}'),
    "the leanest objects": items(b'{"Balance":%d.10,"CcyCode":"GBP"}'),
}
HOSTILE = {
    "empty objects": items(b"{}"),
    "empty lists": items(b"[]"),
    "lists of one": items(b"[1]"),
    "objects of one": items(b'{"a":1}'),
    "decimals": items(b"%d.5"),
    "decimals without a point": items(b"%de5"),
    "texts": items(b'"a"'),
    "texts that are not ASCII": items('"\N{GRINNING FACE}"'.encode()),
    "new keys": model(b",".join(b'"k%d":1' % number for number in range(SIZE // 12))),
    "objects with new keys": items(b'{"k%d":1}'),
}
ODD = {
    "small integers": items(b"1"),
    "long key": model(b'"' + b"k" * 290 + b'":[' + b"1," * (SIZE // 2) + b"1]"),
    "words": model(b'"Note":"' + b"Some words. " * (SIZE // 12) + b'"'),
}


def memory_of(body: bytes) -> float:
    """Return what it takes to read a reply, as times its size."""
    tracemalloc.start()
    try:
        read_reply(e.MOVE_FUNDS, HttpReply(200, {"Content-Length": str(len(body))}, body))
    except CaxtonError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak / len(body)


@pytest.mark.parametrize("name", [*HONEST, *HOSTILE, *ODD])
def test_a_reply_costs_little_memory(name: str) -> None:
    """No shape of a reply takes more than 12 times its size."""
    assert memory_of({**HONEST, **HOSTILE, **ODD}[name]) <= 12


@pytest.mark.parametrize(
    "write",
    [
        b'{"Content":{"Model":{"ApiStatus":"%s"}}}',
        b'{"Content":{"Model":{"ApiStatus":"x"},"ExpectedResponses":["%s"]}}',
        b'{"Content":{"Model":{"ApiStatus":"x"},"ExpectedResponses":["x","%s"]}}',
        b'{"Content":{"Model":{"%s":1}}}',
    ],
    ids=["status", "expected response", "expected responses", "key"],
)
def test_ever_new_words_fill_no_memory(write: bytes) -> None:
    """What a server names is remembered only where it is as short as the names of an API."""
    tracemalloc.start()
    try:
        for number in range(20):
            body = write.replace(b"%s", b"%d" % number + b"x" * SIZE)
            with pytest.raises(CaxtonError):
                read_reply(e.MOVE_FUNDS, HttpReply(200, {"Content-Length": "1"}, body))
        del body
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert kept < 2 * SIZE


@pytest.mark.parametrize("name", HONEST)
def test_a_long_list_is_read_whole(name: str) -> None:
    """It is not the length that counts, and the last item is read like the first."""
    body = HONEST[name]

    result = read_reply(e.MOVE_FUNDS, HttpReply(200, {"Content-Length": str(len(body))}, body)).model

    assert len(result) == body.count(b'"Balance":')
    assert {type(balance) for balance in result} == {m.Balance}
    assert result[-1].balance == len(result) - 1 + result[0].balance


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_of_nothing_is_not_parsed(name: str) -> None:
    """What would fill the memory is refused before anything of it is made."""
    with pytest.raises(DecodeError, match="made of more small parts"):
        codec.decode(HOSTILE[name])


def test_a_long_list_with_a_wrong_item_says_where_it_stands() -> None:
    """The items before it are gone by then, and it is located all the same."""
    body = HONEST["whole objects"][:-4] + b',{"Balance":"x"}]}}}'

    with pytest.raises(CaxtonError) as raised:
        read_reply(e.MOVE_FUNDS, HttpReply(200, {"Content-Length": "1"}, body))

    count = body.count(b'"Balance":') - 1
    assert raised.value.path == f"$.Content.Model.Balances[{count}].Balance"
