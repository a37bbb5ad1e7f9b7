"""The kinds of calls that the matrix goes through, each with its right answer and another one."""

import re
from collections.abc import Awaitable, Callable
from decimal import Decimal

from attrs import field, frozen

from caxton_async import CaxtonClient, Secret
from caxton_async.endpoints import SUBMIT_BULK_PAYLOAD
from caxton_async.models import BulkSource, SubmitBulkPayload
from tests.support import canary
from tests.support.places import SAMPLES

# The paths that the vendor's guide leaves open, named here so that no call warns of them.
PATHS = {
    "get_access_token": "token",
    "reset_credentials": "clients/auth/reset",
    "submit_bulk_payload": "payments/{upload_record_id}",
}

# One row of a payload, with an account that no text may show.
PAYROLL = f"Action,AccountNumber,IBAN,Amount\nCreate,{canary.ACCOUNT_NUMBER},{canary.IBAN},10.00\n"
_BIG_PAYROLL = PAYROLL * 60_000


def _sample(name: str, **canaries: str) -> bytes:
    text = (SAMPLES / f"{name}_response.json").read_text(encoding="utf-8")
    for placeholder, secret in canaries.items():
        assert f"<{placeholder}>" in text
        text = text.replace(f"<{placeholder}>", secret)
    return text.encode()


@frozen
class Kind:
    """One kind of call: its path, how it is made, its right answer, and how that is told from another.

    `column` says which expectations of a case hold for it: `login`, `look_up` or `money`.  `call_big` makes it with a
    body of megabytes.
    """

    name: str
    endpoint: str
    path: str
    call: Callable[[CaxtonClient], Awaitable[object]] = field(repr=False)
    ok: bytes = field(repr=False)
    other: bytes = field(repr=False)
    is_right: Callable[[object], bool] = field(repr=False)
    column: str = "money"
    call_big: Callable[[CaxtonClient], Awaitable[object]] | None = field(default=None, repr=False)

    @property
    def authorised(self) -> bool:
        """Whether the call carries an access token."""
        return self.name not in {"login", "password"}

    @property
    def has_body(self) -> bool:
        """Whether the request has a body."""
        return self.name not in {"look-up", "reset"}


async def _look_up(caxton: CaxtonClient) -> object:
    return await caxton.banks.for_currency("EUR")


async def _pay(caxton: CaxtonClient) -> object:
    view = caxton.for_account("ID-1").for_user(canary.USER_TOKEN)
    return await view.balances.move_funds(from_currency="GBP", to_currency="POTBC-GBP", amount=Decimal(10))


async def _upload(caxton: CaxtonClient) -> object:
    return await caxton.bulk_payments.create_upload(description="May", source=BulkSource.CAXTON)


async def _submit(caxton: CaxtonClient) -> object:
    return await caxton.call(SUBMIT_BULK_PAYLOAD, SubmitBulkPayload(1234, PAYROLL))


async def _submit_much(caxton: CaxtonClient) -> object:
    return await caxton.call(SUBMIT_BULK_PAYLOAD, SubmitBulkPayload(1234, _BIG_PAYROLL))


_TOKEN = _sample("02_get_access_token", access_token=canary.NEW_TOKEN)
_PASSWORD = _sample("01_generate_password", clientpassword=canary.NEW_PASSWORD)
_BANKS = _sample("06_banks_lookup_by_ccy_EUR", iban=canary.IBAN)
_BALANCES = _sample("10_move_funds_between_pots")
_UPLOAD = _sample("12_create_bulk_upload")
_BARE = _sample("17_sandbox_fund_the_account")
# What a call without a result may be answered with in place of its own answer: it fails.
_FAILED = re.sub(rb"100,\s*\"ApiStatus\": \"IsValid\"", b'4711, "ApiStatus": "Failed"', _BARE, count=1)
assert _FAILED != _BARE

LOGIN = Kind(
    "login", "get_access_token", "/api/token", lambda caxton: caxton.auth.access_token(), _TOKEN,
    _TOKEN.replace(canary.NEW_TOKEN.encode(), b"another"),
    lambda token: token.access_token == Secret(canary.NEW_TOKEN), column="login",
)  # fmt: skip
PASSWORD = Kind(
    "password", "generate_password", "/api/clients/auth/register", lambda caxton: caxton.auth.generate_password(),
    _PASSWORD, _PASSWORD.replace(canary.NEW_PASSWORD.encode(), b"another"),
    lambda password: password.client_password == Secret(canary.NEW_PASSWORD),
)  # fmt: skip
LOOK_UP = Kind(
    "look-up", "banks_for_currency", "/api/reference/lookup/banks/EUR", _look_up, _BANKS,
    _BANKS.replace(b"Simulator Bank", b"another"), lambda banks: banks[0].bank_name == "Simulator Bank",
    column="look_up",
)  # fmt: skip
PAYMENT = Kind(
    "payment", "move_funds", "/api/account/balances/third-party/movement", _pay, _BALANCES,
    _BALANCES.replace(b"1040.31", b"77.00"),
    lambda balances: [one.balance for one in balances] == [Decimal("1040.31"), Decimal("30.00")],
)  # fmt: skip
RESET = Kind(
    "reset", "reset_credentials", "/api/clients/auth/reset", lambda caxton: caxton.auth.reset_credentials(),
    _BARE, _FAILED, lambda nothing: nothing is None,
)  # fmt: skip
UPLOAD = Kind(
    "upload", "create_bulk_upload", "/api/payments", _upload, _UPLOAD, _UPLOAD.replace(b"1234", b"5678"),
    lambda upload: upload.upload_record_id == 1234,
)  # fmt: skip
PAYLOAD = Kind(
    "payload", "submit_bulk_payload", "/api/payments/1234", _submit, _BARE, _FAILED, lambda nothing: nothing is None,
    call_big=_submit_much,
)  # fmt: skip

KINDS = (LOGIN, PASSWORD, LOOK_UP, PAYMENT, RESET, UPLOAD, PAYLOAD)
