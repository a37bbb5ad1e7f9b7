"""How the wire spells what the attributes hold, and the one error of the codec.

What belongs here: what reading and writing share.
"""

from collections.abc import Mapping
from typing import Final

from attrs import fields

from caxton_async import models as m

# Members whose spelling does not follow from the attribute's name.  Source: Caxton developer guide, the examples.
_SPELLINGS: Mapping[type, Mapping[str, str]] = {
    m.AccessToken: {"access_token": "access_token", "token_type": "token_type", "expires_in": "expires_in"},
    m.Country: {"isd_code": "ISDCode"},
    m.CreatedUser: {"user_id": "Userid"},
    m.GetCardRate: {"sell_ccy_code": "SellccyCode"},
    m.NewUser: {"date_of_birth": "DateofBirth"},
}
# May stand on any object of an answer; `statuses` reads them.
TRIPLET: Final = frozenset({"ApiStatusCode", "ApiStatus", "ApiStatusDescription"})
# A number of more digits than this before its point is no amount, rate or id of anybody's.
MAX_DIGITS: Final = 40


class Misfit(ValueError):
    """A value is not what was expected: `problem` at `path`, and never the value itself."""

    def __init__(self, problem: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def where(self, start: str) -> str:
        """Return the path as text, such as `$.Content.Model.Balances[1].Balance`."""
        return start + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)


def spellings(cls: type) -> dict[str, str]:
    """Return how the wire spells each attribute of `cls`: PascalCase, unless the API or its metadata says otherwise."""
    known = _SPELLINGS.get(cls, {})
    attributes = fields(cls)
    return {
        a.name: known.get(a.name)
        or a.metadata.get("caxton")
        or "".join(part.capitalize() for part in a.name.split("_"))
        for a in attributes
    }
