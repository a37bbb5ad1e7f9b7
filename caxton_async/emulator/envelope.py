"""How the emulator spells its JSON: exact numbers, the envelope, and who is authorised.

Written by hand from the examples of the guide, and not shared with the client, so that a wrong name in it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from caxton_async.emulator.accounts import Account, Password, Token, User
from caxton_async.emulator.refusals import Refused

VALID: dict[str, object] = {"ApiStatusCode": 100, "ApiStatus": "IsValid", "ApiStatusDescription": "Valid Operation"}
APPLIED: dict[str, object] = {
    "ApiStatusCode": 314,
    "ApiStatus": "Success",
    "ApiStatusDescription": "The application has been successful.",
}


JSON: Mapping[str, str] = {"Content-Type": "application/json; charset=utf-8"}


class LoginRefused(Exception):
    """No token is issued; answered as RFC 6749 (section 5.2) spells it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@attrs.frozen
class Answer:
    """An HTTP answer before it meets a socket."""

    status: int
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = JSON


# Decimals are written digit by digit (`30.00`), and read exactly.
write_json = msgspec.json.Encoder(decimal_format="number").encode
_read = msgspec.json.Decoder(float_hook=Decimal).decode


def read_json(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON with exact numbers.

    **Raises** ValueError when it is none; NaN and infinities are not.
    """
    try:
        return _read(body)
    except msgspec.DecodeError:
        raise ValueError("not JSON") from None


def answer(document: object, status: int = 200) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, write_json(document))


def content(model: Mapping[str, object], expected: str | None = "IsValid", **beside: object) -> dict[str, object]:
    """Wrap a Model; without `expected` the member ExpectedResponses is missing, as in most of the guide's examples."""
    inner: dict[str, object] = {"Model": model}
    if expected is not None:
        inner["ExpectedResponses"] = [expected]
    return {"Content": inner} | beside


def refusal(refused: Refused) -> Answer:
    """Answer with a failing envelope and its HTTP status."""
    return answer(content(failing(refused.code, refused.api_status, refused.description)), refused.http_status)


def failing(code: int, status: str, description: str) -> dict[str, object]:
    """Return the three members that say that something failed."""
    return {"ApiStatusCode": code, "ApiStatus": status, "ApiStatusDescription": description}


def unauthorised() -> Answer:
    """Answer 401 as the framework does, before any work."""
    return answer({"Message": "Authorization has been denied for this request."}, 401)


def client_model(token: Token, account: Account, *, is_long: bool = False) -> dict[str, object]:
    """Describe the client; the newer calls add its user and the times of its token."""
    ids: dict[str, object] = {"ClientId": account.client_id, "ClientRef": account.client_ref}
    if is_long:
        ids |= {
            "UserId": account.owner_id,
            "TokenStartDate": timestamp(token.starts_at),
            "TokenEndDate": timestamp(token.ends_at),
        }
    return ids | VALID


def user_model(
    token: Token, account: Account, user: User | None, app_version: str | None, fraction_digits: int = 7
) -> dict[str, object]:
    """Describe the user for whom the call is made, the account's owner if no other."""
    times = user or token
    return {
        "UserId": user.user_id if user else account.owner_id,
        "AppVersion": app_version,
        "TokenStartDate": timestamp(times.starts_at, 0)[:11] + "00:00:00",
        "TokenEndDate": timestamp(times.ends_at, 0)[:11] + "00:00:00",
        "LoginTimestamp": timestamp(token.starts_at, fraction_digits),
        "ApiLoginType": 0 if app_version is None else 1,
    } | VALID


def password_model(password: Password) -> dict[str, object]:
    """Show a generated password."""
    return {
        "ClientPassword": password.value,
        "StartDate": timestamp(password.starts_at) + "Z",
        "EndDate": timestamp(password.ends_at) + "Z",
        "PublicKey": password.public_key,
    } | VALID


def timestamp(seconds: float, fraction_digits: int = 7) -> str:
    """Write a time (UTC) without zone and with 0, 6 or 7 digits of a second, as the guide's examples do."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "7"
    return text[: 19 + (fraction_digits and fraction_digits + 1)]
