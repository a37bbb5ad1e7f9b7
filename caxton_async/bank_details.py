"""Bank details and what is wrong with them: IBAN, SWIFT code, sort code, account number and country."""

import re
from collections.abc import Iterator

from caxton_async.errors import InvalidRequest

# The attributes of a request that are checked.
BANK_DETAILS = frozenset({"iban", "swift_code", "sort_code", "account_number"})
# Length of an IBAN by country.  Source: ISO 13616, SWIFT IBAN registry.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
# ISO 3166-1 alpha-2, and XK, which ISO leaves to its users and banks use for Kosovo.
COUNTRIES = frozenset(
    first + second
    for first, seconds in {
        "A": "DEFGILMOQRSTUWXZ", "B": "ABDEFGHIJLMNOQRSTVWYZ", "C": "ACDFGHIKLMNORUVWXYZ", "D": "EJKMOZ",
        "E": "CEGHRST", "F": "IJKMOR", "G": "ABDEFGHILMNPQRSTUWY", "H": "KMNRTU", "I": "DELMNOQRST", "J": "EMOP",
        "K": "EGHIMNPRWYZ", "L": "ABCIKRSTUVY", "M": "ACDEFGHKLMNOPQRSTUVWXYZ", "N": "ACEFGILOPRUZ", "O": "M",
        "P": "AEFGHKLMNRSTWY", "Q": "A", "R": "EOSUW", "S": "ABCDEGHIJKLMNORSTVXYZ", "T": "CDFGHJKLMNORTVWZ",
        "U": "AGMSYZ", "V": "ACEGINU", "W": "FS", "X": "K", "Y": "ET", "Z": "AMW",
    }.items()
    for second in seconds
)  # fmt: skip
_PRINTED = re.compile("[ \u00a0\u202f-]")  # what the printed forms of codes have between their parts
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_SWIFT = re.compile(r"[A-Z0-9]{4}([A-Z]{2})[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SORT_CODE = re.compile(r"[0-9]{6}")
_UK_ACCOUNT = re.compile(r"[0-9]{8}")
# The account numbers of all countries: their longest has 34 characters, as an IBAN has (ISO 13616).
_ACCOUNT = re.compile(r"(?=.*[1-9])[A-Za-z0-9](?:[A-Za-z0-9 ./-]{0,32}[A-Za-z0-9])?")
# What a spreadsheet or a data frame makes of an account number: 1.23457E+11, 12345678.0.
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+?[0-9]+|[0-9]+\.0*")


def canonical_code(text: str) -> str:
    """Return a code without the spaces and hyphens of its printed form (`GB33 BUKB ...`, `20-00-00`), in capitals."""
    return _PRINTED.sub("", text).upper()


def check_bank_details(request: object) -> None:
    """Check `iban`, `swift_code`, `sort_code` and `account_number` of a request, as far as it has them.

    With the extra `banks` an IBAN must also be built as its country's are.

    **Raises** InvalidRequest that names the attribute, and never shows its value.
    Source: ISO 13616 (IBAN), ISO 7064 (check digits), ISO 9362 (SWIFT code), Pay.UK (sort code and account number).
    """
    iban, swift, sort_code = (canonical_code(_text(request, name)) for name in ("iban", "swift_code", "sort_code"))
    account = _text(request, "account_number")
    if iban and (problem := _iban_problem(iban)):
        raise InvalidRequest(f"iban {problem}")
    if swift and not ((match := _SWIFT.fullmatch(swift)) and match[1] in COUNTRIES):
        raise InvalidRequest("swift_code must be 8 or 11 letters and digits with a country in the middle: see BUKBGB22")
    if sort_code and not _SORT_CODE.fullmatch(sort_code):
        raise InvalidRequest("sort_code must be six digits, with zeros in front of fewer")
    if account and (problem := _account_problem(account, sort_code)):
        raise InvalidRequest(f"account_number {problem}")


def doubts_about(request: object) -> Iterator[str]:
    """Yield what a person should look at in bank details that may be right all the same."""
    iban, sort_code = canonical_code(_text(request, "iban")), _text(request, "sort_code")
    country, currency = _text(request, "recipient_country"), _text(request, "currency")
    if iban and iban[:2] not in _IBAN_LENGTHS:
        yield "the IBAN is of a country without IBAN"
    elif iban and country and iban[:2] != country:
        yield "the IBAN is of another country than its recipient"
    elif not iban and not sort_code and _text(request, "account_number"):
        if country in _IBAN_LENGTHS:
            yield "an account number is given for a country that uses IBAN"
        elif not country and currency in {"EUR", "GBP"}:
            yield f"an account number in {currency} has neither sort code nor IBAN beside it"


def _text(request: object, name: str) -> str:
    value = getattr(request, name, "")
    return value if isinstance(value, str) else ""


def _iban_problem(iban: str) -> str:
    if not _IBAN.fullmatch(iban):
        return "is not two letters, two digits and 11 to 30 letters and digits: ask the recipient for it again"
    if _IBAN_LENGTHS.get(iban[:2], len(iban)) != len(iban):
        return "has not the length of its country: ask the recipient for it again"
    remainder = int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97
    # The digits are 98 minus a remainder of 97; 00, 01 and 99 leave the same remainder as 97, 98 and 02.
    if remainder != 1 or not "02" <= iban[2:4] <= "98":
        return "has wrong check digits: ask the recipient for it again"
    return "" if _has_structure(iban) else "is not built like one of its country: ask the recipient for it again"


def _has_structure(iban: str) -> bool:
    """Tell whether schwifty, where it is installed, knows nothing against an IBAN."""
    try:
        from schwifty import IBAN, exceptions  # noqa: PLC0415 -- an extra
    except ImportError:
        return True
    try:
        IBAN(iban)
    except exceptions.InvalidCountryCode:
        return True  # the registry grows; `doubts_about` tells
    except exceptions.SchwiftyException:
        return False
    return True


def _account_problem(account: str, sort_code: str) -> str:
    if _NUMBER.fullmatch(account):
        return "was turned into a number by a spreadsheet: format its column as text, and enter it again"
    if sort_code and not _UK_ACCOUNT.fullmatch(account):
        return "must be eight digits beside a sort code: write them without spaces, with zeros in front of fewer"
    if not _ACCOUNT.fullmatch(account):
        return "is not an account number: write its digits and letters alone, or leave the cell empty"
    return ""
