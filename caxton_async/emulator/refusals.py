"""Why the emulator refuses a call: the vendor shows no failure, so names and codes are the emulator's own."""

from __future__ import annotations

# name: (HTTP status, ApiStatusCode)
REFUSALS = {
    "MalformedBody": (400, 4000),
    "WrongContentType": (400, 4001),
    "MissingMember": (400, 4002),
    "UnexpectedMember": (400, 4003),
    "WrongType": (400, 4004),
    "MissingHeader": (400, 4005),
    "InvalidValue": (400, 4006),
    "InvalidAmount": (400, 4007),
    "UnknownCurrency": (400, 4008),
    "CurrencyMismatch": (400, 4009),
    "InvalidPayload": (400, 4010),
    "UnknownClient": (403, 4030),
    "UnknownIdentityNumber": (403, 4031),
    "UnknownUserApiToken": (403, 4032),
    "NotAuthorised": (403, 4033),
    "UserBlocked": (403, 4034),
    "UnknownPot": (404, 4040),
    "UnknownUpload": (404, 4041),
    "UnknownTransfer": (404, 4042),
    "UnknownWallet": (404, 4043),
    "UnknownCountry": (404, 4044),
    "InsufficientFunds": (400, 4090),
    "PotExists": (400, 4091),
    "UploadAlreadySubmitted": (400, 4092),
    "TransferAlreadyDecided": (400, 4093),
    "PasswordAlreadyGenerated": (400, 4094),
}


class Refused(Exception):
    """The call is refused and nothing was done; the description never holds a value that was sent."""

    def __init__(self, api_status: str, description: str) -> None:
        super().__init__(f"{api_status}: {description}")
        self.api_status = api_status
        self.description = description
        self.http_status, self.code = REFUSALS[api_status]
