"""The statement of a bank, as CSV, JSON Lines, xlsx, MT940 or CAMT.053: money that moved, and when."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from attrs import define, evolve, frozen

from caxton_async.batch.input.cells import describe, is_empty
from caxton_async.batch.input.columns import shown_label
from caxton_async.batch.input.formats import InputOptions, Record, RecordReader
from caxton_async.batch.input.problems import CellError, Problems, UnreadableFile
from caxton_async.batch.reconcile.entries import StatementEntry, read_camt, read_mt940
from caxton_async.bulk import normalise_name
from caxton_async.errors import ConfigurationError, InvalidRequest

# What each column may be called, the likeliest first, as `normalise_name` gives it.
_GUESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "bookingdate", "transactiondate", "valuedate", "paymentdate", "completeddate", "posteddate"),
    "reference": ("reference", "paymentreference", "yourreference", "customerreference", "endtoendid"),
    "description": ("description", "transactiondescription", "narrative", "details", "memo", "remittanceinformation"),
    "amount": ("amount", "transactionamount", "value"),
    "money_out": ("moneyout", "paidout", "debit", "debitamount", "withdrawal", "withdrawals"),
    "money_in": ("moneyin", "paidin", "credit", "creditamount", "deposit", "deposits"),
    "direction": (
        "dr/cr",
        "cr/dr",
        "drcr",
        "crdr",
        "debit/credit",
        "credit/debit",
        "debitcredit",
        "creditdebitindicator",
    ),
    "currency": ("currency", "currencycode", "transactioncurrency", "ccy"),
    "beneficiary": (
        *("beneficiary", "beneficiaryname", "payee", "recipient", "recipientname"),
        *("counterparty", "counterpartyname", "name"),
    ),
}
_DATE_FORMATS = (
    *("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%Y/%m/%d"),
    *("%d/%m/%y", "%d.%m.%y", "%d-%b-%y"),
)
_EMPTY = frozenset({"", "-", "\u2013", "\u2014"})
_CURRENCY = re.compile(r"[£€$¥]|(?<![A-Z])[A-Z]{3}(?![A-Z])")
# A sign before or behind the number, or brackets for a minus, and the way of the money.
_AMOUNT = re.compile(r"(\(?)([+-]?)([0-9][0-9.,]*)([+-]?)(\)?)(DR|CR|D|C|)")
_WITH_POINT = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,6})?")
_WITH_COMMA = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]{1,15}),[0-9]{1,2}")
_OUT, _IN = frozenset({"D", "DR", "DBIT", "DEBIT"}), frozenset({"C", "CR", "CRDT", "CREDIT"})


@frozen
class Statement:
    """The entries of a statement, in its order."""

    name: str
    entries: tuple[StatementEntry, ...]


def read_statement(
    path: str | Path,
    *,
    currency: str | None = None,
    outgoing: Literal["negative", "positive"] | None = None,
    date_format: str | None = None,
    options: InputOptions | None = None,
) -> Statement:
    """Return the entries of a statement; lines without an amount, such as headings, are passed over.

    `currency` is that of an account whose statement does not name it.  `outgoing` says which amounts of a single column
    left the account: the negative ones, if nothing is said and there are any.  `options.columns` names the columns that
    are not guessed: of `date`, `reference`, `description`, `amount`, or `money_out` and `money_in`, `direction`,
    `currency` and `beneficiary`.

    **Raises** RowErrors with every line that cannot be read, InvalidRequest when a column is missing or the direction
    of the money is not clear, ConfigurationError when the file cannot be opened.
    """
    path, problems, options = Path(path), Problems(), options or InputOptions()
    table = _Table(options.columns, _DATE_FORMATS if date_format is None else (date_format,), currency)
    entries: list[StatementEntry] = []
    raw = _read_program_file(path)
    try:
        if raw is None:
            entries += table.entries(RecordReader(path, table.count_known, problems, options, ",;\t|"), problems)
        elif raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            entries += read_camt(raw)
        else:
            entries += read_mt940(raw.decode(options.encoding or "utf-8", "replace"))
    except UnreadableFile as error:
        problems.add(error.line, None, error.problem, error.remedy)
    problems.raise_errors(path, "it is not read")
    return Statement(path.name, table.directed(entries, outgoing) if raw is None else tuple(entries))


def _read_program_file(path: Path) -> bytes | None:
    """Return the bytes of MT940 or XML, whatever the file is called, and None of a table."""
    try:
        with path.open("rb") as file:
            begin = file.read(4096)
            is_table = not begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{1:", b":20:"))
            return None if is_table else begin + file.read()
    except OSError as error:
        problem = error.strerror
    raise ConfigurationError(f"{path} cannot be read: {problem}")


@define
class _Table:
    """Reads the entries of a table; `is_directed` is true once something but a minus says which way money went."""

    named: Mapping[str, str]
    formats: Sequence[str]
    currency: str | None
    is_directed: bool = False

    def __attrs_post_init__(self) -> None:
        if unknown := self.named.keys() - _GUESSES.keys():
            raise InvalidRequest(f"{', '.join(sorted(unknown))} is no part of a statement: name {', '.join(_GUESSES)}")

    def count_known(self, labels: Sequence[object]) -> int:
        """Return how many labels are names of columns."""
        return len(self._roles(labels))

    def _roles(self, labels: Sequence[object]) -> dict[str, int]:
        places = {normalise_name(str(label)): place for place, label in reversed(list(enumerate(labels)))}
        roles: dict[str, int] = {}
        for role, guesses in _GUESSES.items():
            names = (normalise_name(self.named[role]),) if role in self.named else guesses
            if name := next((name for name in names if name in places), None):
                roles[role] = places[name]
        return roles

    def entries(self, records: Iterable[Record], problems: Problems) -> Iterator[StatementEntry]:
        """Yield the entries, and note the lines that cannot be read."""
        labels: tuple[str, ...] | None = None
        roles: dict[str, int] = {}
        for record in records:
            try:
                if record.problem:
                    raise CellError(*record.problem)
                if record.labels != labels:
                    labels, roles = record.labels, self._checked_roles(record.labels)
                if entry := self._entry(record, roles):
                    yield entry
            except CellError as error:
                problems.add(record.line, None, error.problem, error.remedy)

    def _checked_roles(self, labels: Sequence[str]) -> dict[str, int]:
        roles = self._roles(labels)
        lacking = [f"{role} ({label})" for role, label in self.named.items() if role not in roles]
        lacking += ["date"] * ("date" not in roles and "date" not in self.named)
        lacking += ["amount"] * (not {*roles, *self.named} & {"amount", "money_out"})
        if lacking:
            has = ", ".join(shown_label(label, place) for place, label in enumerate(labels, 1))
            raise InvalidRequest(f"the statement has no column for {' and '.join(lacking)}: it has {has}")
        self.is_directed |= bool(roles.keys() & {"money_out", "direction"})
        return roles

    def _entry(self, record: Record, roles: Mapping[str, int]) -> StatementEntry | None:
        cells = {role: record.cells[place] for role, place in roles.items()}
        cells = {role: cell for role, cell in cells.items() if not is_empty(cell) and str(cell).strip() not in _EMPTY}
        amount = self._signed(cells)
        if not amount:
            return None
        if "date" not in cells:
            raise CellError("has an amount and no date", "write the date")
        texts = {role: " ".join(str(cell).split()) for role, cell in cells.items()}
        return StatementEntry(
            line=record.line,
            date=_date(cells["date"], self.formats),
            amount=abs(amount),
            outgoing=amount < 0,
            texts=tuple(texts[role] for role in ("reference", "description") if role in texts),
            currency=texts.get("currency", self.currency or "").upper() or None,
            beneficiary=texts.get("beneficiary"),
        )

    def _signed(self, cells: Mapping[str, object]) -> Decimal:
        """Return what an entry adds to the account: below zero when the money left it."""
        if "amount" not in cells or cells.keys() & {"money_out", "money_in"}:
            out, into = (abs(_number(cells.get(role, "0"))[0]) for role in ("money_out", "money_in"))
            return into - out
        number, way = _number(cells["amount"])
        way = way or str(cells.get("direction", "")).strip().upper()
        if way:
            self.is_directed = True
            if way not in _OUT | _IN or (number < 0 and way in _IN):
                raise CellError("does not say which way the money went", "write D or C (debit or credit) beside it")
            return -abs(number) if way in _OUT else number
        return number

    def directed(
        self, entries: Sequence[StatementEntry], outgoing: Literal["negative", "positive"] | None
    ) -> tuple[StatementEntry, ...]:
        """Turn the entries round where the positive ones left the account; that is guessed only where the file tells.

        **Raises** InvalidRequest where nothing tells.
        """
        if self.is_directed:
            return tuple(entries)
        if outgoing == "positive":
            return tuple(evolve(entry, outgoing=not entry.outgoing) for entry in entries)
        if entries and outgoing is None and not any(entry.outgoing for entry in entries):
            raise InvalidRequest("no amount is negative: if positive ones left the account, say --outgoing positive")
        return tuple(entries)


def _number(cell: object) -> tuple[Decimal, str]:
    """Return an amount with its sign, and the way of the money where it stands beside it."""
    text = re.sub(r"[\s'\u2019]", "", cell if isinstance(cell, str) else "").upper().replace("\u2212", "-")
    if match := _AMOUNT.fullmatch(_CURRENCY.sub("", text)):
        opened, before, number, behind, closed, way = match.groups()
        if _WITH_COMMA.fullmatch(number):
            number = number.replace(".", "").replace(",", ".")
        if _WITH_POINT.fullmatch(number) and opened + before + behind + closed in {"", "+", "-", "()"}:
            amount = Decimal(number.replace(",", ""))
            return -amount if opened or "-" in before + behind else amount, way
    raise CellError(f"{describe(cell)} is not an amount", "write it like -1,234.50")


def _date(cell: object, formats: Sequence[str]) -> dt.date:
    if isinstance(cell, dt.datetime):
        return cell.date()
    if isinstance(cell, dt.date):
        return cell
    text = str(cell).strip()
    try:
        if formats is _DATE_FORMATS:
            return dt.datetime.fromisoformat(text).date()
    except ValueError:
        pass
    for known in formats:
        try:
            return dt.datetime.strptime(text, known).date()  # noqa: DTZ007 -- a day of the bank's, without a zone
        except ValueError:
            continue
    raise CellError(f"{describe(cell)} is not a date like 2026-05-31 or 31/05/2026", "say how it is written")
