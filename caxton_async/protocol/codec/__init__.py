"""Bytes to models and models to bytes: the only module that knows cattrs and the JSON library.

What belongs here: how a member is spelled, and how strictly a value is read.  What does not: whether an answer means
success (`statuses`).  Reading is strict, since a payments client must not guess: a `str` takes only a string, an `int`
only an integer, a `Decimal` an exact and finite number.  An optional member that only describes becomes None when it is
wrong; an amount, a secret, or an object of its own does not.
"""

from caxton_async.protocol.codec.plain import can_read, read_plain
from caxton_async.protocol.codec.reading import decode, member, structure
from caxton_async.protocol.codec.spelling import Misfit, spellings
from caxton_async.protocol.codec.writing import as_text, encode, form, query

__all__ = [
    "Misfit",
    "as_text",
    "can_read",
    "decode",
    "encode",
    "form",
    "member",
    "query",
    "read_plain",
    "spellings",
    "structure",
]
