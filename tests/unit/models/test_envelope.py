"""The envelope: what few ask for is read when they do, and none of it is lost on the way to another process."""

import copy
import pickle
from collections.abc import Callable

import pytest

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.endpoints import Endpoint
from caxton_async.protocol import codec
from caxton_async.protocol.reply import read_reply
from tests.support.places import SAMPLES
from tests.support.replies import reply, sample

WALLET: m.Envelope[m.Wallet] = m.Envelope(
    m.Content(m.Wallet(123456, "Marketing"), ("IsValid",), m.ApiStatus(100, "IsValid", "Valid Operation")),
    m.AuthorisedClientModel("<clientid>", "<clientref>"),
)
BODY = sample("14_create_wallet_response")


def test_an_answer_is_an_envelope_of_its_result() -> None:
    """Anybody can structure an answer that `decode` has parsed."""
    envelope = codec.structure(codec.decode(BODY), m.Envelope[m.Wallet])

    assert (envelope.content, envelope.client) == (WALLET.content, WALLET.client)
    assert (envelope.model, envelope.status) == (envelope.content.model, envelope.content.status)
    assert envelope.user is not None
    assert envelope.user.user_id == "<userid>"
    assert envelope.user is envelope.user


@pytest.mark.parametrize(
    "again", [lambda value: pickle.loads(pickle.dumps(value)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deep"]
)
def test_an_envelope_survives_pickling_and_copying(again: Callable[[object], object]) -> None:
    """What has not been read yet is read then."""
    envelope = read_reply(e.CREATE_WALLET, reply(BODY), request=m.CreateWallet("Marketing"))

    assert again(envelope) == envelope == codec.structure(codec.decode(BODY), m.Envelope[m.Wallet])
    assert repr(again(envelope)) == repr(envelope)
    assert hash(again(envelope)) == hash(envelope)


def test_an_envelope_shows_all_that_is_in_it() -> None:
    """Its text does not depend on what has been asked for."""
    assert repr(m.Envelope(m.Content(5))) == (
        "Envelope(content=Content(model=5, expected_responses=(), status=ApiStatus(api_status_code=None, "
        "api_status=None, api_status_description=None)), client=None, user=None, main_account_holder_name=None)"
    )


@pytest.mark.parametrize(
    ("endpoint", "name", "status"),
    [
        (e.CREATE_USER, "04_create_users", m.ApiStatus(314, "Success", "The application has been successful.")),
        (e.GET_BANK_REQUIREMENTS, "09_country_bank", m.ApiStatus(100, "IsValid", "Valid Operation")),
        (e.MOVE_FUNDS, "10_move_funds", m.ApiStatus(100, "IsValid", "Valid Operation")),
        (e.LIST_COUNTRIES, "07_list", m.ApiStatus(100, "IsValid", "Valid Operation")),
        (e.GET_ACCESS_TOKEN, "02_get_access_token", m.ApiStatus()),
    ],
    ids=["model", "object", "item", "item in an object", "none"],
)
def test_the_status_is_the_first_that_the_model_has(endpoint: Endpoint, name: str, status: m.ApiStatus) -> None:
    """The Model's own, else that of an object or an item in it."""
    (path,) = SAMPLES.glob(f"{name}*response.json")

    assert read_reply(endpoint, reply(path.read_bytes())).status == status
