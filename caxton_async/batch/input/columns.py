"""What a column of a file is to a request: header texts to attributes, with hints where one is not known."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import get_args, get_type_hints

from attrs import NOTHING, fields, frozen

from caxton_async.batch.input.cells import CellReader, read_secret, reader_for
from caxton_async.bulk import normalise_name
from caxton_async.errors import ConfigurationError
from caxton_async.protocol.spelling import spellings

REFERENCE = "reference"
# The attribute that takes the reference of a row where no column gives it, so that the API is told it too.
_SENT_AS = "payment_reference"
# What headers are called elsewhere, as `normalise_name` gives them: a hint for a person, never a guess of ours.
_MEANINGS: Mapping[str, tuple[str, ...]] = {
    "reference": ("id", "ref", "paymentid", "invoice", "invoicenumber", "employeeid", "externalid", "key"),
    "recipient_name": ("name", "payee", "beneficiary", "beneficiaryname", "employee", "recipient", "accountname"),
    "recipient_country": ("country", "countrycode", "beneficiarycountry", "bankcountry"),
    "recipient_address": ("address", "beneficiaryaddress"),
    "swift_code": ("bic", "swift", "biccode", "swiftbic", "bicswift"),
    "account_number": ("account", "accountno", "accno", "acctno"),
    "sort_code": ("sort", "sortingcode", "bankcode"),
    "iban": ("ibannumber", "internationalaccount"),
    "currency": ("ccy", "cur", "currencycode"),
    "amount": ("value", "sum", "total", "net", "netpay", "pay"),
    "payment_date": ("date", "duedate", "valuedate", "paydate"),
    "payment_reference": ("details", "narrative", "remittance", "message", "description"),
}
# Header texts that may be shown: short, without a number that could be an account's.
_SHOWABLE = re.compile(r"(?!.*[0-9]{4})[^\W\d][\w .-]{0,39}")


@frozen
class Slot:
    """An attribute of a request as a place for a cell; `required` when its class has no default for it."""

    name: str
    argument: str
    read: CellReader
    required: bool
    nullable: bool

    @property
    def is_secret(self) -> bool:
        """Tell whether its cells hold secrets."""
        return self.read is read_secret


def slots_of(cls: type | None) -> tuple[Slot, ...]:
    """Return the places that a row can fill in a request of the attrs class `cls`.

    **Raises** ConfigurationError when an attribute is of a type that no cell can hold.
    """
    if cls is None:
        return ()
    try:
        hints = get_type_hints(cls)
    except NameError as error:
        raise ConfigurationError(
            f"the type {error.name!r} of {cls.__name__} is not known in its module: define it there, at the top"
        ) from None
    slots = []
    for attribute in fields(cls):
        wanted, required = hints[attribute.name], attribute.default is NOTHING
        read = reader_for(wanted)
        if read and attribute.init:
            argument = attribute.alias or attribute.name
            slots.append(Slot(attribute.name, argument, read, required, type(None) in get_args(wanted)))
        elif required and attribute.init:
            raise ConfigurationError(
                f"{attribute.name} of {cls.__name__} cannot come from a file: "
                "a cell holds text, a number, a date, true or false, a choice or a secret"
            )
    return tuple(slots)


def shown_label(label: str, place: int) -> str:
    """Return a header as a message may show it: its number in the file, where it may be an account's or a name."""
    return label if _SHOWABLE.fullmatch(label) else f"number {place}"


@frozen
class Columns:
    """The columns of a file, in their order, as the slots that they fill; None for a reference that is not sent.

    `sends_reference_as` is the argument that takes the reference of a row where no column of its own gives it.
    `problems` are column (None for the header as a whole), what is wrong with it, and what to do.
    """

    slots: tuple[Slot | None, ...]
    sends_reference_as: str | None = None
    problems: tuple[tuple[str | None, str, str], ...] = ()


class Header:
    """The names that columns may have for a request of the class `cls`, in Python's spelling or the API's.

    `named` maps fields to the headers that a user gave for them.

    **Raises** ConfigurationError when it names a field that the request does not have, or when a file cannot give one
    that the request needs.
    """

    def __init__(self, cls: type | None, named: Mapping[str, str]) -> None:
        wire = spellings(cls) if cls else {}
        self._slots: dict[str, Slot | None] = {REFERENCE: None} | {slot.name: slot for slot in slots_of(cls)}
        self._spelt = {name: wire.get(name, name) for name in self._slots}
        keys = {normalise_name(text): name for name, spelt in self._spelt.items() for text in (name, spelt)}
        if unknown := [field for field in named if normalise_name(field) not in keys]:
            raise ConfigurationError(f"there is no field {', '.join(unknown)} for a column: name one of {self.names}")
        self._named = {keys[normalise_name(field)]: label for field, label in named.items()}
        self._known = {key: name for key, name in keys.items() if name not in self._named}
        self._known |= {normalise_name(label): name for name, label in self._named.items()}

    @property
    def names(self) -> str:
        """The fields, as a list for people."""
        return ", ".join(self._slots)

    def spelt(self) -> tuple[str, ...]:
        """Return the fields as the API spells them, the reference first."""
        return tuple(self._spelt.values())

    def count_known(self, labels: Sequence[object]) -> int:
        """Return how many of `labels` are names of columns."""
        return sum(isinstance(label, str) and normalise_name(label) in self._known for label in labels)

    def match(self, labels: Sequence[str]) -> Columns:
        """Find the attribute that each label means, whatever its case and spaces; report all problems at once."""
        if not self.count_known(labels):
            return Columns((), problems=((None, "names no column that is known", f"known are {self.names}"),))
        problems: list[tuple[str | None, str, str]] = []
        taken: dict[str, str] = {}
        fields_named = [self._known.get(normalise_name(label)) for label in labels]
        for place, (label, name) in enumerate(zip(labels, fields_named, strict=True), 1):
            shown = shown_label(label, place)
            if name is None:
                problems.append((shown, "is not known", self._hint(label, shown)))
            elif name in taken:
                problems.append((shown, f"gives {name} a second time, after {taken[name]}", "keep one of them"))
            else:
                taken[name] = shown
        free = {name: slot for name, slot in self._slots.items() if slot and name not in taken}
        sent = None if self._slots[REFERENCE] else free.pop(_SENT_AS, None)
        lacking = [REFERENCE] * (REFERENCE not in taken)
        lacking += [name for name, slot in free.items() if slot.required and name != REFERENCE]
        lacking += [name for name in self._named if name not in {*taken, *lacking}]
        if lacking:
            named = ", ".join(f"{name} ({self._named[name]!r})" if name in self._named else name for name in lacking)
            problems.append((None, f"has no column {named}", "add it, or say what it is called with --column"))
        slots = tuple(self._slots[name] if name else None for name in fields_named)
        return Columns(slots, sent.argument if sent else None, tuple(problems))

    def _hint(self, label: str, shown: str) -> str:
        key = normalise_name(label)
        meant = [name for name, others in _MEANINGS.items() if key in others and name in self._slots]
        near = meant or [self._known[each] for each in difflib.get_close_matches(key, self._known, 1)]
        if not near:
            return f"known are {self.names}"
        spelt = self._spelt[near[0]]
        also = f" ({spelt})" if spelt != near[0] else ""
        remedy = f"rename it, or give --column {near[0]}='{label}'" if shown == label else "rename it"
        return f"did you mean {near[0]}{also}? {remedy}"
