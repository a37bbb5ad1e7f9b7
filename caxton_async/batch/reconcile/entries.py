"""The entries of the statements that banks send for programs: MT940 of SWIFT and CAMT.053 of ISO 20022."""

import datetime as dt
import io
import logging
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree as ET

from attrs import frozen

from caxton_async.batch.input.problems import UnreadableFile
from caxton_async.errors import ConfigurationError

# What stands where there is no reference.  Source: SWIFT category 9, field 61; the SEPA rulebooks.
_NO_REFERENCE = frozenset({"NONREF", "NOTPROVIDED", "NOT PROVIDED"})


@frozen
class StatementEntry:
    """Money that moved: `amount` is above zero, and left the account when `outgoing`.

    `line` is the line of a table, and the number of the entry in MT940 and CAMT.053.  `texts` are the reference and all
    else that the payer may have written.
    """

    line: int
    date: dt.date
    amount: Decimal
    outgoing: bool
    texts: tuple[str, ...] = ()
    currency: str | None = None
    beneficiary: str | None = None


def read_mt940(text: str) -> Iterator[StatementEntry]:
    """Yield the entries of an MT940 statement; what was reversed counts as incoming.

    **Raises** ConfigurationError without the extra `statements`, UnreadableFile when the text is no MT940.
    """
    for number, data in enumerate(_transactions(text), 1):
        names = ("end_to_end_reference", "customer_reference", "purpose", "extra_details", "transaction_details")
        yield StatementEntry(
            line=number,
            date=dt.date(data["date"].year, data["date"].month, data["date"].day),
            amount=abs(data["amount"].amount),
            outgoing=data["status"] == "D",
            texts=_texts(*map(data.get, names)),
            currency=data["amount"].currency or data.get("currency"),
            beneficiary=_one_line(data.get("applicant_name") or data.get("recipient_name")) or None,
        )


def _transactions(text: str) -> list[dict[str, Any]]:
    try:
        import mt940  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ConfigurationError(
            'MT940 statements need an extra: python -m pip install "caxton-async[statements]"'
        ) from None
    logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)  # it quotes lines of the statement that it cannot read
    try:
        options = mt940.options.Options(applicant_iban=True)  # not in front of the name
        found = [each.data for each in mt940.parse(io.StringIO(text), options=options).transactions]
        is_whole = len(found) == len(re.findall(r"^:61:", text, re.MULTILINE))
        if is_whole and all({"date", "amount", "status"} <= data.keys() for data in found):
            return found
    except Exception:  # noqa: BLE001, S110 -- the library raises what comes, and its errors hold the statement's text
        pass
    raise UnreadableFile(1, "does not begin an MT940 statement that can be read", "export it anew, or as CSV")


class _NoDoctype(ET.TreeBuilder):
    """Refuses a document type, and with it every entity: a statement has none, and a bomb needs one."""

    def doctype(self, _name: str, _pubid: str | None, _system: str | None) -> None:
        raise UnreadableFile(1, "begins XML with a document type", "export it anew: a statement has none")


def read_camt(raw: bytes) -> Iterator[StatementEntry]:
    """Yield the booked entries of a CAMT.053 statement, each of a batch by itself; what was reversed is incoming.

    **Raises** UnreadableFile when the bytes are no CAMT.053.  Source: ISO 20022, BankToCustomerStatement.
    """
    try:
        root = ET.fromstring(raw, ET.XMLParser(target=_NoDoctype()))  # noqa: S314 -- `_NoDoctype`
    except (ET.ParseError, LookupError, ValueError):
        root = None
    if root is None or not _all(root, "BkToCstmrStmt"):
        raise UnreadableFile(1, "does not begin a CAMT.053 statement that can be read", "export it anew, or as CSV")
    number = 0
    for entry in _all(root, ".//{*}Ntry"):
        if (_first(entry, "Sts/{*}Cd") or _first(entry, "Sts")) in {"BOOK", ""}:
            for payment in _all(entry, "NtryDtls/{*}TxDtls") or [entry]:
                number += 1
                yield _camt_entry(number, entry, payment)


def _camt_entry(number: int, entry: ET.Element, payment: ET.Element) -> StatementEntry:
    amounts = [*_all(payment, "Amt"), *_all(payment, "AmtDtls/{*}TxAmt/{*}Amt"), *_all(entry, "Amt")]
    day = _first(entry, "BookgDt/{*}Dt") or _first(entry, "BookgDt/{*}DtTm") or _first(entry, "ValDt/{*}Dt")
    way = _first(payment, "CdtDbtInd") or _first(entry, "CdtDbtInd")
    creditor = _first(payment, "RltdPties/{*}Cdtr/{*}Nm") or _first(payment, "RltdPties/{*}Cdtr/{*}Pty/{*}Nm")
    references = (_first(payment, f"Refs/{{*}}{name}") for name in ("EndToEndId", "InstrId", "PmtInfId"))
    free = (element.text for element in _all(payment, "RmtInf/{*}Ustrd"))
    structured = _first(payment, "RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref")
    try:
        return StatementEntry(
            line=number,
            date=dt.date.fromisoformat(day[:10]),
            amount=abs(Decimal(amounts[0].text or "")),
            outgoing=way == "DBIT" and _first(entry, "RvslInd") not in {"true", "1"},
            texts=_texts(*references, structured, *free, _first(entry, "AddtlNtryInf")),
            currency=amounts[0].get("Ccy"),
            beneficiary=creditor or None,
        )
    except (ValueError, InvalidOperation, IndexError):
        pass
    raise UnreadableFile(number, "is an entry without date or amount", "export the statement anew, or as CSV")


def _all(element: ET.Element, path: str) -> list[ET.Element]:
    return element.findall(path if path.startswith(".") else f"{{*}}{path}")


def _first(element: ET.Element, path: str) -> str:
    found = element.find(f"{{*}}{path}")
    return _one_line(found.text) if found is not None else ""


def _texts(*parts: str | None) -> tuple[str, ...]:
    lines = (_one_line(part) for part in parts)
    return tuple(dict.fromkeys(line for line in lines if line and line.upper() not in _NO_REFERENCE))


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
