"""The rows of a bulk upload: what is refused, what is kept out of sight, and the text that is sent."""

import csv
import datetime as dt
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton_async import bulk
from caxton_async.bulk import BulkPaymentRow, check_payment_date, london_date, render_payload
from caxton_async.errors import ConfigurationError, InvalidRequest
from tests.support.places import SAMPLES

IBAN = "GB33BUKB20201555555555"  # the example of the registry
UPLOAD = json.loads((SAMPLES / "12_create_bulk_upload_response.json").read_text("utf-8"))
COLUMNS = tuple(UPLOAD["Content"]["Model"]["ColumnFormat"].split(","))
REVERSED = "\N{RIGHT-TO-LEFT OVERRIDE}"


def row(**changes) -> BulkPaymentRow:
    """Build a row that is right, but for what is given."""
    values = {"recipient_name": "Ada Lovelace", "iban": IBAN, "currency": "GBP", "amount": Decimal("10.50")}
    return BulkPaymentRow(**values | changes)


def test_the_columns_are_those_of_the_guide_in_its_order() -> None:
    """The attributes of a row are the columns that the sample of the guide names."""
    names = [attribute.name for attribute in BulkPaymentRow.__attrs_attrs__]

    assert [bulk.normalise_name(name) for name in names] == [bulk.normalise_name(column) for column in COLUMNS]
    assert len(names) == 14


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"iban": "GB34BUKB20201555555555"}, "check digits", id="check digits of the IBAN"),
        pytest.param({"recipient_country": "UK"}, "GB", id="a country that is none"),
        pytest.param({"currency": "gbp"}, "ISO 4217", id="currency in small letters"),
        pytest.param({"currency": ""}, "currency must not be empty", id="no currency"),
        pytest.param({"amount": Decimal("1.005")}, "3 decimals", id="fractions of a penny"),
        pytest.param({"amount": Decimal("1.5"), "currency": "JPY"}, "JPY has 0", id="fractions of a yen"),
        pytest.param({"amount": 1.5}, "not float", id="a float"),
        pytest.param({"amount": Decimal(0)}, "above zero", id="nothing"),
        pytest.param({"amount": Decimal("NaN")}, "finite", id="not a number"),
        pytest.param({"recipient_name": " "}, "recipient_name must not be empty", id="no name"),
        pytest.param({"recipient_name": f"Ada{REVERSED}ecalevoL"}, "U+202E at position 4", id="reversed name"),
        pytest.param({"payment_reference": "May\r\nBob"}, "U+000D", id="a line break in a reference"),
        pytest.param({"client_recipient_reference": "a\0"}, "U+0000", id="a NUL"),
        pytest.param({"recipient_address": "a\ud800"}, "U+D800", id="half a character"),
        pytest.param({"payment_reference": None}, "not NoneType", id="None for a text"),
        pytest.param({"iban": None}, "iban) must be a string, not NoneType", id="None for a code"),
        pytest.param({"iban": ""}, "iban and account_number", id="no destination"),
        pytest.param({"payment_date": "2026-05-31"}, "must be a date", id="a date as text"),
        pytest.param({"payment_date": dt.datetime(2026, 5, 31, tzinfo=dt.UTC)}, "must be a date", id="a moment"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(changes: dict, said: str) -> None:
    """Each wrong value is refused before anything is sent, in words that say what to do and do not show it."""
    with pytest.raises(InvalidRequest) as refusal:
        row(**changes)

    assert said in str(refusal.value)
    assert not any(len(str(value)) > 4 and str(value) in str(refusal.value) for value in changes.values())


def test_codes_in_their_printed_form_are_understood() -> None:
    """Spaces and hyphens that people put into codes are not sent."""
    written = row(iban="gb33 bukb 2020 1555 5555 55", swift_code="BUKB GB 22", sort_code="20-20-15")

    assert (written.iban, written.swift_code, written.sort_code) == (IBAN, "BUKBGB22", "202015")


def test_an_account_number_keeps_its_leading_zeros() -> None:
    """An account number is text and nothing else."""
    assert row(iban="", account_number="00123456").account_number == "00123456"


def test_account_data_stay_out_of_the_repr() -> None:
    """Nothing that leads to an account stands in the text of a row."""
    shown = repr(row(account_number="55779911", sort_code="200000", recipient_address="1 Secret Lane"))

    assert not any(hidden in shown for hidden in (IBAN, "55779911", "200000", "Secret Lane"))


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        ("2026-06-30T22:59:59+00:00", dt.date(2026, 6, 30)),
        ("2026-06-30T23:00:00+00:00", dt.date(2026, 7, 1)),
        ("2026-12-31T23:59:59+00:00", dt.date(2026, 12, 31)),
        ("2026-07-01T02:00:00+09:00", dt.date(2026, 6, 30)),
    ],
)
def test_the_day_is_londons(moment: str, date: dt.date) -> None:
    """Summer time counts, and where the machine stands does not."""
    assert london_date(dt.datetime.fromisoformat(moment)) == date


def test_a_payment_date_in_the_past_is_refused() -> None:
    """Yesterday is refused; today, a later day and no day are not."""
    now, today = dt.datetime(2026, 6, 30, 23, 30, tzinfo=dt.UTC), dt.date(2026, 7, 1)  # it is July in London

    for good in (today, today + dt.timedelta(days=1), None):
        check_payment_date(row(payment_date=good), now)
    with pytest.raises(InvalidRequest, match="2026-06-30, before today in London"):
        check_payment_date(row(payment_date=dt.date(2026, 6, 30)), now)


def test_a_moment_without_zone_is_refused() -> None:
    """A time that may be anywhere has no date in London."""
    with pytest.raises(ConfigurationError, match="needs a zone"):
        london_date(dt.datetime(2026, 6, 30))  # noqa: DTZ001 -- that it has none is the point


def test_a_machine_without_time_zones_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no data of time zones, the date is not guessed."""

    def missing(_name: str) -> None:
        raise bulk.ZoneInfoNotFoundError("No time zone found")

    monkeypatch.setattr(bulk, "ZoneInfo", missing)

    with pytest.raises(ConfigurationError, match="pip install tzdata"):
        london_date(dt.datetime(2026, 6, 30, tzinfo=dt.UTC))


def test_a_payload_stands_in_the_order_of_the_server() -> None:
    """Header and cells follow the columns that the upload named, in CRLF lines."""
    payment = row(action="New", payment_reference="May, late", amount=1200, payment_date=dt.date(2026, 5, 31))

    assert render_payload([payment], COLUMNS) == (
        ",".join(COLUMNS) + f"\r\nNew,,,Ada Lovelace,,,,{IBAN},,," + '"May, late",GBP,1200,2026-05-31\r\n'
    )
    assert render_payload([payment], COLUMNS[:1] + COLUMNS[2:]).count(",") == 12 * 2 + 1  # what is lost is empty
    reordered = render_payload([payment], tuple(reversed(COLUMNS))).splitlines()
    assert reordered[1].startswith("2026-05-31,1200,GBP,")


def test_a_mapping_is_sent_unchanged() -> None:
    """The text of a mapping goes out as it is, also where a spreadsheet would read a formula."""
    payload = render_payload([{"iban": "=1+1", "My Column": "-5"}], ("IBAN", "MyColumn"))

    assert payload == "IBAN,MyColumn\r\n=1+1,-5\r\n"


@pytest.mark.parametrize(
    ("given_row", "columns", "said"),
    [
        pytest.param(row(), None, "names no columns", id="BACS"),
        pytest.param(row(), (*COLUMNS, "Purpose"), "row 1 has no Purpose", id="a column that rows do not have"),
        pytest.param({"A": "1"}, ("A", "B"), "row 1 has no B", id="a column that the mapping lacks"),
        pytest.param(row(action="New"), COLUMNS[1:], "action.*would be lost", id="a value without a column"),
        pytest.param({"A": "1", "Ammount": "5"}, ("A",), "Ammount.*would be lost", id="a column misspelt"),
        pytest.param({"A": "1", "a": "2"}, ("A",), "twice", id="a column twice"),
        pytest.param({"A": "1\n2"}, ("A",), "U\\+000A", id="a line break"),
        pytest.param({"A": 1}, ("A",), "A of row 1 must be a string, not int", id="a number"),
    ],
)
def test_a_payload_that_would_lose_something_is_refused(given_row: object, columns: object, said: str) -> None:
    """What has no place, or lacks, is named together with its row."""
    with pytest.raises(InvalidRequest, match=said):
        render_payload([given_row], columns)


def test_a_payload_without_rows_is_refused() -> None:
    """A header alone pays nobody."""
    with pytest.raises(InvalidRequest, match="no row"):
        render_payload([], COLUMNS)


@given(st.lists(st.fixed_dictionaries({"A": st.text(), "B": st.text()}), min_size=1, max_size=5))
def test_any_text_is_refused_or_comes_back_as_it_was(rows: list[dict[str, str]]) -> None:
    """Whatever a mapping holds, its payload reads back to the same cells, or is refused."""
    try:
        payload = render_payload(rows, ("B", "A"))
    except InvalidRequest:
        return  # a control character

    assert list(csv.DictReader(io.StringIO(payload, newline=""))) == rows
