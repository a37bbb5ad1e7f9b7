"""`caxton run`, `resume` and what follows them, through real processes: stopped, killed, resumed, reported, settled."""

import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.command import Desk, Done, open_desk

# Each of these starts several processes; together they take as long as half of all other tests.
pytestmark = pytest.mark.long

JOURNAL = "may.csv.move_funds.caxton-journal"


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command; nothing that was said may hold a secret or a traceback."""
    async with open_desk(tmp_path) as opened:
        yield opened
        accounts = opened.emulator.ledger.accounts
        unwanted = {*accounts.main.passwords, *accounts.tokens, "Traceback", "GB33BUKB20201555555555"}
        assert [text for text in unwanted if any(text in said for said in opened.said)] == []


def data_of(done: Done) -> dict[str, Any]:
    """Return what a command printed as JSON."""
    found: dict[str, Any] = json.loads(done.out)
    return found


async def test_a_file_is_carried_out_and_reported(desk: Desk) -> None:
    """Data go to stdout, progress to stderr, and each row is paid once with one login."""
    desk.rows(count=20)

    done = await desk.caxton("run", "move_funds", "may.csv", "--json")

    assert data_of(done) == {"journal": JOURNAL, "total": 20, "counts": {"accepted": 20}}
    assert done.code == 0
    assert done.err.splitlines()[-2:] == [
        "move_funds: 20 of 20",
        f"the journal is {JOURNAL}; caxton report tells more",
    ]
    assert desk.moved == [f"{1 + n / 100:.2f}" for n in range(1, 21)]
    assert desk.emulator.logins == 1


async def test_every_wrong_row_is_reported_and_nothing_is_sent(desk: Desk) -> None:
    """Each wrong row is named with its line, no journal is made, and the API hears of nothing."""
    header = "reference,from_currency,to_currency,amount"
    desk.write("wrong.csv", [header, "a,GBP,POT1-GBP,1e3", "b,GBP,,5", "b,GBP,POT1-GBP,0", "c,GBP,POT1-GBP,1.00"])

    done = await desk.caxton("run", "move_funds", "wrong.csv")

    assert (done.code, done.out) == (2, "")
    assert [f"line {n}" in done.err for n in (2, 3, 4, 5)] == [True, True, True, False]
    assert desk.emulator.requests == []
    assert list(desk.folder.glob("*journal*")) == []


async def test_a_file_of_another_country_is_read_as_its_options_say(desk: Desk) -> None:
    """A template names the columns; separator, encoding and names are given at the command line, and kept for later."""
    template = await desk.caxton("template", "move_funds")
    text = "Zahlung;FromCurrency;ToCurrency;Betr\u00e4ge;\n" + "".join(f"r{n};GBP;POT1-GBP;1.0{n}\n" for n in (1, 2))
    (desk.folder / "may.csv").write_bytes(text.encode("cp1252"))
    options = (
        "--delimiter",
        ";",
        "--encoding",
        "cp1252",
        "--column",
        "reference=Zahlung",
        "--column",
        "amount=Betr\u00e4ge",
    )

    plain = await desk.caxton("run", "move_funds", "may.csv")
    plan = await desk.caxton("run", "move_funds", "may.csv", *options, "--dry-run", "--json")
    done = await desk.caxton("run", "move_funds", "may.csv", *options, "--json")
    again = await desk.caxton("resume", JOURNAL, "--json")

    assert template.out == "reference,FromCurrency,ToCurrency,Amount\r\n"
    assert (plain.code, "--encoding cp1252" in plain.err) == (2, True)
    assert data_of(plan)["count"] == 2
    assert (done.code, again.code) == (0, 0)
    assert desk.moved == ["1.01", "1.02"]


@pytest.mark.parametrize(
    ("kind", "code", "counts"),
    [
        pytest.param("failing_envelope", 1, {"accepted": 19, "rejected": 1}, id="rejected"),
        pytest.param("reset_after_work", 4, {"accepted": 19, "unknown": 1}, id="unknown"),
        pytest.param("reset_after_read", 4, {"accepted": 19, "unknown": 1}, id="unknown and not done"),
    ],
)
async def test_exit_codes_tell_how_a_batch_ended(desk: Desk, kind: str, code: int, counts: dict[str, int]) -> None:
    """`run`, `status` and `report` end with the same code."""
    desk.rows(count=20)
    desk.fault(kind, endpoint="move_funds", after=7)

    done = await desk.caxton("run", "move_funds", "may.csv", "--json")
    status = await desk.caxton("status", JOURNAL, "--json")
    report = await desk.caxton("report", JOURNAL)

    assert data_of(done)["counts"] == counts
    assert {state: n for state, n in data_of(status)["counts"].items() if n} == counts
    assert [each.code for each in (done, status, report)] == [code] * 3


async def test_an_unknown_outcome_outweighs_rejections(desk: Desk) -> None:
    """With both, the code is 4, and the command that lists them is named."""
    desk.rows(count=20)
    desk.fault("failing_envelope", endpoint="move_funds")
    desk.fault("reset_after_work", endpoint="move_funds")

    done = await desk.caxton("run", "move_funds", "may.csv")

    assert done.code == 4
    assert f"caxton status {JOURNAL} --state unknown" in done.err
    assert [line.split() for line in done.out.splitlines()] == [
        ["state", "rows"],
        ["accepted", "18"],
        ["rejected", "1"],
        ["unknown", "1"],
    ]


async def test_a_refused_login_ends_with_3_and_leaves_the_rows(desk: Desk) -> None:
    """No row is burnt when nobody can log in; the command that goes on is printed."""
    desk.rows(count=20)
    (desk.folder / "password").write_text("wrong")

    done = await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "2")

    assert done.code == 3
    assert "paused: " in done.err
    assert f"20 rows are left; go on with: caxton resume {JOURNAL}" in done.err
    assert desk.moved == []


async def test_the_same_file_is_not_run_twice(desk: Desk) -> None:
    """A second run is refused under the same name, and under another."""
    first = desk.rows(count=3)
    await desk.caxton("run", "move_funds", "may.csv")
    (desk.folder / "copy.csv").write_text(first.read_text())

    again = await desk.caxton("run", "move_funds", "may.csv")
    copy = await desk.caxton("run", "move_funds", "copy.csv")

    assert [again.code, copy.code] == [2, 2]
    assert "caxton resume" in again.err
    assert JOURNAL in copy.err
    assert len(desk.moved) == 3


async def test_the_same_file_is_not_run_twice_with_journals_elsewhere(desk: Desk) -> None:
    """Journals that were put into a folder of their own are found there."""
    desk.rows(count=3)
    (desk.folder / "journals").mkdir()

    first = await desk.caxton("run", "move_funds", "may.csv", "--journal", "journals/one.caxton-journal")
    again = await desk.caxton("run", "move_funds", "may.csv", "--journal", "journals/two.caxton-journal")

    assert [first.code, again.code] == [0, 2]
    assert "journals/one.caxton-journal" in again.err
    assert len(desk.moved) == 3


async def test_a_call_whose_result_is_a_secret_is_no_batch(desk: Desk) -> None:
    """The secrets would be lost, so nothing is sent."""
    desk.write("users.csv", ["reference,username,clientname", "a,emulated,cxtnclient"])

    done = await desk.caxton("run", "generate_password", "users.csv")

    assert done.code == 2
    assert "use caxton call for each" in done.err
    assert desk.emulator.requests == []


async def test_more_calls_than_connections_get_the_connections(desk: Desk) -> None:
    """With `--concurrency 150` so many calls are in flight: none is `sending` while it waits for a connection."""
    desk.rows(count=150)
    held = desk.fault("latency", endpoint="move_funds", times=150, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "150", "--json")
    await held.hit(150)
    held.release()
    done = await desk.end(process)

    assert data_of(done)["counts"] == {"accepted": 150}


# --- plan and approval ---


async def test_a_dry_run_sends_nothing_and_tells_the_plan(desk: Desk) -> None:
    """Count, totals, control sum and digest are told, and doubles are suspected."""
    desk.write(
        "may.csv",
        ["reference,from_currency,to_currency,amount", "a,GBP,POT1-GBP,10.00", "b,GBP,POT1-GBP,10", "c,POT1-GBP,GBP,5"],
    )

    done = await desk.caxton("run", "move_funds", "may.csv", "--dry-run", "--json")
    table = await desk.caxton("run", "move_funds", "may.csv", "--dry-run")

    plan = data_of(done)
    assert (plan["count"], plan["control_sum"]) == (3, "25.00")
    assert plan["totals"] == {"GBP": {"count": 2, "amount": "20.00"}, "POT1-GBP": {"count": 1, "amount": "5"}}
    assert plan["suspected_doubles"] == ["line 3 (b) asks for the same as line 2 (a)"]
    assert plan["digest"] in table.out
    assert "suspected double: line 3 (b)" in table.err
    assert desk.emulator.requests == []
    assert list(desk.folder.glob("*journal*")) == []


async def test_only_the_approved_plan_is_carried_out(desk: Desk) -> None:
    """One person plans, another approves: an edited file has another digest and is refused."""
    file = desk.rows(count=3)
    digest = data_of(await desk.caxton("run", "move_funds", "may.csv", "--dry-run", "--json"))["digest"]
    right = file.read_text()
    file.write_text(right.replace("1.02", "1002"))

    edited = await desk.caxton("run", "move_funds", "may.csv", "--approved", digest)
    file.write_text(right)
    elsewhere = await desk.caxton("run", "move_funds", "may.csv", "--approved", digest, CAXTON_IDENTITY_NUMBER="ID-9")
    approved = await desk.caxton("run", "move_funds", "may.csv", "--approved", digest)

    assert [edited.code, elsewhere.code, approved.code] == [2, 2, 0]
    assert "which is not the one that was approved; nothing was sent" in edited.err
    assert len(desk.moved) == 3


async def test_doubles_are_looked_for_in_the_journals_beside(desk: Desk) -> None:
    """A payment that an earlier file made is suspected in a later one."""
    desk.rows(count=3)
    await desk.caxton("run", "move_funds", "may.csv")
    desk.write("june.csv", ["reference,from_currency,to_currency,amount", "x,GBP,POT1-GBP,1.02"])
    desk.write("bad.caxton-journal", ["this is no journal"])

    done = await desk.caxton("run", "move_funds", "june.csv", "--dry-run", "--json")

    suspected = data_of(done)["suspected_doubles"]
    assert f"line 2 (x) asks for the same as ref-2 of {JOURNAL}" in suspected
    assert any(text.startswith("bad.caxton-journal cannot be compared") for text in suspected)


# --- stopped, killed, resumed ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_a_stopped_run_waits_for_what_is_in_flight_and_goes_on_later(desk: Desk, number: signal.Signals) -> None:
    """The first signal stops new calls; those in flight end; the resumed run pays the rest with the same login."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=5, times=2, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "2")
    await held.hit(2)
    process.send_signal(number)
    assert process.stderr is not None
    told = ""
    while "stopping: nothing more is sent" not in told:
        told += (await process.stderr.readline()).decode()
    held.release()
    stopped = await desk.end(process)
    resumed = await desk.caxton("resume", JOURNAL, "--json")

    assert stopped.code == 5
    assert f"13 rows are left; go on with: caxton resume {JOURNAL}" in stopped.err
    assert data_of(resumed)["counts"] == {"accepted": 20}
    assert resumed.code == 0
    assert len(desk.moved) == len(set(desk.moved)) == 20
    assert desk.emulator.logins == 1


async def test_a_second_ctrl_c_does_not_wait(desk: Desk) -> None:
    """What was in flight is then unknown, the code is 4, and it is never sent again."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=5, times=2, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "2")
    await held.hit(2)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while b"stopping" not in await process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    stopped = await desk.end(process)
    resumed = await desk.caxton("resume", JOURNAL, "--json")

    assert stopped.code == 4
    assert "2 outcomes are unknown" in stopped.err
    assert data_of(resumed)["counts"] == {"accepted": 18, "unknown": 2}
    assert max(Counter(desk.moved).values()) == 1


async def test_a_killed_run_is_resumed_with_the_same_login(desk: Desk) -> None:
    """Kill -9 with calls in flight: nobody is paid twice, nobody is lost, what is unknown is listed."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=8, times=3, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "3")
    await held.hit(3)
    process.kill()
    await process.communicate()
    status = await desk.caxton("status", JOURNAL, "--state", "unknown", "--json")
    resumed = await desk.caxton("resume", JOURNAL, "--json")

    assert process.returncode == -signal.SIGKILL
    assert status.code == 4
    assert len(data_of(status)["rows"]) == 3
    assert data_of(resumed)["counts"] == {"accepted": 17, "unknown": 3}
    assert len(desk.moved) == len(set(desk.moved)) == 20
    assert desk.emulator.logins == 1


async def test_a_batch_is_not_resumed_with_another_file_or_for_another_account(desk: Desk) -> None:
    """An edited input and another account are refused, and nothing is sent."""
    file = desk.rows(count=3)
    desk.fault("unauthorised", endpoint="move_funds", times=None)
    await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "1")
    desk.emulator.faults.clear()
    right = file.read_text()

    other = await desk.caxton("resume", JOURNAL, CAXTON_IDENTITY_NUMBER="ID-9")
    file.write_text(right.replace("1.02", "1002"))
    edited = await desk.caxton("resume", JOURNAL)
    file.unlink()
    gone = await desk.caxton("resume", JOURNAL)
    file.write_text(right)
    resumed = await desk.caxton("resume", JOURNAL)

    assert [each.code for each in (other, edited, gone, resumed)] == [2, 2, 2, 0]
    assert "the batch was begun for the main account, no user, not for ID-9" in other.err
    assert "restore it" in edited.err
    assert "is not there any more" in gone.err
    assert len(desk.moved) == 3


async def test_a_batch_that_was_moved_is_resumed_where_it_is(desk: Desk) -> None:
    """The input is found beside its journal."""
    file = desk.rows(count=3)
    desk.fault("unauthorised", endpoint="move_funds", times=None)
    await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "1")
    desk.emulator.faults.clear()
    new = desk.folder / "new"
    new.mkdir()
    file.rename(new / "may.csv")
    (desk.folder / JOURNAL).rename(new / JOURNAL)

    resumed = await desk.caxton("resume", new / JOURNAL)

    assert resumed.code == 0
    assert len(desk.moved) == 3


async def test_two_runners_of_one_journal_are_refused(desk: Desk) -> None:
    """While one runs, another does not begin, and `status` may look."""
    desk.rows(count=5)
    held = desk.fault("latency", endpoint="move_funds", held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "1")
    await held.hit()
    second = await desk.caxton("resume", JOURNAL)
    status = await desk.caxton("status", JOURNAL, "--rows", "--json")
    held.release()
    first = await desk.end(process)

    assert (second.code, first.code) == (2, 0)
    assert "in use by another run" in second.err
    assert [row["state"] for row in data_of(status)["rows"]] == ["sending", *["planned"] * 4]
    assert status.code == 4
    assert len(desk.moved) == 5


async def test_a_payroll_is_paid_in_one_step(desk: Desk) -> None:
    """`run bulk_payments` opens one upload and pays all its rows with one call."""
    desk.write(
        "pay.csv",
        [
            "reference,RecipientName,IBAN,Currency,Amount",
            "p-1,Ada,GB33BUKB20201555555555,GBP,10.00",
            "p-2,Grace,GB29NWBK60161331926819,GBP,20.00",
        ],
    )

    done = await desk.caxton("run", "bulk_payments", "pay.csv", "--json")
    again = await desk.caxton("resume", "pay.csv.bulk_payments.caxton-journal", "--json")

    assert data_of(done)["counts"] == data_of(again)["counts"] == {"accepted": 2}
    assert (desk.emulator.count("create_bulk_upload"), desk.emulator.count("submit_bulk_payload")) == (1, 1)
    assert sorted(payment.row["PaymentReference"] for payment in desk.emulator.ledger.payments.values()) == [
        "p-1",
        "p-2",
    ]


async def test_a_payment_date_that_has_passed_is_a_wrong_row(desk: Desk) -> None:
    """It is reported with its line, before an upload is opened."""
    desk.write(
        "pay.csv",
        ["reference,RecipientName,IBAN,Currency,Amount,PaymentDate", "p,A,GB33BUKB20201555555555,GBP,1,2020-01-01"],
    )

    done = await desk.caxton("run", "bulk_payments", "pay.csv")

    assert done.code == 2
    assert "line 2, column PaymentDate" in done.err
    assert desk.emulator.requests == []


# --- afterwards ---


@pytest_asyncio.fixture
async def unsettled(desk: Desk) -> Desk:
    """Give a batch of ten rows of which the fourth and the eighth are unknown: the fourth was paid."""
    desk.rows(count=10)
    desk.fault("reset_after_work", endpoint="move_funds", after=3)
    desk.fault("reset_after_read", endpoint="move_funds", after=6)
    await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "1")
    return desk


async def test_a_person_settles_what_is_unknown(unsettled: Desk) -> None:
    """When all are settled the code is 0; what was not paid becomes a file that can be run."""
    note = ("--note", "asked the bank", "--by", "Ann")
    paid = await unsettled.caxton("settle", JOURNAL, "ref-4", "--paid", *note)
    not_paid = await unsettled.caxton("settle", JOURNAL, "ref-8", "--not-paid", *note)
    twice = await unsettled.caxton("settle", JOURNAL, "ref-8", "--paid", *note)
    report = await unsettled.caxton("report", JOURNAL, "--not-paid", "again.csv", "--json")
    plan = await unsettled.caxton("run", "move_funds", "again.csv", "--dry-run", "--json")
    rerun = await unsettled.caxton("run", "move_funds", "again.csv")

    assert data_of(plan)["suspected_doubles"] == []
    assert [each.code for each in (paid, not_paid, twice, report, rerun)] == [0, 0, 2, 0, 0]
    rows = {row["reference"]: row for row in data_of(report)["rows"]}
    assert (rows["ref-8"]["settled_by"], rows["ref-8"]["settled_note"]) == ("Ann", "asked the bank")
    assert (unsettled.folder / "again.csv").read_text().splitlines()[1:] == ["ref-8,GBP,POT1-GBP,1.08"]
    assert len(unsettled.moved) == len(set(unsettled.moved)) == 10


async def test_a_statement_settles_what_it_proves(unsettled: Desk) -> None:
    """What carries its reference is settled as paid; a stranger's equal amount is shown, and settles nothing."""
    unsettled.write("bank.csv", ["Date,Narrative,Money out", "2099-01-01,ref-4,1.04", "2099-01-01,OFFICE RENT,1.08"])
    command = ("reconcile", JOURNAL, "--statement", "bank.csv", "--currency", "GBP")

    wrong = await unsettled.caxton(*command, "--column", "nothing")
    dry = await unsettled.caxton(*command, "--dry-run", "--json")
    done = await unsettled.caxton(*command, "--json")
    table = await unsettled.caxton(*command, "--column", "description=Narrative")

    assert data_of(dry) == data_of(done)
    assert [(each["reference"], each["line"]) for each in data_of(done)["paid"]] == [("ref-4", 2)]
    assert [(each["reference"], each["lines"]) for each in data_of(done)["undecided"]] == [("ref-8", [3])]
    assert [wrong.code, dry.code, done.code, table.code] == [2, 4, 4, 4]
    assert "0 settled as paid, 1 left to you" in table.err
    assert "ref-8" in table.out


async def test_reports_are_written_to_files(unsettled: Desk) -> None:
    """CSV for programs, CSV for people, and one page."""
    done = await unsettled.caxton(
        *("report", JOURNAL, "--csv", "rows.csv", "--spreadsheet", "people.csv", "--html", "page.html")
    )
    figures = await unsettled.caxton("report", JOURNAL)
    wrong = await unsettled.caxton("report", JOURNAL, "--csv", "no/such/folder.csv")
    read = {name: (unsettled.folder / name).read_text("utf-8") for name in ("rows.csv", "people.csv", "page.html")}

    assert len(read["rows.csv"].splitlines()) == len(read["people.csv"].splitlines()) == 11
    assert read["page.html"].lower().startswith("<!doctype html>")
    assert [done.code, figures.code, wrong.code] == [4, 4, 2]
    assert "calls per second" in figures.out
    assert "cannot be written" in wrong.err


async def test_rows_settled_as_not_paid_are_exported_from_the_pinned_input_alone(unsettled: Desk) -> None:
    """An edited input, or a file that exists, is refused."""
    await unsettled.caxton("settle", JOURNAL, "ref-8", "--not-paid", "--note", "asked")
    unsettled.write("taken.csv", ["kept"])
    taken = await unsettled.caxton("report", JOURNAL, "--not-paid", "taken.csv")
    nowhere = await unsettled.caxton("report", JOURNAL, "--not-paid", "no/such/folder.csv")
    unsettled.rows(count=11)
    edited = await unsettled.caxton("report", JOURNAL, "--not-paid", "again.csv")

    assert [taken.code, nowhere.code, edited.code] == [2, 2, 2]
    assert "exists already" in taken.err
    assert "is not the input" in edited.err
    assert (unsettled.folder / "taken.csv").read_text() == "kept\n"


async def test_a_status_for_people_lists_the_rows(unsettled: Desk) -> None:
    """Without --json the rows stand in a table, and the words about them on stderr."""
    done = await unsettled.caxton("status", JOURNAL, "--state", "unknown")

    assert [line.split()[:3] for line in done.out.splitlines() if "ref-" in line] == [
        ["ref-4", "5", "unknown"],
        ["ref-8", "9", "unknown"],
    ]
    assert done.err.startswith("move_funds at http://127.0.0.1:")
