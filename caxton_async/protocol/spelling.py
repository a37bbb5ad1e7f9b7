"""How the wire spells the attributes of our classes, and the keys of objects whatever the case of their letters."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from attrs import fields

from caxton_async import models as m

Value = TypeVar("Value")

# Members whose spelling does not follow from the attribute's name.  Source: Caxton developer guide, the examples.
_SPELLINGS: Mapping[type, Mapping[str, str]] = {
    m.AccessToken: {"access_token": "access_token", "token_type": "token_type", "expires_in": "expires_in"},
    m.BanksForCurrency: {"ccy": "ccy"},
    m.Content: {"_status": "Model"},  # the status stands on the Model, or in it
    m.Country: {"isd_code": "ISDCode"},
    m.CreatedUser: {"user_id": "Userid"},
    m.CreatePot: {"ccy": "ccy", "pot_prefix": "potPrefix"},
    m.Envelope: {"_client": "AuthorisedClientModel", "_user": "AuthorisedUserModel"},
    m.GetBankRequirements: {"ccy_country": "ccyCountry", "ccy_currency": "ccyCurrency"},
    m.GetCardRate: {"sell_ccy_code": "SellccyCode"},
    m.NewUser: {"date_of_birth": "DateofBirth"},
}
TRIPLET: Final = ("ApiStatusCode", "ApiStatus", "ApiStatusDescription")
_DECIDING: Final = frozenset(
    ["content", "model", "expectedresponses", "message", "error", "apistatuscode", "apistatus"]
)
# A number of more digits than this before its point is no amount, rate or id of anybody's.
MAX_DIGITS: Final = 40
# How many shapes are remembered, of how many members and letters: a server that sends ever new ones fills no memory.
MAX_SHAPES: Final = 1024
_MAX_MEMBERS: Final = 64
_MAX_LETTERS: Final = 2048


def spellings(cls: Any) -> Mapping[str, str]:
    """Return how the wire spells each attribute of `cls`: PascalCase, unless the API or its metadata says otherwise."""
    return _spell(cls)


@lru_cache(maxsize=1024)
def _spell(cls: Any) -> Mapping[str, str]:
    known = _SPELLINGS.get(getattr(cls, "__origin__", cls), {})
    return {
        a.name: known.get(a.name)
        or a.metadata.get("caxton")
        or "".join(part.capitalize() for part in a.name.split("_"))
        for a in fields(cls)
    }


def place(start: str, path: tuple[str | int, ...]) -> str:
    """Return a path as text, such as `$.Content.Model.Balances[1].Balance`."""
    return start + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


class DecodeError(ValueError):
    """A value is not what was expected: `problem` at `path`, and never the value itself."""

    def __init__(self, problem: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def where(self, start: str) -> str:
        """Return the path as text, such as `$.Content.Model.Balances[1].Balance`."""
        return place(start, self.path)


def find_member(value: Mapping[str, object], name: str) -> str | None:
    """Return the key of the member `name`, whatever the case of its letters; None where it is missing."""
    if name in value:
        return name
    folded = name.casefold()
    return next((key for key in value if key.casefold() == folded), None)


def is_memorable(shape: tuple[str, ...]) -> bool:
    """Tell whether a shape takes so little memory that it may be remembered."""
    return len(shape) <= _MAX_MEMBERS and sum(map(len, shape)) <= _MAX_LETTERS


class ByShape(dict[tuple[str, ...], Value]):
    """What is known of each shape of object (its keys, in order), learnt when the shape is first met."""

    def __init__(self, learn: Callable[[tuple[str, ...]], Value]) -> None:
        super().__init__()
        self._learn = learn

    def __missing__(self, shape: tuple[str, ...]) -> Value:
        value = self._learn(shape)
        if len(self) < MAX_SHAPES and is_memorable(shape):
            self[shape] = value
        return value


class Shape:
    """What the keys of an object tell, whatever the case of their letters: which of them stand for members that decide.

    `code` and `name` are those of a status; `is_silent`: nothing here says anything of an answer.
    """

    __slots__ = ("code", "content", "error", "expected", "has_twins", "is_silent", "message", "model", "name")

    def __init__(self, keys: Mapping[str, Any], *, has_twins: bool) -> None:
        # Of any type, since an object may be asked for a key that is None: it has none.
        self.code: Any = keys.get("apistatuscode")
        self.name: Any = keys.get("apistatus")
        self.content: Any = keys.get("content")
        self.model: Any = keys.get("model")
        self.expected: Any = keys.get("expectedresponses")
        self.error: Any = keys.get("error")
        self.message: Any = keys.get("message")
        self.has_twins = has_twins
        self.is_silent = self.code is None and self.name is None and not has_twins


_SILENT: Final = Shape({}, has_twins=False)


def read_shape(keys: tuple[str, ...]) -> Shape:
    """Return what the keys of an object tell."""
    folded = set(map(str.casefold, keys))
    has_twins = len(folded) < len(keys)
    if _DECIDING.isdisjoint(folded) and not has_twins:
        return _SILENT
    return Shape({name: key for key in keys if (name := key.casefold()) in _DECIDING}, has_twins=has_twins)


SHAPES: Final = ByShape(read_shape)
