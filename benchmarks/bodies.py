"""The bodies that the static server answers with, by the first segment of the path that is called."""

import json
from collections.abc import Mapping
from typing import Any

VALID = {"ApiStatusCode": 100, "ApiStatus": "IsValid", "ApiStatusDescription": "Valid Operation"}
REFUSED = {"ApiStatusCode": 205, "ApiStatus": "InsufficientFunds", "ApiStatusDescription": "Not enough money"}
BALANCES: list[dict[str, Any]] = [
    {
        "Balance": 1040.31,
        "CcyCode": "GBP",
        "BaseCcyCode": "GBP",
        "AlphabeticCode": "GBP",
        "Description": "British Pound Sterling",
        "NumericCode": "826",
        "Symbol": "GBP",
        **VALID,
    },
    {"Balance": 30.25, "CcyCode": "POTBC-GBP", "BaseCcyCode": "GBP"},
]
BANK = {
    "AccountName": "Caxton Payments Ltd",
    "Currency": "EUR",
    "BankName": "Royal Bank of Scotland\r\n",
    "AccountNumber": "10000001",
    "IbanNumber": "GB00RBOS00000010000001",
    "SwiftCode": "RBOSGB2L",
    "SortCode": None,
    "BankAddress": "London",
    "BankAddress1": None,
    "BankAddress2": None,
    "Country": "GB",
    "PayInReference": "REF 1",
    "Type": 0,
}
AROUND = {
    "MainAccountHolderName": "Example Ltd",
    "AuthorisedClientModel": {"ClientId": "client", "ClientRef": "reference", **VALID},
    "AuthorisedUserModel": {
        "UserId": "user",
        "AppVersion": None,
        "TokenStartDate": "2023-11-13T00:00:00",
        "TokenEndDate": "2023-12-13T00:00:00",
        "LoginTimestamp": "2023-12-01T20:45:14.7858085",
        "ApiLoginType": 0,
        **VALID,
    },
}
NEW = {"AddedByTheVendor": "since our last release"}


def envelope(model: dict[str, Any], status: dict[str, Any] | None = None, **around: object) -> bytes:
    """Return an envelope around a Model, as the API would send it."""
    content = {"Model": {**model, **(VALID if status is None else status)}, "ExpectedResponses": ["IsValid"]}
    return json.dumps({"Content": content, **around}, separators=(",", ":")).encode()


def banks(count: int, **added: str) -> bytes:
    return envelope({"BankDetails": [{**BANK, "AccountNumber": f"{n:08}", **added} for n in range(count)]})


# Each is what one call is answered: the first six a payment, the others a look-up of bank accounts.
BODIES: Mapping[str, bytes] = {
    "leanest": envelope({"Balances": BALANCES}),
    "full": envelope({"Balances": BALANCES}, **AROUND),
    "one-unknown-member": envelope({"Balances": [{**BALANCES[0], **NEW}, BALANCES[1]]}),
    "refusal": envelope({}, REFUSED),
    "50-items": banks(50),
    "50-items-with-unknown-members": banks(50, **NEW),
    "500-items-with-unknown-members": banks(500, **NEW),
}
