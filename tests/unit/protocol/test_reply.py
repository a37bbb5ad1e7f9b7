"""Replies: what counts as an answer, what each status means, and what an error says of it.

`PAY` must not be repeated, `LOOK` may be: each reply is read for both.
"""

import datetime as dt
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, field, frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from caxton_async import endpoints as e
from caxton_async import models as m
from caxton_async.endpoints import CATALOGUE, Endpoint
from caxton_async.errors import (
    ApiError,
    CaxtonError,
    NotAuthorised,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Sent,
    ServerFailed,
    UnreadableReply,
)
from caxton_async.protocol.request import HttpReply, read_reply
from caxton_async.protocol.retry_after import retry_after_s
from caxton_async.secret import Secret
from tests.support.replies import FAILED, VALID, envelope, reply
from tests.support.scale import scaled

PAY = Endpoint("pay", "POST", "pay")
LOOK = Endpoint("look", "GET", "look", repeatable=True)
HIDDEN = "canary-4711"
MODEL = "$.Content.Model"
ACCEPTED = {"ApiStatusCode": 200, "ApiStatus": "Accepted"}


def error_of(endpoint: Endpoint[Any, Any], answer: HttpReply, **context: Any) -> CaxtonError | None:
    """Return the error that a reply makes, None for a success."""
    try:
        read_reply(endpoint, answer, **context)
    except CaxtonError as error:
        return error
    return None


def kind_of(endpoint: Endpoint[Any, Any], body: object, status: int = 200) -> type[CaxtonError] | None:
    """Return the class of the error that an answer makes, None for a success."""
    error = error_of(endpoint, reply(body, status))
    return None if error is None else type(error)


# --- the table of decisions ---

BODIES: dict[str, object] = {
    "success": envelope(VALID, ["IsValid"]),
    "refusal": envelope(FAILED, ["IsValid"]),
    "bare refusal": envelope({}),
    "message": {"Message": "An error has occurred."},
    "oauth": {"error": "invalid_grant", "error_description": "wrong"},
    "html": b"<html>502 Bad Gateway</html>",
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"ok"',
    "object": {},
    "no model": {"Content": {}},
    "null model": envelope(None),
    "text model": envelope("ok"),
    "null content": {"Content": None},
}
REFUSALS = {401: NotAuthorised, 403: NotAuthorised, 404: NotFound, 429: RateLimited}
REFUSING = {400, 401, 403, 404, 405, 406, 411, 413, 414, 415, 422, 429, 431}


def expected(body: str, status: int, *, repeatable: bool) -> type[CaxtonError] | None:
    """Say what the documentation promises: the rules of what counts as an answer, in its order."""
    unknown = UnreadableReply if repeatable else OutcomeUnknown
    if 500 <= status < 600:
        return ServerFailed if repeatable else unknown
    if status in {200, 201}:
        return {"success": None, "refusal": ApiError, "bare refusal": None}.get(body, unknown)
    if status in REFUSING and body in {"refusal", "message", "oauth"}:
        return REFUSALS.get(status, ApiError)
    return unknown


STATUSES = [
    *(100, 101, 200, 201, 202, 204, 206, 299, 301, 304, 307, *sorted(REFUSING), 402, 407, 408, 409, 410, 423),
    *(424, 425, 426, 428, 451, 499, 500, 502, 503, 599, 999),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("endpoint", [PAY, LOOK], ids=["pay", "look"])
def test_a_reply_means_what_the_table_says(endpoint: Endpoint, body: str) -> None:
    """Only an envelope, or the framework's own refusal under a 4xx, is an answer; all else leaves a payment unknown."""
    for status in STATUSES:
        error = error_of(endpoint, reply(BODIES[body], status), correlation_id="id-1")

        kind = expected(body, status, repeatable=endpoint.repeatable)
        assert (None if error is None else type(error)) == kind, status
        if error is not None:
            sent = Sent.UNKNOWN if kind is OutcomeUnknown else Sent.YES
            safe = kind in {RateLimited, ServerFailed, UnreadableReply}
            assert (error.sent, error.safe_to_retry, error.http_status) == (sent, safe, status)
            assert (error.endpoint, error.correlation_id) == (endpoint.name, "id-1")
            assert (error.__cause__, error.__context__) == (None, None)


def test_a_refusal_says_what_the_api_said() -> None:
    """Code, status and description are as they came; the path says where they stand."""
    error = error_of(PAY, reply(BODIES["refusal"], 200), correlation_id="id-1")

    assert isinstance(error, ApiError)
    assert (error.api_status_code, error.api_status, error.description) == (217, "Failed", "No can do")
    assert (error.path, error.http_status, error.retry_after_s) == (MODEL, 200, None)
    assert str(error) == "pay was refused: Failed (No can do)"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param({"Message": "gone"}, 404, (NotFound, None, "gone", "$"), id="message"),
        pytest.param({"message": "gone"}, 404, (NotFound, None, "gone", "$"), id="message in small letters"),
        pytest.param({"error": "bad"}, 400, (ApiError, "bad", "bad", "$"), id="error alone"),
        pytest.param(
            {"error": "bad", "error_description": "worse"}, 400, (ApiError, "bad", "worse", "$"), id="error described"
        ),
        pytest.param({"Message": "no", "error": 5}, 401, (NotAuthorised, None, "no", "$"), id="error of another type"),
    ],
)
def test_a_framework_s_refusal_is_quoted(body: object, status: int, said: tuple) -> None:
    """What the framework says under a 4xx is the description of the error."""
    error = error_of(PAY, reply(body, status))

    assert (type(error), error.api_status, error.description, error.path) == said


def test_a_refusal_without_a_word_says_the_http_status() -> None:
    """There is always something to show."""
    assert str(error_of(PAY, reply({"error": {}, "Message": 5}, 415))) == "pay was refused: HTTP 415"
    assert str(error_of(PAY, reply(envelope({"ApiStatusCode": 7})))) == "pay was refused: status 7"


def test_an_unknown_outcome_says_what_to_do() -> None:
    """The message of the error that costs most names the call, the reason and the next step."""
    error = error_of(PAY, reply(BODIES["refusal"], 503))

    assert str(error) == (
        "pay may or may not have been carried out: the reply has HTTP status 503; "
        "find out at the API before you call again"
    )
    assert (error.api_status_code, error.api_status) == (217, "Failed")
    assert str(error_of(LOOK, reply(b"[]"))) == "look: the reply is not a JSON object; it is safe to call again"


# --- what is wrong with a reply as a whole ---


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(HttpReply(flaw="the connection failed"), "the connection failed", id="flaw"),
        pytest.param(reply(VALID, headers={"Content-Encoding": "gzip"}), "compressed", id="gzip"),
        pytest.param(reply(VALID, headers={"content-encoding": "br, identity"}), "compressed", id="two encodings"),
        pytest.param(HttpReply(200, CIMultiDict(), b"{}"), "does not say how long it is", id="no length"),
        pytest.param(reply(b"\xff\xfe{\x00}\x00"), r"HTTP 200\) is not JSON", id="UTF-16"),
        pytest.param(reply('{"Content":{"Model":{"a":"é"}}}'.encode("latin-1")), "is not JSON", id="latin-1"),
        pytest.param(reply(b'{"Content":{"Model":{"a":NaN}}}'), "is not JSON", id="not a number"),
        pytest.param(reply(b'{"Content":{"Model":{"a":Infinity}}}'), "is not JSON", id="infinity"),
        pytest.param(reply(b'{"Content":{"Model":{"a":' + b"1" * 5000 + b"}}}"), "is not JSON", id="5,000 digits"),
        pytest.param(reply(b'{"Content":' * 10_000), "is nested too deeply", id="nesting"),
        pytest.param(reply(b'{"Content":{"Model":{}}'), "is not JSON", id="cut off"),
        pytest.param(reply(envelope([1])["Content"]), "has no Model in its Content", id="no content"),
    ],
)
def test_a_reply_that_is_not_whole_is_no_answer(answer: HttpReply, said: str) -> None:
    """For a payment its outcome is unknown; a look-up may be made again."""
    unknown, unreadable = error_of(PAY, answer), error_of(LOOK, answer)

    assert (type(unknown), type(unreadable)) == (OutcomeUnknown, UnreadableReply)
    assert unknown.sent is Sent.UNKNOWN
    assert unreadable.sent is (Sent.YES if answer.flaw is None else Sent.UNKNOWN)
    assert unknown.http_status == (answer.status or None)
    assert unknown.__context__ is None
    with pytest.raises(OutcomeUnknown, match=said):
        read_reply(PAY, answer)


@pytest.mark.parametrize(
    "answer",
    [
        HttpReply(200, CIMultiDict({"transfer-encoding": "chunked"}), json.dumps(envelope(VALID)).encode()),
        reply(b"\xef\xbb\xbf" + json.dumps(envelope(VALID)).encode()),
        reply(envelope(VALID), headers={"Content-Type": "text/plain; charset=hex"}),
        reply(envelope(VALID), 201),
        reply(envelope(VALID), headers={"Content-Encoding": "identity"}),
        reply(envelope(VALID), headers={"content-encoding": " Identity "}),
        reply(envelope(VALID), headers={"Content-Encoding": ""}),
        reply(envelope(VALID, ["IsValid"], error=None)),
        reply(envelope(VALID, None)),
    ],
    ids=["chunked", "mark", "other type", "created", "identity", "letters", "empty", "error: null", "names: null"],
)
def test_a_whole_answer_is_taken_however_it_is_dressed(answer: HttpReply) -> None:
    """Chunks, a byte-order mark and the content type change nothing."""
    assert error_of(PAY, answer) is None


# --- statuses ---


@pytest.mark.parametrize(
    ("model", "names", "outcome"),
    [
        pytest.param(VALID, ["IsValid"], None, id="as the guide shows"),
        pytest.param(VALID, None, None, id="without names"),
        pytest.param({"ApiStatusCode": 314, "ApiStatus": "Success"}, ["Success"], None, id="314"),
        pytest.param({"ApiStatusCode": 314, "ApiStatus": "Success"}, None, None, id="314 without names"),
        pytest.param(ACCEPTED, ["Accepted"], None, id="another name that is expected"),
        pytest.param(ACCEPTED, ["Pending", "Accepted"], None, id="one of several"),
        pytest.param(ACCEPTED, ["ACCEPTED"], None, id="letters of the name"),
        pytest.param(ACCEPTED, ["IsValid"], ApiError, id="a name that is not expected"),
        pytest.param(ACCEPTED, None, ApiError, id="a code that is not success"),
        pytest.param(VALID, ["Success"], OutcomeUnknown, id="valid where success is expected"),
        pytest.param(
            {"ApiStatusCode": 100, "ApiStatus": "Failed"}, ["IsValid"], OutcomeUnknown, id="a good code, another name"
        ),
        pytest.param({"ApiStatusCode": 217, "ApiStatus": "IsValid"}, ["IsValid"], None, id="also for success"),
        pytest.param(
            {"ApiStatusCode": 217, "ApiStatus": "IsValid"}, None, OutcomeUnknown, id="without names both have to"
        ),
        pytest.param({"ApiStatusCode": 100}, ["IsValid"], None, id="a code alone"),
        pytest.param({"ApiStatusCode": 217}, ["IsValid"], ApiError, id="a failing code alone"),
        pytest.param({"ApiStatus": "IsValid"}, None, None, id="a name alone"),
        pytest.param({"ApiStatus": "Failed"}, None, ApiError, id="a failing name alone"),
        pytest.param({"ApiStatusCode": "100", "ApiStatus": "IsValid"}, None, None, id="a code in quotes"),
        pytest.param({"ApiStatusCode": "100"}, None, None, id="a code in quotes alone"),
        pytest.param({"ApiStatusCode": " 217"}, None, ApiError, id="a failing code in quotes"),
        pytest.param({"ApiStatusCode": "x"}, None, OutcomeUnknown, id="a code that is none"),
        pytest.param({"ApiStatusCode": True}, None, OutcomeUnknown, id="true for a code"),
        pytest.param({"ApiStatusCode": Decimal("100.0")}, None, None, id="a code with a point"),
        pytest.param({"ApiStatus": {}}, ["IsValid"], OutcomeUnknown, id="an object for a name"),
        pytest.param({"ApiStatusCode": None, "ApiStatus": None}, ["IsValid"], None, id="null is no status"),
        pytest.param({}, ["IsValid"], None, id="no status at all"),
        pytest.param({"ApiStatus": " IsValid\r\n"}, ["ISVALID "], None, id="white space"),
        pytest.param({"ApiStatusCode": 100, "ApiStatus": " "}, ["IsValid"], None, id="a blank name is none"),
        pytest.param({"ApiStatus": "Failed", "apistatus": "IsValid"}, None, OutcomeUnknown, id="a name twice"),
        pytest.param({"apistatuscode": 100, "APISTATUS": "isvalid"}, ["IsValid"], None, id="letters of the members"),
        pytest.param({"apistatuscode": 217, "APISTATUS": "failed"}, ["IsValid"], ApiError, id="letters of a failure"),
        pytest.param(VALID, "IsValid", None, id="names that are no list"),
        pytest.param(VALID, [None, 5, "IsValid"], None, id="names of other types"),
        pytest.param(VALID, [], None, id="empty names"),
        pytest.param({"Country": VALID}, ["IsValid"], None, id="success in an object"),
        pytest.param({"Country": FAILED}, ["IsValid"], ApiError, id="failure in an object"),
        pytest.param(VALID | {"Country": FAILED}, ["IsValid"], OutcomeUnknown, id="failure below success"),
        pytest.param({"A": VALID, "B": FAILED}, ["IsValid"], OutcomeUnknown, id="one of two objects"),
        pytest.param(FAILED | {"Country": VALID}, ["IsValid"], OutcomeUnknown, id="success below failure"),
        pytest.param({"Items": [VALID, FAILED]}, None, OutcomeUnknown, id="failure in a list"),
        pytest.param({"Items": [VALID, VALID]}, None, None, id="success in a list"),
        pytest.param(VALID | {"Items": [{"Deep": [{"Er": FAILED}]}]}, None, OutcomeUnknown, id="failure far below"),
        pytest.param(
            VALID | {"Items": [{"ApiStatus": "Failed", "ApiStatusCode": 100}]},
            ["IsValid"],
            OutcomeUnknown,
            id="names in a list",
        ),
        pytest.param(
            {"ApiStatusCode": 314, "ApiStatus": "Success", "Items": [VALID]},
            ["Success"],
            OutcomeUnknown,
            id="usual names in a list",
        ),
        pytest.param([VALID], None, None, id="a list of successes"),
        pytest.param([FAILED], None, ApiError, id="a list with a failure"),
        pytest.param({"Items": [FAILED]}, ["IsValid"], ApiError, id="failures alone"),
    ],
)
def test_the_statuses_of_an_answer_decide(model: object, names: object, outcome: type | None) -> None:
    """An answer counts only where every status in it says the same, and none of them contradicts itself."""
    assert kind_of(PAY, envelope(model, names)) is outcome


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (envelope(VALID | {"Items": [VALID, {"In": FAILED}]}), f"{MODEL}.Items[1].In"),
        (envelope({"Country": FAILED}), f"{MODEL}.Country"),
        (envelope(VALID, Elsewhere={"In": [FAILED]}), "$.Elsewhere.In[0]"),
        ({"Content": {"Model": VALID, "Other": FAILED}}, "$.Content.Other"),
        (FAILED | envelope(VALID), "$"),
        (envelope(VALID, AuthorisedUserModel=FAILED), "$.AuthorisedUserModel"),
        (envelope({}, AUTHORISEDCLIENTMODEL=FAILED), "$.AUTHORISEDCLIENTMODEL"),
    ],
    ids=["item", "object", "beside", "in the content", "at the top", "user", "client"],
)
@pytest.mark.parametrize("endpoint", [PAY, LOOK], ids=["pay", "look"])
def test_the_path_says_where_the_failure_stands(endpoint: Endpoint, body: object, path: str) -> None:
    """Wherever in the answer it is, a failing status is found, and its code and name are in the error."""
    error = error_of(endpoint, reply(body))

    assert (error.path, error.api_status_code, error.api_status) == (path, 217, "Failed")


@pytest.mark.parametrize("endpoint", [PAY, LOOK], ids=["pay", "look"])
@pytest.mark.parametrize("status", [200, 400, 401, 408, 503])
@pytest.mark.parametrize("member", ["AuthorisedClientModel", "AuthorisedUserModel", "authorisedusermodel"])
@pytest.mark.parametrize("model", [None, {}, FAILED, VALID, {"WalletId": 1}], ids=str)
def test_a_refused_client_or_user_is_not_authorised(
    endpoint: Endpoint, status: int, member: str, model: object
) -> None:
    """Beside a Content that fails or is empty, nothing was done; beside one that does not, nobody knows."""
    error = error_of(endpoint, reply(envelope(model, **{member: FAILED}), status))

    counts = status in {200, 400, 401} and model in (None, {}, FAILED)
    unknown = UnreadableReply if endpoint.repeatable else OutcomeUnknown
    assert type(error) is (
        NotAuthorised if counts else ServerFailed if status == 503 and endpoint.repeatable else unknown
    )
    assert error.api_status_code == 217


@pytest.mark.parametrize(
    ("triplet", "outcome"),
    [
        (VALID, None),
        ({"ApiStatus": "Success"}, None),
        ({"ApiStatus": "Accepted", "ApiStatusCode": 217}, None),
        ({}, None),
        ({"ApiStatusCode": 100, "ApiStatus": "Odd"}, OutcomeUnknown),
    ],
    ids=["valid", "name", "expected", "none", "contradiction"],
)
def test_the_usual_signs_authorise_a_client_whatever_the_call_expects(triplet: dict, outcome: type | None) -> None:
    """ExpectedResponses is not about the client: a payment that was made is not called refused over a word."""
    assert kind_of(PAY, envelope(ACCEPTED, ["Accepted"], AuthorisedClientModel=triplet)) is outcome


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (VALID, OutcomeUnknown),
        ({"Items": [VALID]}, OutcomeUnknown),
        ({"Items": [VALID, FAILED]}, OutcomeUnknown),
        ({"Country": VALID}, OutcomeUnknown),
        ({}, OutcomeUnknown),
        ({"Items": [FAILED]}, ApiError),
        (FAILED, ApiError),
    ],
    ids=["model", "item", "mixed items", "object", "nothing", "failing item", "failing"],
)
def test_success_under_a_client_error_is_a_contradiction(model: dict, kind: type) -> None:
    """When HTTP says no and the answer does not, nobody knows whether the payment was made."""
    unknown = UnreadableReply if kind is OutcomeUnknown else kind
    assert (kind_of(PAY, envelope(model), 400), kind_of(LOOK, envelope(model), 400)) == (kind, unknown)


@pytest.mark.parametrize(
    "body",
    [
        {"Content": {"Model": VALID}, "content": {"Model": FAILED}},
        {"Content": {"Model": VALID, "model": FAILED}},
        {"Content": {"Model": VALID | {"WalletId": 1, "walletid": 2}}},
        {"Content": {"Model": {"WalletId": 1, "walletid": 2}}},
        envelope(VALID, error="failed"),
        envelope(VALID, Error={"code": 5}),
        VALID | {"Message": "done"},
    ],
    ids=["content", "model", "member beside a status", "member", "error", "error object", "success without a content"],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_that_says_two_things_is_none(body: object, status: int) -> None:
    """Of two members that differ in case alone, or of an error beside a result, nobody knows which one counts."""
    assert kind_of(PAY, body, status) is OutcomeUnknown


@pytest.mark.parametrize("status", [200, 201])
def test_an_early_success_is_none(status: int) -> None:
    """What came before the request had been sent whole cannot answer it; a look-up takes it nevertheless."""
    answer = evolve(reply(envelope(VALID), status), early=True)

    assert type(error_of(PAY, answer)) is OutcomeUnknown
    assert error_of(LOOK, answer) is None


def test_a_refusal_may_come_early() -> None:
    """A server need not read a body that it does not want."""
    for answer in (reply({"message": "too large"}, 413), reply(envelope(FAILED))):
        assert type(error_of(PAY, evolve(answer, early=True))) is ApiError


@pytest.mark.parametrize(
    "key",
    [rb"\u0041piStatusCode", rb"ApiStatus\u0043ode", rb"\u0061pistatuscode", rb"APISTATUSCODE"],
    ids=["first letter", "inner letter", "small letters", "capitals"],
)
def test_no_spelling_hides_a_failing_status(key: bytes) -> None:
    """Escapes and letters of another case are the same member to a parser, and to us."""
    body = b'{"Content":{"Model":{"ApiStatusCode":100,"Items":[{"%s":217}]},"ExpectedResponses":["IsValid"]}}' % key

    assert kind_of(PAY, body) is OutcomeUnknown


def test_no_depth_hides_a_failing_status() -> None:
    """As deep as the parser goes, the search goes too, in every Python."""
    depths = range(50, 1000, 50)

    outcomes = [
        kind_of(
            PAY,
            b'{"Content":{"Model":{"ApiStatusCode":100,"a":'
            + b'{"a":[' * depth
            + b'{"APIStatusCode":217}'
            + b"]}" * depth
            + b"}}}",
        )
        for depth in depths
    ]

    assert set(outcomes) == {OutcomeUnknown}


def test_a_path_of_any_length_is_cut() -> None:
    """The server's own names do not make an error of megabytes."""
    error = error_of(PAY, reply(envelope(VALID | {"k" * 10_000: [FAILED]})))

    assert len(error.path) == 300
    assert len(str(error)) < 600


# --- results ---


def test_the_result_of_the_catalogue_is_read_in_every_letter_case() -> None:
    """The members of the envelope, and those of the result, are found in whatever case they come."""
    body = json.dumps(envelope({"WALLETID": 7, "name": "x", **VALID}, ["IsValid"])).lower().encode()

    assert read_reply(e.CREATE_WALLET, reply(body)).model == m.Wallet(7, "x")


@pytest.mark.parametrize(
    ("endpoint", "model", "said"),
    [
        (
            e.MOVE_FUNDS,
            {"Balances": [{"Balance": 1, "CcyCode": "GBP"}, {"Balance": HIDDEN, "CcyCode": "X"}]},
            f"{MODEL}.Balances[1].Balance",
        ),
        (e.MOVE_FUNDS, {}, f"{MODEL}.Balances"),
        (e.MOVE_FUNDS, [], f"{MODEL}.Balances"),
        (
            e.LIST_COUNTRIES,
            {"Countries": {"Result": [{"ShortName": HIDDEN}]}},
            f"{MODEL}.Countries.Result[0].Alpha2Code",
        ),
        (e.LIST_COUNTRIES, {"Countries": [HIDDEN]}, f"{MODEL}.Countries.Result"),
        (e.CREATE_WALLET, {"WalletId": HIDDEN, "Name": "x"}, f"{MODEL}.WalletId"),
        (e.CREATE_CARD, {"CardId": None}, f"{MODEL}.CardId"),
        (e.CREATE_WALLET, [], MODEL),
    ],
    ids=["amount", "no list", "model list", "country", "no result", "id", "null id", "list"],
)
def test_a_result_that_does_not_fit_is_named_by_its_place(endpoint: Endpoint, model: object, said: str) -> None:
    """A success whose result cannot be read is no answer: the place is named, the value is not shown."""
    request = m.NewCard(1, "A", "B", "Male", "1990-05-20") if endpoint is e.CREATE_CARD else None
    error = error_of(endpoint, reply(envelope(model)), request=request)

    assert type(error) is (UnreadableReply if endpoint.repeatable else OutcomeUnknown)
    assert error.path == said
    assert f" {said} of the reply is " in str(error)
    assert HIDDEN not in repr(error)
    assert (error.__cause__, error.__context__) == (None, None)


def test_null_for_a_list_is_an_empty_one() -> None:
    """A look-up that finds nothing may say so with null."""
    assert read_reply(e.LIST_BANKS, reply(envelope({"BankDetails": None} | VALID))).model == ()


def test_a_token_is_read_without_an_envelope() -> None:
    """The answer to the login has none; whatever lacks is named."""
    answer = {"access_token": "t", "token_type": "bearer", "expires_in": "60"}

    assert read_reply(e.GET_ACCESS_TOKEN, reply(answer)).model == m.AccessToken(Secret("t"), "bearer", 60)
    for name in ("access_token", "token_type"):
        error = error_of(e.GET_ACCESS_TOKEN, reply({key: value for key, value in answer.items() if key != name}))
        assert (type(error), error.path) == (OutcomeUnknown, f"$.{name}")


def test_what_stands_around_a_result_does_not_fail_it() -> None:
    """A client, a user or a holder of the wrong shape is None, or is None in the part that is wrong."""
    body = envelope(VALID, ["IsValid"], AuthorisedClientModel=5, AuthorisedUserModel={"UserId": 7, "ApiLoginType": 1})

    answer = read_reply(PAY, reply(body | {"MainAccountHolderName": 5}))

    user = m.AuthorisedUserModel(api_login_type=1)
    assert (answer.model, answer.client, answer.user, answer.main_account_holder_name) == (None, None, user, None)


# --- the echo ---

CARD = m.NewCard(7, "A", "B", "Male", "1990-05-20")
PAYLOAD = m.SubmitBulkPayload(1234, "A\r\n1\r\n")


@pytest.mark.parametrize(
    ("endpoint", "request_", "echo", "outcome"),
    [
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"UploadRecordId": 1234}, None),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"UploadRecordId": "1234"}, None),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {}, None),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"UploadRecordId": None}, None),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"UploadRecordId": 1235}, OutcomeUnknown),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"uploadrecordid": 1235}, OutcomeUnknown),
        (e.SUBMIT_BULK_PAYLOAD, PAYLOAD, {"UploadRecordId": ""}, OutcomeUnknown),
        (e.CREATE_CARD, CARD, {"CardId": "1", "WalletId": 7}, None),
        (e.CREATE_CARD, CARD, {"CardId": "1", "WalletId": 8}, OutcomeUnknown),
        (e.GET_COUNTRY, m.GetCountry("GB"), {"Country": {"Alpha2Code": "GB"}, "Code": "gb"}, None),
        (e.GET_COUNTRY, m.GetCountry("GB"), {"Country": {"Alpha2Code": "GB"}, "Code": "FR"}, UnreadableReply),
    ],
    ids=[
        "same",
        "as text",
        "none",
        "null",
        "other",
        "letters",
        "empty",
        "same wallet",
        "other wallet",
        "code",
        "other code",
    ],
)
def test_an_answer_that_names_another_thing_is_not_ours(
    endpoint: Endpoint, request_: object, echo: dict, outcome: type | None
) -> None:
    """What the path asked for, the answer may name again: then it is the same, or the answer is somebody else's."""
    error = error_of(endpoint, reply(envelope(echo | VALID, ["IsValid"])), request=request_)

    assert (None if error is None else type(error)) is outcome
    if error is not None:
        assert "does not name what was asked for" in str(error)


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        (("GBP", "POTBC-GBP"), None),
        ((" gbp", "potbc-GBP\r\n"), None),
        (("GBP", "POT1-GBP"), OutcomeUnknown),
        (("POTBC-GBP", "GBP"), OutcomeUnknown),
        (("GBP",), OutcomeUnknown),
        ((), OutcomeUnknown),
    ],
    ids=["same", "dressed", "another pot", "other way round", "one", "none"],
)
def test_an_answer_about_something_else_is_not_ours(codes: tuple[str, ...], outcome: type | None) -> None:
    """A server that answers twice, or a proxy that mixes answers up, is not believed for another payment."""
    balances = [{"Balance": 1, "CcyCode": code} for code in codes]
    request = m.MoveFunds("GBP", "POTBC-GBP", 10)

    error = error_of(e.MOVE_FUNDS, reply(envelope({"Balances": balances} | VALID)), request=request)

    assert (None if error is None else type(error)) is outcome
    assert error is None or error.path == f"{MODEL}.Balances"


def test_a_confirmation_that_fails_confirms_nothing() -> None:
    """A function of the user's may raise anything."""
    endpoint = Endpoint("pay_bill", "POST", "bills", PayBill, Receipt, confirms=lambda _request, _result: 1 / 0)

    assert kind_of_request(endpoint) is OutcomeUnknown


def kind_of_request(endpoint: Endpoint[Any, Any]) -> type[CaxtonError] | None:
    """Return the class of the error that a good answer to a bill makes."""
    error = error_of(endpoint, reply(envelope({"PayeeId": 7})), request=PayBill(7))
    return None if error is None else type(error)


@frozen
class PayBill:
    """Somebody's own request, which names its payee in the path."""

    payee_id: int


@frozen
class Receipt:
    """Somebody's own answer, which names the payee again."""

    payee_id: int


def test_an_echo_that_belongs_to_the_result_is_looked_at_too() -> None:
    """An answer just as documented, but for another payee, is not ours."""
    pay_bill = Endpoint("pay_bill", "POST", "payees/{payee_id}/bills", PayBill, Receipt)
    right, wrong = (error_of(pay_bill, reply(envelope({"PayeeId": n})), request=PayBill(7)) for n in (7, 8))

    assert right is None
    assert (type(wrong), wrong.path) == (OutcomeUnknown, f"{MODEL}.PayeeId")


# --- secrets and other text of the server's ---


@frozen
class Tell:
    """A request with secrets of its own."""

    pin: Secret
    empty: Secret = field(factory=lambda: Secret(""))


TELL = Endpoint("tell", "POST", "tell", Tell)


@pytest.mark.parametrize("endpoint", [TELL, LOOK], ids=["tell", "look"])
@pytest.mark.parametrize("secret", ["pin", "token", "user token"])
@pytest.mark.parametrize(
    "echo",
    [
        lambda text: reply(envelope({"ApiStatusCode": 5, "ApiStatus": text, "ApiStatusDescription": f"<{text}>"})),
        lambda text: reply(envelope(VALID | {text: FAILED})),
        lambda text: reply(envelope(VALID | {"Items": [{"ApiStatus": text, "ApiStatusDescription": text}]})),
        lambda text: reply({"Message": f"no {text}"}, 400),
        lambda text: reply({"error": text, "error_description": text}, 401),
        lambda text: reply(envelope({"ApiStatusCode": 5, "ApiStatus": text}), 503),
        lambda text: reply(envelope({"ApiStatusCode": 5, "ApiStatus": f"a\n{text}\n{text}" + "x" * 500})),
    ],
    ids=["status", "key", "item", "message", "oauth", "server error", "long"],
)
def test_an_echoed_secret_is_masked(endpoint: Endpoint, secret: str, echo) -> None:
    """Whatever the server repeats of a token or a password, the error does not."""
    text = {"pin": "canary-pin", "token": "canary-token", "user token": "canary-user"}[secret]
    request = Tell(Secret("canary-pin")) if endpoint is TELL else None
    in_use = [
        Secret("Bearer canary-token"),
        Secret("canary-user"),
        *([Secret("canary-pin")] if request is None else []),
    ]
    error = error_of(endpoint, echo(text), request=request, secrets=in_use)

    shown = f"{error!r} {error} {vars(error)}"
    assert "canary" not in shown
    assert "***" in shown


def test_a_secret_of_nothing_masks_nothing() -> None:
    """An empty secret stands between any two letters; what the server says stays readable."""
    error = error_of(TELL, reply(envelope(FAILED)), request=Tell(Secret("canary-pin")))

    assert (error.api_status, error.description) == ("Failed", "No can do")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\r\ntwo\tthree", "one two three"),
        ("a\x1b[31mred", "a [31mred"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "a b"),
        ("a\N{LINE SEPARATOR}b", "a b"),
        ("a\x00b", "a b"),
        ("x" * 301, "x" * 300),
        ("£ 5", "£ 5"),
    ],
    ids=["lines", "escape", "direction", "separator", "NUL", "long", "plain"],
)
def test_text_of_the_servers_is_one_printable_line(text: str, shown: str) -> None:
    """No description moves the cursor of a terminal, or makes a second line of a log."""
    error = error_of(PAY, reply(envelope(FAILED | {"ApiStatusDescription": text})))

    assert error.description == shown


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 503])
@pytest.mark.parametrize("endpoint", [PAY, LOOK], ids=["pay", "look"])
def test_every_error_of_a_reply_can_be_pickled(endpoint: Endpoint, status: int) -> None:
    """Workers hand their errors on, with all that is known."""
    error = error_of(endpoint, reply(BODIES["refusal"], status, {"Retry-After": "5"}), correlation_id="id-1")

    arrived = pickle.loads(pickle.dumps(error))

    assert (type(arrived), str(arrived), vars(arrived)) == (type(error), str(error), vars(error))


# --- Retry-After ---

DATE = "Sun, 22 Nov 2026 17:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"Retry-After": "9" * 400}, 1e10),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, 2.0),
        ({"Retry-After": "1e5"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "\N{ARABIC-INDIC DIGIT FIVE}"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 17:01:30 GMT", "Date": DATE}, 90.0),
        ({"Retry-After": "Sun, 22 Nov 2026 16:00:00 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "5, Sun, 22 Nov 2026 17:01:30 GMT, 7.25", "Date": DATE}, 90.0),
        ({"Retry-After": "Sunday, 22-Nov-26 17:01:30 GMT", "Date": DATE}, 90.0),
        ({"Retry-After": "Sun Nov 22 17:01:30 2026", "Date": DATE}, 90.0),
        ({"Retry-After": "Sun, 99 Nov 2026 17:01:30 GMT", "Date": DATE}, None),
        ({"Retry-After": "Sun, 22 Nov 99999 17:01:30 GMT", "Date": DATE}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 17:01:30 +9999", "Date": DATE}, None),
    ],
    ids=[
        *(
            "none",
            "zero",
            "seconds",
            "huge",
            "negative",
            "fraction",
            "exponent",
            "empty",
            "word",
            "other digits",
            "date",
        ),
        *("past", "several", "old form", "oldest form", "no such day", "far year", "far zone"),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, or a date measured from the reply's own; anything else says nothing."""
    limited, failed = (
        error_of(endpoint, reply(BODIES["refusal"], status, headers)) for endpoint, status in ((PAY, 429), (LOOK, 503))
    )

    assert (type(limited), type(failed)) == (RateLimited, ServerFailed)
    assert (limited.retry_after_s, failed.retry_after_s) == (seconds, seconds)


def test_a_date_without_one_to_compare_it_to_counts_from_now() -> None:
    """Nearly every server says its time; where one does not, our clock is what there is."""
    headers = {"Retry-After": "Sun, 22 Nov 2026 17:01:30 GMT"}
    now = dt.datetime(2026, 11, 22, 17, 0, tzinfo=dt.UTC).timestamp()

    assert retry_after_s(headers, lambda: now) == 90.0
    assert retry_after_s(headers | {"Date": "today"}, lambda: now) == 90.0


def test_of_several_headers_the_longest_wait_counts() -> None:
    """A proxy may add its own."""
    headers = CIMultiDict([("Retry-After", "3"), ("retry-after", "0.2"), ("Retry-After", "soon")])

    assert retry_after_s(headers) == 3.0


@pytest.mark.parametrize(("status", "kind"), [(429, UnreadableReply), (200, UnreadableReply), (503, ServerFailed)])
def test_any_answer_may_say_how_long_to_wait(status: int, kind: type) -> None:
    """A proxy's page under a 429 is no answer, and its header is heeded all the same."""
    error = error_of(LOOK, reply(b"<html>slow down</html>", status, {"Retry-After": "7"}))

    assert (type(error), error.retry_after_s) == (kind, 7.0)


# --- whatever a server may say ---

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(
                [
                    "ApiStatusCode",
                    "ApiStatus",
                    "apiStatusDescription",
                    "Balances",
                    "Balance",
                    "CcyCode",
                    "Name",
                    "WalletId",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
triplets = st.fixed_dictionaries(
    {},
    optional={
        "ApiStatusCode": st.sampled_from([100, 314, 217]) | values,
        "ApiStatus": st.sampled_from(["IsValid", "Failed"]) | values,
    },
)
models = st.one_of(values, st.builds(lambda a, b: {**(a if isinstance(a, dict) else {}), **b}, values, triplets))
envelopes = st.builds(
    lambda model, names, around: envelope(model, names) | around,
    models,
    st.lists(st.sampled_from(["IsValid", "Success"]) | values, max_size=2) | values,
    st.dictionaries(
        st.sampled_from(["AuthorisedClientModel", "AuthorisedUserModel", "MainAccountHolderName", "x"]),
        models,
        max_size=2,
    ),
)
bodies = st.one_of(
    st.binary(max_size=60),
    values.map(lambda value: json.dumps(value).encode()),
    envelopes.map(lambda value: json.dumps(value).encode()),
    st.builds(lambda value, at: json.dumps(value).encode()[: -at or None], envelopes, st.integers(0, 9)),
)
statuses = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 404, 429, 500, 503]) | st.integers(100, 999)
REQUESTS = {
    endpoint: None
    if endpoint.sends is None
    else next((case for case in [CARD, PAYLOAD, m.GetCountry("GB")] if type(case) is endpoint.sends), None)
    for endpoint in CATALOGUE.values()
}


def check_any_reply(endpoint: Endpoint[Any, Any], body: bytes, status: int) -> None:
    """Read a reply, and hold its outcome to what must be true of every one."""
    error = result = None
    try:
        result = read_reply(endpoint, reply(body, status), request=REQUESTS[endpoint], secrets=[Secret("tok")])
    except CaxtonError as refusal:
        error = refusal

    assert (error is None) == (isinstance(result, m.Envelope) and status in {200, 201})
    if error is not None:
        assert error.sent is not Sent.NO
        assert isinstance(error, ApiError) or type(error) is (
            UnreadableReply if endpoint.repeatable else OutcomeUnknown
        )
        assert (error.__cause__, error.__context__) == (None, None)
        assert endpoint.repeatable or not error.safe_to_retry or isinstance(error, RateLimited)
        assert str(error).isprintable()


@settings(max_examples=scaled(150, 1000))
@pytest.mark.parametrize("endpoint", CATALOGUE.values(), ids=CATALOGUE)
@given(body=bodies, status=statuses)
@example(body=b'{"Content":{"Model":{"ApiStatus":"\xc2\xad"}}}', status=200)
def test_any_reply_makes_a_result_or_an_error_of_ours(endpoint: Endpoint, body: bytes, status: int) -> None:
    """No bytes at all make anything but an envelope or a CaxtonError that tells the truth."""
    check_any_reply(endpoint, body, status)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=scaled(1_000, 100_000))
@given(endpoint=st.sampled_from(list(CATALOGUE.values())), body=bodies, status=statuses)
def test_a_hundred_thousand_replies_make_nothing_else(endpoint: Endpoint, body: bytes, status: int) -> None:
    """The same, by the thousand."""
    check_any_reply(endpoint, body, status)


http_dates = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Sun", "Mon", "", "x"]),
    st.integers(-1, 99),
    st.sampled_from(["Nov", "Feb", "", "11"]),
    st.integers(-1, 10**5),
    *[st.integers(-1, 99)] * 3,
    st.sampled_from(["GMT", "-0000", "+2400", "-9999", "", "EST", "+0000"]),
)
header_values = st.text(max_size=30) | http_dates | st.integers().map(str) | st.floats().map(str)


@settings(max_examples=scaled(1000, 10_000))
@given(wait=header_values, date=header_values | st.just(DATE))
def test_any_retry_after_is_seconds_or_nothing(wait: str, date: str) -> None:
    """No header makes an error of its own, or a wait below zero."""
    error = error_of(LOOK, reply(b"", 503, {"Retry-After": wait, "Date": date}))

    assert type(error) is ServerFailed
    assert error.retry_after_s is None or error.retry_after_s >= 0


@settings(max_examples=scaled(300, 10_000))
@given(
    st.dictionaries(
        st.sampled_from(["Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Type", "Date"])
        | st.text(),
        st.text(),
        max_size=4,
    )
)
def test_any_headers_make_a_result_or_an_error_of_ours(headers: dict[str, str]) -> None:
    """Only three headers count."""
    known = {name.lower() for name in headers}
    encoding = next((text for name, text in headers.items() if name.lower() == "content-encoding"), "")
    whole = encoding.strip().lower() in {"", "identity"} and known & {"content-length", "transfer-encoding"}

    error = error_of(PAY, HttpReply(200, CIMultiDict(headers), json.dumps(envelope(VALID)).encode()))

    assert (error is None) == bool(whole)
