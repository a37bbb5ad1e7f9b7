"""Requests and results as the bytes of a row, and the digests by which a request is known again."""

import datetime as dt
import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar, get_args

from attrs import fields, fields_dict, frozen, has

from caxton_async import errors
from caxton_async.errors import ApiError, CaxtonError, ConfigurationError, JournalRefused
from caxton_async.journal.states import JournalRow
from caxton_async.journal.verdict import masked
from caxton_async.protocol import codec, encoding
from caxton_async.protocol.spelling import DecodeError
from caxton_async.secret import Secret

T = TypeVar("T")
# Digits: amounts are compared as they are, whatever the program around us set as its own precision.
_EXACT: Final = Context(prec=60)
_NOTHING: Final = b"null"
# Attributes that say in which currency `amount` is, the payer's first.
_CURRENCIES: Final = ("from_currency", "sell_ccy_code", "sell_currency", "currency", "currency_code", "ccy", "ccy_code")


def encode_request(request: object, *, is_encrypted: bool) -> bytes:
    """Return a request, an instance of an attrs class or None, as JSON, exact to the last decimal.

    Raises:
        ConfigurationError: it holds a secret, and the journal is not encrypted.
    """
    if request is None:
        return _NOTHING
    cls: Any = type(request)  # to mypy a class is not Hashable
    if not is_encrypted and holds_secret(cls):
        raise ConfigurationError(
            f"a {cls.__name__} holds secrets, which only an encrypted journal keeps: set CAXTON_JOURNAL_KEY_FILE"
        )
    return encoding.encode(request, frozenset()) or _NOTHING


def decode_request(stored: bytes, cls: type[T] | None) -> T | None:
    """Return the request that `encode_request` wrote.

    Raises:
        JournalRefused: it is no `cls`: the program that planned it had another one.
    """
    return _decode(stored, cls)


def encode_result(result: object) -> bytes | None:
    """Return what a call returned, an instance of an attrs class, a sequence of them or None, as JSON.

    None stands for what JSON cannot carry: a payment that was made is not to fail for it.
    """
    try:
        return _encoded(result)
    except (encoding.EncodeError, TypeError, ValueError):
        return None


def _encoded(result: object) -> bytes:
    if result is None:
        return _NOTHING
    if isinstance(result, Sequence):
        return b"[" + b",".join(map(_encoded, result)) + b"]"
    return encoding.encode(result, frozenset()) or _NOTHING


def decode_result(stored: bytes, cls: type[T] | None) -> T | None:
    """Return the result that `encode_result` wrote.

    Raises:
        JournalRefused: it is no `cls`.
    """
    return _decode(stored, cls)


def _decode(stored: bytes, cls: type[T] | None) -> T | None:
    if cls is None or stored == _NOTHING:
        return None
    try:
        return codec.structure(codec.decode(stored), cls)
    except DecodeError as error:
        problem = error.where("$"), error.problem
    raise JournalRefused(f"what the journal holds is no {cls.__name__}: {' '.join(problem)}; nothing was sent")


@cache
def holds_secret(kind: Any) -> bool:  # noqa: ANN401 -- a type, whatever it is made of
    """Tell whether values of a type hold secrets, at any depth."""
    parts = [field.type for field in fields(kind)] if has(kind) else get_args(kind)
    return kind is Secret or "Secret" in str(kind if isinstance(kind, str) else "") or any(map(holds_secret, parts))


def encode_error(error: CaxtonError) -> bytes:
    """Return an error as JSON, without account numbers, so that it can be raised again."""
    kept = {
        name: masked(value) if isinstance(value, str) and name != "correlation_id" else value
        for name, value in vars(error).items()
        if isinstance(value, str | int | float)
    }
    return json.dumps({"error": type(error).__name__, "message": masked(str(error)), "facts": kept}).encode("ascii")


def decode_error(row: JournalRow, endpoint: str) -> CaxtonError:
    """Return the error that a row was refused with."""
    status = row.status
    if row.answer is None:
        return ApiError(
            status.error or "refused",
            endpoint=endpoint,
            http_status=status.http_status,
            api_status_code=status.api_status_code,
            api_status=status.api_status,
        )
    kept = json.loads(row.answer)
    kind: Any = getattr(errors, kept["error"], ApiError)
    error: CaxtonError = kind(kept["message"], **kept["facts"])
    return error


@frozen
class Money:
    """What a request moves: `amount` of `currency`."""

    amount: Decimal
    currency: str


def money_of(request: object) -> Money | None:
    """Return the amount and currency that a request names, the payer's where it names two; None where it names none."""
    amount = getattr(request, "amount", None)
    if not isinstance(amount, (Decimal, int)) or isinstance(amount, bool):
        return None
    named = (getattr(request, name, None) for name in _CURRENCIES)
    return next((Money(Decimal(amount), currency) for currency in named if isinstance(currency, str)), None)


def request_digest(request: object, salt: bytes, *, leave_out: str | None = None) -> bytes:
    """Return the digest of a request, by which it is known again: equal amounts count as equal however written.

    So do texts that differ in case, spaces and hyphens alone, as one person's name and account do in two files.
    `salt` is the journal's.  Attributes that hold `leave_out`, the reference of the row, do not count; of secrets, only
    that they are there does.
    """
    cls: Any = type(request)
    found: Iterable[object] = _values_of(cls)(request)
    if leave_out is not None:
        found = (None if value == leave_out else value for value in found)
    values = [_fold(value) if type(value) is str else _to_plain(value) for value in found]
    # `ascii` and BLAKE2 take a third of the time of JSON and HMAC.
    return hashlib.blake2b(ascii((cls.__qualname__, values)).encode(), salt=salt, digest_size=12).digest()


def _fold(text: str) -> str:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return "".join(plain.casefold().replace("-", " ").split())


@cache
def _values_of(cls: type) -> Callable[[object], tuple[object, ...]]:
    """Return what takes the values of all attributes from an instance."""
    names = sorted(fields_dict(cls)) if has(cls) else []
    if len(names) < 2:  # `attrgetter` of one name returns the bare value
        return lambda instance: tuple(getattr(instance, name) for name in names)
    return attrgetter(*names)


def _to_plain(value: object) -> Any:  # noqa: ANN401 -- what `ascii` writes alike on every Python
    match value:
        case Decimal():
            return f"{value.normalize(_EXACT):f}"
        case Enum():
            return _to_plain(value.value)
        case dt.date():
            return value.isoformat()
        case None | bool() | int() | str():
            return value
        case Secret():
            return [bool(value)]
    return repr(value)
