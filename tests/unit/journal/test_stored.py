"""Requests and results as bytes, digests, seals, and encryption: what goes in comes out, to the last decimal."""

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve, frozen

from caxton_async import errors
from caxton_async import models as m
from caxton_async.bulk import BulkPaymentRow
from caxton_async.encryption import load_cipher
from caxton_async.errors import ConfigurationError, JournalRefused, RateLimited
from caxton_async.journal.seal import Seal
from caxton_async.journal.stored import (
    Money,
    decode_request,
    decode_result,
    encode_error,
    encode_request,
    encode_result,
    money_of,
    request_digest,
)

MOVE = m.MoveFunds("GBP", "POT1-GBP", Decimal("0.10"))
BULK = BulkPaymentRow(
    recipient_name="Zoë O'Neil, jr",
    currency="GBP",
    amount=Decimal("999999999999.99"),
    payment_date=dt.date(2026, 5, 29),
    iban="GB33BUKB20201555555555",
)
REQUESTS = [
    MOVE,
    BULK,
    m.CreateWallet("a wallet"),
    m.NewCard(7, "Ada", "Lovelace", "Female", "1990-12-10"),
    m.CreateBulkUpload("may", m.BulkSource.CAXTON),
    m.GetCardRate("EUR", "GBP", Decimal("1000000.01")),
]
BALANCE = m.Balance(Decimal("12345678901234.1234567890"), "GBP", friendly_name="Tëa")
RESULTS = [
    (BALANCE, m.Balance),
    ((BALANCE, evolve(BALANCE, ccy_code="POT1-GBP")), tuple[m.Balance, ...]),
    ((), tuple[m.Balance, ...]),
    (m.BulkUpload(7, ("Name", "Amount")), m.BulkUpload),
    (m.BulkUpload(7), m.BulkUpload),
    (None, None),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_comes_back_as_it_was(request_: object) -> None:
    """What was planned is what is sent: an equal request, which is known again by its digest."""
    stored = encode_request(request_, is_encrypted=False)
    again = decode_request(stored, type(request_))

    assert again == request_
    assert encode_request(again, is_encrypted=False) == stored
    assert request_digest(again, b"salt") == request_digest(request_, b"salt")
    assert decode_request(encode_request(None, is_encrypted=False), None) is None


@pytest.mark.parametrize(("result", "kind"), RESULTS)
def test_a_result_comes_back_as_it_was(result: object, kind: type) -> None:
    """A stored result is equal to the first, exact to the last decimal."""
    stored = encode_result(result)

    assert stored is not None
    assert decode_result(stored, kind) == result


def test_what_does_not_fit_is_said_without_its_value() -> None:
    """A request of another program's class is refused in one sentence; a result that JSON cannot carry is not kept."""
    stored = encode_request(MOVE, is_encrypted=False)

    with pytest.raises(JournalRefused, match="holds is no NewCard") as caught:
        decode_request(stored, m.NewCard)
    assert "POT1" not in str(caught.value)
    assert encode_result(object()) is None


def test_secrets_are_stored_only_encrypted() -> None:
    """A request with a secret is refused in clear, and comes back whole from an encrypted journal."""
    login = m.GetAccessToken("ada", "password-1")
    with pytest.raises(ConfigurationError) as caught:
        encode_request(login, is_encrypted=False)

    assert "password-1" not in str(caught.value)
    assert decode_request(encode_request(login, is_encrypted=True), m.GetAccessToken) == login


def test_a_digest_tells_requests_apart() -> None:
    """Amounts and names that are written differently are the same; the reference may be left out; salts differ."""
    digest = request_digest(MOVE, b"salt")

    assert request_digest(evolve(MOVE, amount=Decimal("0.1")), b"salt") == digest
    assert request_digest(evolve(MOVE, amount=Decimal("0.11")), b"salt") != digest
    names = ("Zoë Ann-Roe", "ZOË  Ann Roe ", "Zoe\u0308 Ann\u00a0Roe")
    assert len({request_digest(evolve(BULK, recipient_name=name), b"salt") for name in names}) == 1
    assert request_digest(MOVE, b"other") != digest
    named = [evolve(BULK, payment_reference=name) for name in ("row-1", "row-2")]
    assert len({request_digest(one, b"salt") for one in named}) == 2
    assert len({request_digest(one, b"salt", leave_out=one.payment_reference) for one in named}) == 1


def test_a_seal_tells_plans_apart() -> None:
    """Where one row ends and the next begins is part of the seal."""

    def seal(*rows: tuple[str, bytes]) -> str:
        made = Seal()
        for row in rows:
            made.add(*row)
        return made.hexdigest()

    assert seal(("a", b"bc")) == seal(("a", b"bc"))
    assert len({seal(("a", b"bc")), seal(("ab", b"c")), seal(("a", b"b"), ("c", b"")), seal()}) == 4


def test_an_error_is_kept_without_account_numbers() -> None:
    """Whatever a server quotes, no account number stands in a journal."""
    error = RateLimited("no: GB33BUKB20201555555555", description="12345678", http_status=429, retry_after_s=1.5)

    kept = encode_error(error)

    assert b"GB33" not in kept
    assert b"12345678" not in kept
    assert isinstance(error, errors.ApiError)


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (b"not base64!", 0o600, "32 bytes in base64"),
        (b"c2hvcnQ=", 0o600, "32 bytes in base64"),
        (b"A" * 43 + b"=", 0o644, "chmod 600"),
        (None, 0o600, "cannot be read"),
    ],
    ids=["not base64", "short", "readable by others", "missing"],
)
def test_a_wrong_key_file_is_refused(tmp_path: Path, content: bytes | None, mode: int, problem: str) -> None:
    """A key file that is missing, of another form or not private is refused by its name, without its content."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)

    with pytest.raises(ConfigurationError, match=problem) as caught:
        load_cipher(path)
    assert "c2hvcnQ" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")
def test_a_key_that_is_mounted_may_be_read_by_its_group(tmp_path: Path) -> None:
    """A file of root's is given to a container by its group; one of another user is private."""
    path = tmp_path / "key"
    path.write_bytes(b"A" * 43 + b"=")
    path.chmod(0o440)

    assert load_cipher(path).key_id
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_cipher(path)


def test_what_is_encrypted_is_bound_to_its_place(tmp_path: Path) -> None:
    """A value can be read with its key, at its place, as it was written; all else is refused."""
    path = tmp_path / "key"
    path.write_bytes(b"A" * 43 + b"=\n")
    path.chmod(0o600)
    cipher = load_cipher(path)
    stored = cipher.encrypt(b"content", b"row 1")

    assert cipher.decrypt(stored, b"row 1") == b"content"
    assert b"content" not in stored
    for changed, place in ((stored, b"row 2"), (stored[:-1] + bytes([stored[-1] ^ 1]), b"row 1"), (b"", b"row 1")):
        with pytest.raises(JournalRefused, match="cannot be decrypted"):
            cipher.decrypt(changed, place)


@pytest.mark.parametrize(
    ("request_", "money"),
    [
        (m.MoveFunds("GBP", "POTBC-GBP", 5), Money(Decimal(5), "GBP")),
        (m.GetCardRate("EUR", "GBP", Decimal("1.50")), Money(Decimal("1.50"), "GBP")),
        (m.FundSandbox("EUR", 7, "u"), Money(Decimal(7), "EUR")),
        (m.CreateBulkUpload("x", "1"), None),
        (None, None),
    ],
)
def test_the_money_of_a_request_is_the_payers(request_: object, money: Money | None) -> None:
    """Amount and currency are found in any request that has them."""
    assert money_of(request_) == money


def test_an_amount_without_currency_is_no_money() -> None:
    """Nothing can be added up without a currency; true is not an amount."""

    @frozen
    class Odd:
        amount: object

    assert money_of(Odd(Decimal(1))) is None
    assert money_of(Odd(amount=True)) is None
