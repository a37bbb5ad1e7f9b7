"""Money: how many decimals a currency has, and what may be sent as an amount."""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from attrs import Attribute

from caxton_async.errors import InvalidRequest

# Minor units of the currencies that do not have two.  Source: ISO 4217.
_MINOR_UNITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CURRENCY_AT_END = re.compile(r"(?:^|[^A-Za-z])([A-Za-z]{3})$")
# The largest amount that is taken for one: 15 digits before the point is above any payment and within every ledger.
_MAX_AMOUNT = Decimal(10) ** 15


@lru_cache(maxsize=1024)
def minor_units(currency: str) -> int:
    """Return how many decimals `currency` has; the code of a pot (`POTBC-GBP`) counts as the currency at its end."""
    match = _CURRENCY_AT_END.search(currency)
    return _MINOR_UNITS.get(match[1].upper(), 2) if match else 2


def check_amount(amount: object, currency: str, name: str = "amount") -> Decimal:
    """Return `amount` as a `Decimal` in plain notation.

    **Raises** InvalidRequest when it is not a Decimal or int, not finite, not above zero, or finer than the minor unit.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
        raise InvalidRequest(f"{name} must be a Decimal or an int, not {type(amount).__name__}: write Decimal('10.50')")
    exact = Decimal(amount)
    if not exact.is_finite():
        raise InvalidRequest(f"{name} must be finite")
    if exact <= 0:
        raise InvalidRequest(f"{name} must be above zero")
    if exact >= _MAX_AMOUNT:
        raise InvalidRequest(f"{name} has more than 15 digits before its point")
    places, allowed = -int(exact.as_tuple().exponent), minor_units(currency)
    if places > allowed:
        raise InvalidRequest(f"{name} has {places} decimals, {currency} has {allowed}: round it first")
    return Decimal(f"{exact:f}")


def amount_of(currency_attribute: str) -> Callable[[object, "Attribute[Decimal]", object], None]:
    """Return the attrs validator of an amount in the currency that another attribute names."""

    def validate(instance: object, attribute: "Attribute[Decimal]", value: object) -> None:
        exact = check_amount(value, getattr(instance, currency_attribute), attribute.name)
        object.__setattr__(instance, attribute.name, exact)

    return validate


def to_decimal(value: Decimal | int) -> Decimal:
    """Return an int as a Decimal, and leave all else to the validator, which names the attribute."""
    return Decimal(value) if type(value) is int else value  # type: ignore[return-value]  # checked by the validator
