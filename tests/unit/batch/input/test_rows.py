"""The rows of a batch: requests out of files, and every error of a file at once."""

import datetime as dt
import hashlib
import pickle
import re
import sys
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from attrs import field, frozen, validators
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton_async.batch.input import (
    InputFile,
    InputOptions,
    Row,
    RowErrors,
    beneficiary_of,
    read_rows,
    template_of,
)
from caxton_async.batch.input import rows as rows_module
from caxton_async.bulk import BulkPaymentRow, check_payment_date
from caxton_async.endpoints import (
    CREATE_BULK_UPLOAD,
    CREATE_CARD,
    GET_ACCESS_TOKEN,
    LIST_BANKS,
    MOVE_FUNDS,
    Endpoint,
)
from caxton_async.errors import ConfigurationError, InvalidRequest
from caxton_async.models import BulkSource, CreateBulkUpload, MoveFunds, NewCard
from tests.support.places import SAMPLES

PAYROLL = Endpoint("payroll", "POST", "payments", BulkPaymentRow)
HEADER = "reference,from_currency,to_currency,amount\n"


@pytest.fixture
def written(tmp_path: Path):
    """Write a file and return its path."""

    def write(content: str, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_text(content, "utf-8", newline="")
        return path

    return write


def errors_of(path: Path, endpoint: Endpoint, **options) -> list[str]:
    """Return what is said of each wrong line, and check that no row is handed out."""
    with pytest.raises(RowErrors) as refusal:
        read_rows(path, endpoint, **options)  # raises before anything is asked of the iterator
    assert str(refusal.value).startswith(f"{path} has ")
    return [str(error) for error in refusal.value.errors]


def test_a_payroll_becomes_bulk_payments() -> None:
    """The sample payroll is read to the last zero, in either spelling of its columns."""
    first, second, third = read_rows(SAMPLES / "payroll.csv", PAYROLL)

    assert first == Row(
        "PAY-001",
        BulkPaymentRow(
            recipient_name="Ada Lovelace",
            iban="GB33BUKB20201555555555",
            recipient_country="GB",
            payment_reference="May salary",
            currency="GBP",
            amount=Decimal("2310.50"),
            payment_date=dt.date(2030, 5, 31),
        ),
        2,
    )
    assert (second.request.recipient_name, second.request.account_number) == ("Babbage, Charles", "05555555")
    assert str(third.request.amount) == "3120.00"


def test_json_lines_become_requests() -> None:
    """The sample of JSON Lines gives exact amounts, from numbers and from text."""
    rows = list(read_rows(SAMPLES / "moves.jsonl", MOVE_FUNDS))

    assert rows == [
        Row("MOVE-1", MoveFunds("GBP", "POTBC-GBP", Decimal("10.50")), 1),
        Row("MOVE-2", MoveFunds("JPY", "POT11-JPY", Decimal(1200)), 2),
    ]
    assert str(rows[0].request.amount) == "10.50"


def test_a_workbook_becomes_requests(tmp_path: Path) -> None:
    """Numbers of a workbook are amounts when they are exact; dates are dates."""
    book = openpyxl.Workbook()
    book.active.append(["reference", "Recipient name", "account_number", "Currency", "Amount", "Payment Date"])
    book.active.append(["A", "Ada", "00123456", "GBP", 10.1, dt.date(2030, 5, 31)])
    book.save(tmp_path / "rows.xlsx")

    (row,) = read_rows(tmp_path / "rows.xlsx", PAYROLL)

    assert row.request.account_number == "00123456"
    assert (row.request.amount, row.request.payment_date) == (Decimal("10.1"), dt.date(2030, 5, 31))


def test_a_workbook_with_numbers_for_accounts_is_refused(tmp_path: Path) -> None:
    """An account number or sort code that a workbook holds as a number has lost its leading zeros."""
    book = openpyxl.Workbook()
    book.active.append(["reference", "Recipient name", "account_number", "sort_code", "Currency", "Amount"])
    book.active.append(["A", "Ada", 12345678, 20, "GBP", 10.005])
    book.save(tmp_path / "rows.xlsx")

    said = errors_of(tmp_path / "rows.xlsx", PAYROLL)

    assert [line.partition(": a number is not text")[0] for line in said] == [
        "line 2, column account_number",
        "line 2, column sort_code",
    ]


def test_a_row_unpacks_as_a_pair() -> None:
    """A row serves wherever a pair of reference and request does."""
    reference, request = Row("A", None, 2)

    assert (reference, request) == ("A", None)


@pytest.mark.parametrize(
    ("endpoint", "content", "request_"),
    [
        (
            CREATE_BULK_UPLOAD,
            "reference,Description,ExternalSource\nA,May,1\n",
            CreateBulkUpload("May", BulkSource.CAXTON),
        ),
        (
            CREATE_BULK_UPLOAD,
            "reference,Description,ExternalSource\nA,May,bacs\n",
            CreateBulkUpload("May", BulkSource.BACS),
        ),
        (LIST_BANKS, "reference\nA\n", None),
        (
            CREATE_CARD,
            "reference,WalletId,FirstName,LastName,Gender,DateOfBirth,Email\nA,7,Ada,Byron,Female,1990-05-20,\n",
            NewCard(7, "Ada", "Byron", "Female", "1990-05-20"),
        ),
    ],
)
def test_any_endpoint_of_the_catalogue_takes_rows(written, endpoint: Endpoint, content: str, request_: object) -> None:
    """Choices, numbers, path parameters and what may be left out all come from cells."""
    (row,) = read_rows(written(content), endpoint)

    assert row == Row("A", request_, 2)


def test_a_class_of_ones_own_takes_rows(written) -> None:
    """What the vendor has not documented can be run as a batch too, the reference sent along."""

    @frozen
    class CreatePayment:
        beneficiary_id: int
        amount: Decimal
        currency: str
        note: str | None
        reference: str
        _mode: str = "fast"

    path = written("reference,BeneficiaryId,Amount,Currency,Note,Mode\nINV-1,7,10.50,GBP,,slow\n")

    (row,) = read_rows(path, Endpoint("create_payment", "POST", "payments/new", CreatePayment))

    assert row == Row("INV-1", CreatePayment(7, Decimal("10.50"), "GBP", None, "INV-1", "slow"), 2)


def test_every_error_of_a_file_is_said_at_once(written) -> None:
    """Each wrong line is listed with line, column and remedy, and none of the good ones is handed out."""
    path = written(
        HEADER
        + "A,GBP,POTBC-GBP,10\n"
        + "B,GBP,POTBC-GBP,\n"
        + 'C,GBP,POTBC-GBP,"1,000.00"\n'
        + "D,GBP,POTBC-GBP,1,000\n"
        + ",GBP,POTBC-GBP,0.001\n"
        + "E,GBP,POTBC-GBP,0.001\n"
        + "A,GBP,,-5\n"
        + "F,JPY,POTBC-JPY,1.5\n"
        + "G,GBP,POTBC-GBP,-5\n"
    )

    assert errors_of(path, MOVE_FUNDS) == [
        "line 3, column amount: is empty: each row needs it",
        (
            "line 4, column amount: a text of 8 characters is not a plain number: "
            "write it with a point and without separators, like 1000.00"
        ),
        "line 5: has 5 cells where the header has 4: put quotation marks around a cell that holds the separator",
        "line 6, column reference: is empty: each row needs one of its own",
        "line 7, column amount: amount has 3 decimals, GBP has 2: round it first",
        "line 8, column reference: is the same as on line 2: each row needs one of its own",
        "line 8, column to_currency: is empty: each row needs it",
        "line 9, column amount: amount has 1 decimals, JPY has 0: round it first",
        "line 10, column amount: amount must be above zero: correct it in the file",
    ]


def test_a_wrong_header_of_a_table_is_said_once(written) -> None:
    """The header's line stands for all the rows below it."""
    path = written("reference,from_currency,to_currency,ammount\nA,GBP,X-GBP,1\nB,GBP,X-GBP,1\n")

    assert errors_of(path, MOVE_FUNDS) == [
        (
            "line 1, column ammount: is not known: did you mean amount (Amount)? "
            "rename it, or give --column amount='ammount'"
        ),
        "line 1: has no column amount: add it, or say what it is called with --column",
    ]


def test_a_wrong_member_of_json_is_said_for_each_line(written) -> None:
    """Each line of JSON Lines names its own members, so each is judged."""
    wrong = '{"reference": "A", "from_currency": "GBP", "to_currency": "X-GBP", "ammount": 1}\n'
    path = written(wrong + wrong.replace("ammount", "amount") + wrong.replace('"A"', '"B"') + "{}\nnot\n", "rows.jsonl")

    said = errors_of(path, MOVE_FUNDS)

    assert [line.partition(":")[0] for line in said] == [
        "line 1, column ammount", "line 1", "line 3, column ammount", "line 3", "line 4", "line 5",
    ]  # fmt: skip


def test_errors_beyond_the_cap_are_counted(written) -> None:
    """A hundred errors are shown, and how many more there are."""
    path = written(HEADER + "A,GBP,POTBC-GBP,x\n" * 1_000)

    with pytest.raises(RowErrors) as refusal:
        read_rows(path, MOVE_FUNDS)

    assert (len(refusal.value.errors), refusal.value.count) == (100, 1_999)  # 1,000 amounts, 999 references
    assert str(refusal.value).endswith("\n  and 1899 more")


def test_the_errors_survive_pickling(written) -> None:
    """The errors of a file can be handed from one process to another."""
    with pytest.raises(RowErrors) as refusal:
        read_rows(written(HEADER + "A,GBP,POTBC-GBP,x\n"), MOVE_FUNDS)

    copy = pickle.loads(pickle.dumps(refusal.value))

    assert (str(copy), copy.errors, copy.count) == (str(refusal.value), refusal.value.errors, 1)
    assert "has 1 error, so none" in str(copy)


@pytest.mark.parametrize("content", ["", "\n\n", HEADER])
def test_a_file_without_rows_is_refused(written, content: str) -> None:
    """A file that pays nobody is a mistake."""
    assert errors_of(written(content), MOVE_FUNDS) == [
        "line 1: is not followed by any row: fill in a row for each payment"
    ]


def test_what_breaks_the_reading_stands_beside_the_errors_before_it(written) -> None:
    """The last error is the one behind which nothing could be read."""
    path = written(HEADER + 'A,GBP,POTBC-GBP,x\nB,GBP,"POT\n')

    assert [line.partition(":")[0] for line in errors_of(path, MOVE_FUNDS)] == ["line 2, column amount", "line 3"]


def test_a_check_of_the_callers_own_counts_as_an_error(written) -> None:
    """What only the moment can tell, such as a date in the past, is checked along with the rest."""
    now = dt.datetime(2030, 6, 1, 12, tzinfo=dt.UTC)

    said = errors_of(SAMPLES / "payroll.csv", PAYROLL, check=lambda row: check_payment_date(row, now))

    assert len(said) == 3
    assert said[0].startswith("line 2, column PaymentDate: payment_date is 2030-05-31, before today in London")


def test_an_amount_finer_than_its_currency_is_refused_for_any_class(written) -> None:
    """A class that does not look is no way around the minor unit."""

    @frozen
    class Pay:
        amount: Decimal
        currency: str

    path = written("reference,amount,currency\nA,1.5,JPY\nB,1.5,GBP\n")

    assert errors_of(path, Endpoint("pay", "POST", "pay", Pay)) == [
        "line 2, column amount: amount has more than the 0 decimals of its currency: round it first"
    ]


def test_no_message_shows_an_account_number_or_a_secret(written) -> None:
    """Cells that were mixed up stay out of sight, whatever the class of the request says about them."""

    @frozen
    class Pay:
        account: str = field(validator=validators.in_(["none"]))  # names the value in its message

    @frozen
    class Talkative:
        account: str

        def __attrs_post_init__(self) -> None:
            raise InvalidRequest(f"account must not be {self.account}")

    shifted = written(HEADER + "A,55779911,POTBC-GBP,0.001\n55779911,GBP,POTBC-GBP,55779911x\n", "shifted.csv")
    path = written("reference,account\nA,GB33BUKB20201555555555\nB, 5577 9911 \n")
    secret = written("reference,username,password\nA,55779911,hunter2\n,x,hunter2\n", "secret.csv")

    said = [
        *errors_of(shifted, MOVE_FUNDS),
        *errors_of(path, Endpoint("pay", "POST", "pay", Pay)),
        *errors_of(path, Endpoint("talk", "POST", "talk", Talkative)),
        *errors_of(secret, GET_ACCESS_TOKEN),
    ]

    assert len(said) == 7
    assert "line 2, column amount: amount has 3 decimals, *** has 2: round it first" in said
    assert not any(hidden in line for line in said for hidden in ("5577", "9911", "GB33", "hunter2"))


def test_a_secret_in_a_message_of_its_class_is_masked(written) -> None:
    """A class that repeats a short secret does not bring it to light."""

    def check(request) -> None:
        raise InvalidRequest(f"password must not be {request.password.reveal()}")

    (said,) = errors_of(written("reference,username,password\nA,ada,hunter2\n"), GET_ACCESS_TOKEN, check=check)

    assert said == "line 2, column password: password must not be ***: correct it in the file"


def test_an_error_of_the_callers_check_is_an_error_of_the_row(written) -> None:
    """A check that fails outright does not let the row pass."""
    (said,) = errors_of(written("reference\nA\n"), LIST_BANKS, check=lambda request: request.nothing)

    assert said == "line 2: does not make a row: its class refuses the values"


def test_what_a_check_cannot_tell_is_no_error_of_the_row(written) -> None:
    """A machine that cannot check, as one without time zone data, says so itself."""

    def check(_request) -> None:
        raise ConfigurationError("this machine has no time zone data")

    with pytest.raises(ConfigurationError, match="time zone"):
        read_rows(written("reference\nA\n"), LIST_BANKS, check=check)


def test_doubles_are_found_among_the_references_that_are_remembered(written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: later references are the journal's to compare, the remembered ones stay known."""
    monkeypatch.setattr(rows_module, "REMEMBERED", 2)
    path = written(HEADER + "".join(f"{name},GBP,X-GBP,1\n" for name in "ABCCA"))

    assert [line.partition(":")[0] for line in errors_of(path, MOVE_FUNDS)] == ["line 6, column reference"]


def test_streaming_yields_the_right_rows_and_then_raises(written) -> None:
    """One pass gives what is right, and what is wrong at its end."""
    stream = iter(InputFile(written(HEADER + "A,GBP,X-GBP,x\nB,GBP,X-GBP,1\n"), MOVE_FUNDS))

    assert next(stream).reference == "B"
    with pytest.raises(RowErrors):
        next(stream)


def test_rows_are_streamed(written) -> None:
    """The rows of a large file are not held in memory: handing out 20,000 leaves no more behind than 2,000."""
    path = written(HEADER + "".join(f"R{number},GBP,POTBC-GBP,1\n" for number in range(20_000)))
    rows = read_rows(path, MOVE_FUNDS)
    alive = []

    for number, row in enumerate(rows):
        if number in {2_000, 19_999}:
            alive.append(sys.getallocatedblocks() - 2 * number)  # the remembered references and their lines
        del row

    assert alive[1] - alive[0] < 2_000


CELLS = st.text(max_size=8) | st.sampled_from(["GBP", "POTBC-GBP", "10.50", "A", "", '"', ",", "\n", "\r", "1e3"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.lists(CELLS, max_size=40).map(",".join) | st.text(max_size=80) | st.binary(max_size=80),
    header=st.booleans(),
)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.xlsx"])
def test_any_file_gives_rows_or_an_error_of_ours(tmp_path: Path, content: str | bytes, header: bool, name: str) -> None:
    """Whatever a file holds, rows come out or its errors do."""
    path = tmp_path / name
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    path.write_bytes(HEADER.encode() + raw if header else raw)

    try:
        rows = list(read_rows(path, MOVE_FUNDS))
    except RowErrors as error:
        outcome = error.count
    else:
        outcome = len(rows)

    assert outcome > 0


@given(password=st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_secret_passes_unchanged(tmp_path: Path, password: str) -> None:
    """What JSON says is what the request holds, to the last character."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"reference": "A", "username": "u", "password": {ascii_json(password)}}}\n')

    (row,) = read_rows(path, GET_ACCESS_TOKEN)

    assert row.request.password.reveal() == password


def ascii_json(text: str) -> str:
    """Write a text as a JSON string by hand."""
    pairs = text.encode("utf-16-be", "surrogatepass").hex()
    return '"' + "".join(f"\\u{pairs[place : place + 4]}" for place in range(0, len(pairs), 4)) + '"'


# --- what people and spreadsheets make of a payroll ---

COLUMNS = (
    "reference,RecipientName,Currency,Amount,SortCode,AccountNumber,IBAN,RecipientCountry,PaymentReference,PaymentDate"
)


def payroll(*rows: str) -> str:
    """Write a payroll of these rows."""
    return "".join(f"{line}\r\n" for line in (COLUMNS, *rows))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("200000,12345678.0,,,,", "AccountNumber: a text of 10 characters was made from a number"),
        ("200000,nan,,,,", "AccountNumber: is a program's word for an empty cell"),
        ("200000,#N/A,,,,", "AccountNumber: is not a value but an error of a formula"),
        ("200000,########,,,,", "AccountNumber: is not a value but what is shown of a column"),
        ("200000,'12345678,,,,", "AccountNumber: is not a value but a value with a spreadsheet's apostrophe"),
        ('200000,"=""12345678""",,,,', "AccountNumber: is not a value but a formula"),
        ("200000,see below,,,,", "AccountNumber: account_number must be eight digits"),
        ("200000,1234567,,,,", "AccountNumber: account_number must be eight digits"),
        (",see below,,,,", "AccountNumber: account_number is not an account number"),
        (",,EE012200221111099080,,,", "IBAN: iban has wrong check digits"),
        (",,GB33BUKB20201555555555,UK,,", "RecipientCountry: recipient_country must be an ISO 3166-1 code"),
        (",,GB33BUKB20201555555555,,a\0b,", "PaymentReference: holds the control character U+0000"),
        (",,GB33BUKB20201555555555,,a\u202eb,", "PaymentReference: holds the control character U+202E"),
        (",,GB33BUKB20201555555555,,,31/05/2026", "PaymentDate: a text of 10 characters is not a date"),
    ],
)
def test_a_row_that_a_spreadsheet_spoilt_is_refused(written, cells: str, said: str) -> None:
    """What is no bank detail is refused with its column and a remedy, and is not shown."""
    (error,) = errors_of(written(payroll(f"r1,Jane Roe,GBP,10.50,{cells}")), PAYROLL)

    assert error.startswith(f"line 2, column {said}")
    assert not re.search("[0-9]{5}", error)


def test_bank_details_of_ones_own_class_are_checked_too(written) -> None:
    """The gate holds for any request that has bank details, whatever its class looks for."""

    @frozen
    class Pay:
        iban: str

    assert errors_of(written("reference,iban\nA,GB34BUKB20201555555555\n"), Endpoint("pay", "POST", "pay", Pay)) == [
        "line 2, column iban: iban has wrong check digits: ask the recipient for it again"
    ]


def test_what_is_worth_a_look_is_told_and_refuses_nothing(written) -> None:
    """Missing cells, a title, invisible characters and doubtful bank details are all told, each kind once."""
    text = payroll("r1,Jane Roe,GBP,10.50,200000,12345678", "r2,\u200bJane Roe,GBP,10.50,,12345678,,,,")
    file = InputFile(written(f"sep=,\r\nPayroll May\r\n{text}"), PAYROLL)

    rows = list(file)

    assert [row.line for row in rows] == [4, 5]
    assert rows[1].request.recipient_name == "Jane Roe"
    assert [str(notice) for notice in file.notices] == [
        "a line above the header is passed over: line 2",
        "the last cells are missing, and are read as empty: line 4",
        "spaces around a cell or invisible characters in it are taken off: line 5",
        "an account number in GBP has neither sort code nor IBAN beside it: line 5",
    ]


def test_a_file_is_read_as_its_options_say(written) -> None:
    """Separator, encoding and names of columns can all be given."""
    raw = "Zahlung;Wer;Currency;Amount;AccountNumber\nr1;J\u00f6rg;EUR;10.50;0532013000\n".encode("cp1252")
    path = written("", "rows.csv")
    path.write_bytes(raw)
    options = InputOptions(";", "cp1252", columns={"reference": "Zahlung", "RecipientName": "wer"})

    (row,) = InputFile(path, PAYROLL, options)

    assert (row.reference, row.request.recipient_name) == ("r1", "J\u00f6rg")


def test_the_digest_of_a_file_is_that_of_its_rows(written) -> None:
    """One pass gives rows and digest of the same bytes, whatever becomes of the file meanwhile."""
    path = written(HEADER + "A,GBP,X-GBP,1\n")
    digest, file = hashlib.sha256(path.read_bytes()).hexdigest(), InputFile(path, MOVE_FUNDS)

    (row,) = file
    path.write_text(HEADER + "B,GBP,X-GBP,1\n")

    assert (row.reference, file.digest) == ("A", digest)
    assert [row.reference for row in file] == ["B"]
    assert file.digest != digest


def test_a_template_names_every_column(written) -> None:
    """The empty file for an endpoint has a header that fits it."""
    template = template_of(PAYROLL)

    assert template.startswith("reference,Action,RecipientReference,ClientRecipientReference,RecipientName,SWIFTCode,")
    assert errors_of(written(template), PAYROLL) == [
        "line 1: is not followed by any row: fill in a row for each payment"
    ]


@pytest.mark.parametrize(("request_", "name"), [(MoveFunds("GBP", "POTBC-GBP", 5), None), (None, None)])
def test_a_beneficiary_is_named_where_there_is_one(request_: object, name: str | None) -> None:
    """Who is paid is found in any request that says it."""
    payment = BulkPaymentRow(recipient_name="Ada", account_number="12345678", currency="GBP", amount=1)

    assert beneficiary_of(request_) == name
    assert beneficiary_of(payment) == "Ada"
