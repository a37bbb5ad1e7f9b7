"""How the wire spells the attributes of our classes, and the keys of objects whatever the case of their letters."""

from collections.abc import Callable, Iterable, Mapping
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
# A number of more digits than this before its point is no amount, rate or id of anybody's.
MAX_DIGITS: Final = 40
# How many shapes of objects are remembered, and of how many members: a server that sends ever new ones fills no memory.
MAX_SHAPES: Final = 1024
MAX_MEMBERS: Final = 64
MAX_LENGTH: Final = 64


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


class ByShape(dict[tuple[str, ...], Value]):
    """What is known of each shape of object (its keys, in order), learnt when the shape is first met."""

    def __init__(self, learn: Callable[[tuple[str, ...]], Value]) -> None:
        super().__init__()
        self._learn = learn

    def __missing__(self, shape: tuple[str, ...]) -> Value:
        value = self._learn(shape)
        if len(self) < MAX_SHAPES and len(shape) <= MAX_MEMBERS:
            self[shape] = value
        return value


class Settled(set[str]):
    """Keys that stand for what they are spelled like: no two of them differ in case alone.

    An object with no other keys can be taken as it is: `names`, of which we know the spelling, stand in it as we spell
    them or not at all, and no member of it stands twice.
    """

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self._names: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self.add_names(names)

    def add_names(self, names: Iterable[str]) -> None:
        """Know some more names; of two that differ in case alone, the first."""
        for name in names:
            folded = name.casefold()
            if folded not in self._names:
                self.discard(self._others.pop(folded, ""))
                self._names[folded] = name
                self.add(name)

    def learn(self, keys: Iterable[str]) -> None:
        """Remember those of `keys` that cannot be taken for one that is known already."""
        for key in keys:
            folded = key.casefold()
            is_new = folded not in self._names and folded not in self._others
            if is_new and len(self._others) < MAX_SHAPES and len(key) <= MAX_LENGTH:
                self._others[folded] = key
                self.add(key)

    def spelling_of(self, key: str) -> str:
        """Return a key as one of our names is spelled, itself if it stands for none of them."""
        return self._names.get(key.casefold(), key)


# Of all objects of all answers; the members that decide, and those of our classes, are known from the beginning.
SETTLED: Final = Settled(("Content", "Model", "ExpectedResponses", "Message", "error", "UserId", *TRIPLET))
SETTLED.add("Userid")  # the guide has both


def has_twins(value: Mapping[str, object]) -> bool:
    """Tell whether two keys of an object differ in case alone."""
    return len({key.casefold() for key in value}) < len(value)


def _documented_names(shape: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return a shape as we spell its keys, None if that changes nothing or makes two keys one."""
    SETTLED.learn(shape)
    names = tuple(SETTLED.spelling_of(key) for key in shape)
    return None if names == shape or len(set(names)) < len(names) else names


_DOCUMENTED_NAMES: Final = ByShape(_documented_names)


def know(names: Iterable[str]) -> None:
    """Know how some more members are spelled."""
    SETTLED.add_names(names)
    _DOCUMENTED_NAMES.clear()


def settle(value: dict[str, object]) -> bool:
    """Bring the keys of an object, in place, into the spelling that we know; the guides slip in the case of letters.

    False tells that this cannot be done: two keys differ in case alone, or are too many or too long to be known.
    """
    names = _DOCUMENTED_NAMES[tuple(value)]
    if names is not None:
        items = list(value.values())
        value.clear()
        value.update(zip(names, items, strict=True))
    return SETTLED.issuperset(value)


def canonical_names(known: Mapping[str, str], settled: Settled) -> Callable[[tuple[str, ...]], tuple[str, ...] | None]:
    """Return what learns how a class spells the keys of an object; None for keys that are spelled like that."""

    def learn(shape: tuple[str, ...]) -> tuple[str, ...] | None:
        settled.learn(shape)
        names = tuple(known.get(key.casefold(), key) for key in shape)
        if len(set(names)) < len(names):
            raise DecodeError("has two members that differ in case alone")
        return None if names == shape else names

    return learn
