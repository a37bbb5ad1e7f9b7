"""Bytes to models: msgspec parses the bytes to plain JSON values, and one cattrs converter structures every object."""

from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

from caxton_async.lazy import load_when_named
from caxton_async.protocol.density import SMALL, is_too_dense
from caxton_async.protocol.spelling import DecodeError
from caxton_async.secret import Secret

if TYPE_CHECKING:
    from caxton_async.protocol.codec.converter import can_read, envelope_reader, read_status, structure

__all__ = ["can_read", "decode", "envelope_reader", "load", "read_status", "structure", "to_json"]


def decode(body: bytes) -> object:
    """Return the JSON value of `body` (UTF-8, with or without a byte-order mark), numbers with a point as Decimals.

    **Raises** DecodeError when it is not JSON (NaN and infinities are not), or too deep or too dense to be trusted.
    """
    problem = "is not JSON"
    if len(body) > SMALL and is_too_dense(body):
        raise DecodeError("is made of more small parts than an answer is")
    try:
        return _parse(body.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        problem = "is nested too deeply"
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError):
        pass
    # Raised here, since the errors above hold the body.
    raise DecodeError(problem)


def to_json(value: object) -> bytes:
    """Return plain values, decimals, dates and secrets as JSON; a secret is revealed.

    **Raises** TypeError, ValueError or RecursionError for what JSON cannot carry.
    """
    return _encoder.encode(value)


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError


_parse: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_encoder: Final = msgspec.json.Encoder(enc_hook=_reveal, decimal_format="number")


def load() -> None:
    """Load what structures answers, which is not loaded before a client is opened, so that no answer waits for it."""
    import_module(f"{__name__}.converter")


__getattr__ = load_when_named(__name__, {"converter": "can_read envelope_reader read_status structure"})
