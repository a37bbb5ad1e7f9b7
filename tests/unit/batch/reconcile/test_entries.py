"""MT940 and CAMT.053: the payments of a statement, and nothing that was reversed, pending or made up."""

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton_async.batch.input import RowErrors
from caxton_async.batch.reconcile import StatementEntry, read_statement
from caxton_async.errors import CaxtonError, ConfigurationError

MAY = dt.date(2026, 5, 31)
MT940 = """:20:STATEMENT
:25:12345678/0001234567
:28C:1/1
:60F:C260531GBP1000,00
:61:2605310531D10,50NTRFNONREF//BANK1
:86:166?00PAYMENT?20EREF+rent-17?21SVWZ+Rent May?30BUKBGB22?31GB33BUKB20201555555555?32JANE ROE
:61:2605310531D99,NTRFrent-16
:86:Rent of April
:61:2605310531RD5,00NTRFrent-18
:86:Returned
:61:2605310531C7,00NTRFNONREF
:86:Interest
:62F:C260531GBP897,50
-
"""
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
CAMT = f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><Stmt><Acct><Id><IBAN>GB33BUKB20201555555555</IBAN></Id></Acct>
<Ntry><Amt Ccy="GBP">30.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
 <BookgDt><Dt>2026-05-31</Dt></BookgDt><NtryDtls>
 <TxDtls><Refs><EndToEndId>rent-17</EndToEndId></Refs><Amt Ccy="GBP">10.50</Amt>
  <RltdPties><Cdtr><Pty><Nm>Jane  Roe</Nm></Pty></Cdtr></RltdPties><RmtInf><Ustrd>Rent May</Ustrd></RmtInf></TxDtls>
 <TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy="GBP">20</Amt></TxAmt></AmtDtls>
  <RltdPties><Cdtr><Nm>Bob</Nm></Cdtr></RltdPties></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="GBP">1</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>PDNG</Sts><BookgDt><Dt>2026-05-31</Dt></BookgDt></Ntry>
<Ntry><Amt Ccy="GBP">2</Amt><CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd><Sts>BOOK</Sts>
 <BookgDt><DtTm>2026-05-31T12:00:00Z</DtTm></BookgDt><AddtlNtryInf>rent-18</AddtlNtryInf></Ntry>
<Ntry><Amt Ccy="GBP">3</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><ValDt><Dt>2026-05-31</Dt></ValDt></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 1000}">' for n in range(8))


@pytest.fixture
def written(tmp_path: Path):
    """Write a statement and return its path."""

    def write(content: str | bytes, name: str = "statement.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def entry(line: int, amount: str, *, outgoing: bool, texts: tuple[str, ...] = (), name: str | None = None):
    """Build an entry of May."""
    return StatementEntry(line, MAY, Decimal(amount), outgoing, texts, "GBP", name)


@pytest.mark.parametrize("name", ["statement.sta", "statement.txt", "statement.csv"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_an_mt940_statement_is_read_whatever_it_is_called(written, name: str, end: str) -> None:
    """References, names and the way of the money come out; what was reversed came back."""
    statement = read_statement(written(MT940.replace("\n", end), name))

    assert statement.entries == (
        entry(1, "10.50", outgoing=True, texts=("rent-17", "Rent May"), name="JANE ROE"),
        entry(2, "99", outgoing=True, texts=("rent-16", "Rent of April")),
        entry(3, "5.00", outgoing=False, texts=("rent-18", "Returned")),
        entry(4, "7.00", outgoing=False, texts=("Interest",)),
    )


def test_a_damaged_mt940_statement_is_not_quoted(written, caplog: pytest.LogCaptureFixture) -> None:
    """The library that reads it logs the line that it cannot read, which may hold an account number."""
    damaged = MT940.replace(":61:", ":61:x12345678")
    with pytest.raises(CaxtonError) as caught:
        read_statement(written(damaged, "statement.sta"))

    assert "12345678" not in f"{caught.value} {caplog.text}"


@pytest.mark.parametrize("version", ["02", "08"])
def test_a_camt_statement_is_read(written, version: str) -> None:
    """Each payment of a batch is an entry; what is pending is none, and what was reversed came back."""
    statement = read_statement(written(CAMT.replace("001.08", f"001.{version}"), "statement.xml"))

    assert statement.entries == (
        entry(1, "10.50", outgoing=True, texts=("rent-17", "Rent May"), name="Jane Roe"),
        entry(2, "20", outgoing=True, name="Bob"),
        entry(3, "2", outgoing=False, texts=("rent-18",)),
        entry(4, "3", outgoing=False),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(f"<!DOCTYPE d [{BOMB}]><Document>&e7;</Document>", "document type", id="entities that grow"),
        pytest.param('<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d>&e;</d>', "document type", id="a file"),
        pytest.param("<Document/>", "CAMT.053", id="another document"),
        pytest.param("<Document", "CAMT.053", id="cut off"),
        pytest.param('<?xml version="1.0" encoding="nothing"?><d/>', "CAMT.053", id="an encoding that is none"),
        pytest.param(CAMT.replace("<Dt>2026-05-31</Dt>", ""), "without date or amount", id="no date"),
        pytest.param(CAMT.replace(">3<", ">12345678 pounds<"), "without date or amount", id="no amount"),
        pytest.param(MT940.replace(":61:2605310531C7", ":61:what12345678C7"), "MT940", id="an entry that is none"),
        pytest.param(":20:x\n:61:26", "MT940", id="an entry cut off"),
    ],
)
def test_a_statement_that_cannot_be_read_is_refused(written, content: str, said: str) -> None:
    """What is not whole is not read in part, and no message shows what stands in it."""
    with pytest.raises(RowErrors, match=said) as refusal:
        read_statement(written(content))

    assert "12345678" not in str(refusal.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=st.sampled_from([":20:", "{1:", "<", MT940, CAMT]), rest=st.text() | st.binary(), cut=st.integers(1, 2000))
def test_any_file_gives_entries_or_an_error_of_ours(written, begin: str, rest: str | bytes, cut: int) -> None:
    """Whatever a program wrote, its entries come out or it is refused."""
    raw = rest if isinstance(rest, bytes) else rest.encode("utf-8", "surrogatepass")
    path = written(begin.encode()[:cut] + raw, "statement.csv")

    try:
        entries = read_statement(path).entries
    except CaxtonError:
        entries = ()

    assert all(entry.amount >= 0 for entry in entries)


def test_without_the_extra_mt940_says_what_to_install(written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of MT940 is an extra, and its absence names the command."""
    monkeypatch.setitem(sys.modules, "mt940", None)

    with pytest.raises(ConfigurationError, match=r'pip install "caxton-async\[statements\]"'):
        read_statement(written(MT940))
