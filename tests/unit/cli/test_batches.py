"""`caxton run`, `resume` and what follows, through real processes: stopped, killed, resumed, reported, resolved."""

import json
import resource
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.command import Desk, Done, open_desk
from tests.support.database_server import Databases, write_key

# Each of these starts several processes; together they take as long as half of all other tests.
pytestmark = pytest.mark.long

ROWS = {
    *("reference", "line", "state", "amount", "currency", "beneficiary"),
    *("upload_record_id", "sent", "error", "api_status", "decision"),
}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command; nothing that was said may hold a secret or a traceback."""
    async with open_desk(tmp_path) as opened:
        yield opened
        accounts = opened.emulator.ledger.accounts
        unwanted = {*accounts.main.passwords, *accounts.tokens, "Traceback", "GB33BUKB20201555555555"}
        assert [text for text in unwanted if any(text in said for said in opened.said)] == []


def data_of(done: Done) -> dict[str, Any]:
    """Return what a command printed as JSON, of the counts those above zero."""

    def without_zeros(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "counts": {state: count for state, count in found["counts"].items() if count}}

    found: dict[str, Any] = json.loads(
        done.out, object_hook=lambda each: without_zeros(each) if "counts" in each else each
    )
    return found


async def test_a_file_is_carried_out_and_reported(desk: Desk) -> None:
    """Data go to stdout, progress to stderr, and each row is paid once with one login."""
    desk.rows(count=20)

    done = await desk.caxton("run", "move_funds", "may.csv", "--json")
    listed = await desk.caxton("status", "--json")

    found = data_of(done)
    journal = str(desk.folder / "state" / "journal.sqlite")
    assert found == {
        "journal": journal,
        "batch": 1,
        "name": "may",
        "endpoint": "move_funds",
        "total": 20,
        "counts": {"accepted": 20},
        "paused": None,
        "reasons": [],
    }
    assert (data_of(listed)["journal"], data_of(listed)["batches"][0]["counts"]) == (journal, {"accepted": 20})
    assert (done.code, listed.code) == (0, 0)
    assert done.err.splitlines()[-1] == "may: 20 of 20, 20 accepted"
    assert desk.moved == [f"{1 + n / 100:.2f}" for n in range(1, 21)]
    assert desk.emulator.logins == 1


async def test_every_wrong_row_is_reported_and_nothing_is_sent(desk: Desk) -> None:
    """Each wrong row is named with its line, no batch is kept, and the API hears of nothing."""
    header = "reference,from_currency,to_currency,amount"
    desk.write("wrong.csv", [header, "a,GBP,POT1-GBP,1e3", "b,GBP,,5", "b,GBP,POT1-GBP,0", "c,GBP,POT1-GBP,1.00"])

    done = await desk.caxton("run", "move_funds", "wrong.csv")
    dry = await desk.caxton("run", "move_funds", "wrong.csv", "--dry-run", "--json")
    listed = await desk.caxton("status", "--json")

    assert (done.code, done.out, dry.code) == (2, "", 2)
    assert [f"line {n}" in done.err for n in (2, 3, 4, 5)] == [True, True, True, False]
    assert next((each["line"], each["column"]) for each in data_of(dry)["errors"]) == (2, "amount")
    assert desk.emulator.requests == []
    assert data_of(listed)["batches"] == []


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
    again = await desk.caxton("resume", "may.csv", "--json")

    assert template.out == "reference,FromCurrency,ToCurrency,Amount\n"
    assert (plain.code, "--encoding cp1252" in plain.err) == (2, True)
    assert data_of(plan)["count"] == 2
    assert (done.code, again.code) == (0, 0)
    assert desk.moved == ["1.01", "1.02"]


@pytest.mark.parametrize(
    ("kind", "code", "counts"),
    [
        pytest.param("failing_envelope", 1, {"accepted": 19, "rejected": 1}, id="rejected"),
        pytest.param("reset_after_work", 4, {"accepted": 19, "unknown": 1}, id="unknown"),
    ],
)
async def test_exit_codes_tell_how_a_batch_ended(desk: Desk, kind: str, code: int, counts: dict[str, int]) -> None:
    """`run`, `status` and `report` end with the same code, and say why and what to do next."""
    desk.rows(count=20)
    desk.fault(kind, endpoint="move_funds", after=7)

    done = await desk.caxton("run", "move_funds", "may.csv")
    status = await desk.caxton("status", "may.csv", "--state", next(iter(counts.keys() - {"accepted"})), "--json")
    listed = await desk.caxton("status")
    report = await desk.caxton("report", "1")

    (row,) = data_of(status)["rows"]
    assert data_of(status)["counts"] == counts
    assert set(row) == ROWS
    assert data_of(status)["reasons"] == [
        {"state": row["state"], "reason": row["api_status"] or row["error"], "rows": 1}
    ]
    assert [each.code for each in (done, status, listed, report)] == [code] * 4
    assert f"caxton status 1 --state {row['state']}" in done.err
    assert [line.split() for line in done.out.splitlines()] == [
        ["state", "rows"],
        *[[state, str(count)] for state, count in counts.items()],
    ]


async def test_a_refused_login_ends_with_3_and_leaves_the_rows(desk: Desk) -> None:
    """No row is burnt when nobody can log in; the command that goes on is printed."""
    desk.rows(count=20)
    (desk.folder / "password").write_text("wrong")

    done = await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "2")

    assert done.code == 3
    assert "paused: " in done.err
    assert "20 rows are left; go on with: caxton resume 1" in done.err
    assert desk.moved == []


async def test_a_call_whose_result_is_a_secret_is_no_batch(desk: Desk) -> None:
    """The secrets would be lost, so nothing is sent."""
    desk.write("users.csv", ["reference,username,clientname", "a,emulated,cxtnclient"])

    done = await desk.caxton("run", "generate_password", "users.csv")

    assert done.code == 2
    assert "use caxton call for each" in done.err
    assert desk.emulator.requests == []


async def test_more_calls_than_connections_get_the_connections(desk: Desk) -> None:
    """With `--concurrency 150` so many calls are in flight: none is `sending` while it waits for a connection."""
    desk.rows(count=450)
    held = desk.fault("latency", endpoint="move_funds", after=300, times=150, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "150", "--json")
    await held.hit(150)
    held.release()
    done = await desk.end(process)

    assert data_of(done)["counts"] == {"accepted": 450}


# --- plan and approval ---


async def test_a_dry_run_sends_nothing_and_tells_the_plan(desk: Desk) -> None:
    """Count, totals, control sum, digest and what deserves a look are told, with or without credentials."""
    header = "reference,from_currency,to_currency,amount"
    desk.write("may.csv", [header, "a,GBP,POT1-GBP,10.00", "b,GBP,POT1-GBP,10", "c,POT1-GBP,GBP,5"])
    command = ("run", "move_funds", "may.csv", "--dry-run")

    done = await desk.caxton(*command, "--json")
    table = await desk.caxton(*command)
    nobody = await desk.caxton(*command, "--json", CAXTON_USERNAME="")

    plan = data_of(done)
    assert (plan["count"], plan["control_sum"], plan["errors"]) == (3, "25.00", [])
    assert plan["totals"] == [
        {"currency": "GBP", "count": 2, "amount": "20.00"},
        {"currency": "POT1-GBP", "count": 1, "amount": "5"},
    ]
    assert plan["duplicates"] == [{"reference": "b", "line": 3, "batch": None, "of": "a"}]
    assert plan["digest"] in table.out
    assert "suspected duplicate: b on line 3 as a on line 2" in table.err
    assert data_of(nobody) == plan | {"digest": None}
    assert desk.emulator.requests == []


async def test_duplicates_of_this_users_journal_count_in_another_too(desk: Desk) -> None:
    """A journal of one's own hides nothing: what was paid through the usual one is found."""
    desk.rows(count=3)
    await desk.caxton("run", "move_funds", "may.csv")

    other = await desk.caxton("run", "move_funds", "may.csv", "--journal", "other.sqlite")

    assert other.code == 2
    assert "not this user's usual journal" in other.err
    assert "3 of 3 rows ask for what may have been paid already" in other.err
    assert len(desk.moved) == 3


# --- stopped, killed, resumed ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["Ctrl-C", "SIGTERM", "hang-up"])
async def test_a_stopped_run_waits_for_what_is_in_flight_and_goes_on_later(desk: Desk, number: signal.Signals) -> None:
    """The first signal stops new calls; those in flight end; the resumed run pays the rest without the file."""
    file = desk.rows(count=20)
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
    file.unlink()
    resumed = await desk.caxton("resume", "may.csv", "--json")

    assert stopped.code == 5
    assert "13 rows are left; go on with: caxton resume 1" in stopped.err
    assert (data_of(resumed)["counts"], data_of(resumed)["paused"]) == ({"accepted": 20}, None)
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
    resumed = await desk.caxton("resume", "may", "--json")

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
    status = await desk.caxton("status", "may", "--state", "unknown", "--json")
    again = await desk.caxton("run", "move_funds", "may.csv")
    resumed = await desk.caxton("resume", "may", "--json")

    assert process.returncode == -signal.SIGKILL
    assert (again.code, "batch 1 is not finished: go on with caxton resume 1" in again.err) == (2, True)
    assert status.code == 4
    assert len(data_of(status)["rows"]) == 3
    assert data_of(resumed)["counts"] == {"accepted": 17, "unknown": 3}
    assert len(desk.moved) == len(set(desk.moved)) == 20
    assert desk.emulator.logins == 1


async def test_a_run_whose_lock_is_removed_tells_what_it_sent(desk: Desk) -> None:
    """The exit code comes from the journal: rows are left, and the command that goes on is named."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=5, times=1, held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "1")
    await held.hit()
    for lock in (desk.folder / "state" / "journal.sqlite-locks").glob("worker-*"):
        lock.unlink()
    await desk.caxton("status")  # which gives up what no process seems to hold
    held.release()
    ended = await desk.end(process)

    assert ended.code == 5
    assert "nothing more is sent" in ended.err
    assert "14 rows are left; go on with: caxton resume 1" in ended.err


@pytest.mark.parametrize(
    ("bytes_left", "code", "way_on"),
    [
        pytest.param(4_096, 2, "cannot be used (disk I/O error); nothing was sent", id="no journal"),
        pytest.param(60_000, 5, "by running it again: no batch was planned, and nothing was sent", id="no plan"),
    ],
)
async def test_a_full_disk_stops_a_run_before_anything_is_sent(
    desk: Desk, bytes_left: int, code: int, way_on: str
) -> None:
    """The message names the cause and the way on, which works once there is room."""
    desk.rows(count=400)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, limits[1]))  # which the command takes over
    try:
        # No coverage is measured in it, for which there would be no room either.
        process = await desk.start("run", "move_funds", "may.csv", COVERAGE_PROCESS_CONFIG="")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    full = await desk.end(process)
    again = await desk.caxton("run", "move_funds", "may.csv")

    assert (full.code, again.code, len(desk.moved)) == (code, 0, 400)
    assert way_on in full.err


async def test_two_runs_of_one_batch_share_it(desk: Desk) -> None:
    """While one runs, another helps, and `status` may look."""
    desk.rows(count=40)
    held = desk.fault("latency", endpoint="move_funds", held=True)

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "1", "--json")
    await held.hit()
    status = await desk.caxton("status", "may", "--rows", "--json")
    second = await desk.caxton("resume", "may", "--rows", "--json")
    held.release()
    first = await desk.end(process)

    assert [row["state"] for row in data_of(status)["rows"]] == ["sending", *["planned"] * 39]
    assert (status.code, second.code, first.code) == (4, 4, 0)
    assert data_of(second)["counts"] == {"sending": 1, "accepted": 39}
    assert [row["state"] for row in data_of(second)["rows"]] == ["sending", *["accepted"] * 39]
    assert data_of(first)["counts"] == {"accepted": 40}
    assert len(desk.moved) == len(set(desk.moved)) == 40


async def test_a_payroll_is_paid_in_one_step(desk: Desk) -> None:
    """`run bulk_payments` opens one upload and pays all its rows with one call; each row names the upload."""
    desk.write(
        "pay.csv",
        [
            "reference,RecipientName,IBAN,RecipientCountry,Currency,Amount",
            "p-1,Ada,GB33BUKB20201555555555,GB,GBP,10.00",
            "p-2,Grace,GB29NWBK60161331926819,GB,GBP,20.00",
        ],
    )

    done = await desk.caxton("run", "bulk_payments", "pay.csv", "--json")
    again = await desk.caxton("resume", "pay.csv", "--json")
    status = await desk.caxton("status", "pay.csv", "--rows", "--json")

    assert data_of(done)["counts"] == data_of(again)["counts"] == {"accepted": 2}
    assert (desk.emulator.count("create_bulk_upload"), desk.emulator.count("submit_bulk_payload")) == (1, 1)
    assert {(row["beneficiary"], row["upload_record_id"]) for row in data_of(status)["rows"]} == {
        ("Ada", 1234),
        ("Grace", 1234),
    }


# --- afterwards ---


@pytest_asyncio.fixture
async def unresolved(desk: Desk) -> Desk:
    """Give a batch of ten rows of which the fourth and the eighth are unknown: the fourth was paid."""
    desk.rows(count=10)
    desk.fault("reset_after_work", endpoint="move_funds", after=3)
    desk.fault("reset_after_read", endpoint="move_funds", after=6)
    await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "1")
    return desk


async def test_a_person_resolves_what_is_unknown_and_retries_what_was_not_paid(unresolved: Desk) -> None:
    """A decision can be corrected until its row is retried, which happens once, in a batch of its own."""
    note = ("--note", "asked the bank", "--by", "Ann")
    paid = await unresolved.caxton("resolve", "may", "ref-4", "--paid", *note)
    wrong = await unresolved.caxton("resolve", "may", "ref-8", "--paid", *note)
    corrected = await unresolved.caxton("resolve", "may", "ref-8", "--not-paid", *note, "--json")
    plan = await unresolved.caxton("retry", "may", "--state", "not-paid", "--dry-run", "--json")
    retried = await unresolved.caxton("retry", "may", "--state", "not-paid", "--json")
    again = await unresolved.caxton("retry", "1", "--state", "not-paid", "--json")
    late = await unresolved.caxton("resolve", "1", "ref-8", "--paid", *note)
    report = await unresolved.caxton("report", "1", "--csv", "rows.csv")

    assert [each.code for each in (paid, wrong, corrected, plan, retried, again, late, report)] == [
        4, 0, 0, 0, 0, 0, 2, 0,
    ]  # fmt: skip
    assert (data_of(corrected)["resolved"], data_of(plan)["count"], data_of(plan)["duplicates"]) == (1, 1, [])
    assert (data_of(retried)["new_batch"], data_of(again)["new_batch"]) == (2, None)
    assert "that was not retried already" in again.err
    (row,) = [line for line in (unresolved.folder / "rows.csv").read_text().splitlines() if "ref-8" in line]
    assert "not_paid" in row
    assert "Ann,asked the bank" in row
    assert len(unresolved.moved) == len(set(unresolved.moved)) == 10


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(("ref-4", "--paid", "--not-paid", "--note", "x"), "either --paid or --not-paid", id="both"),
        pytest.param(("ref-4", "--paid"), "--note", id="no note"),
        pytest.param(("--paid", "--note", "x"), "say which rows", id="no rows"),
        pytest.param(("ref-1", "--paid", "--note", "x"), "accepted", id="a row that is accepted"),
        pytest.param(("ref-99", "--paid", "--note", "x"), "ref-99", id="a row that is not there"),
        pytest.param(("--from", "wrong.csv"), "line 2 needs", id="a file without a decision"),
    ],
)
async def test_a_decision_that_is_not_clear_is_refused(
    unresolved: Desk, arguments: tuple[str, ...], problem: str
) -> None:
    """It says what is missing, and nothing is resolved."""
    unresolved.write("wrong.csv", ["reference,decision,note", "ref-4,perhaps,who knows"])

    done = await unresolved.caxton("resolve", "may", *arguments)
    status = await unresolved.caxton("status", "may", "--json")

    assert done.code == 2
    assert problem in done.err
    assert data_of(status)["counts"]["unknown"] == 2


async def test_a_retry_knows_what_was_paid_through_another_journal(desk: Desk) -> None:
    """Rows that were rejected, and then paid from the same file in another journal, are duplicates."""
    desk.rows(count=2)
    desk.fault("failing_envelope", endpoint="move_funds", times=2)
    await desk.caxton("run", "move_funds", "may.csv")
    await desk.caxton("run", "move_funds", "may.csv", "--journal", "other.sqlite")

    retried = await desk.caxton("retry", "may", "--state", "rejected")

    assert (retried.code, "2 of 2 rows ask for what may have been paid already" in retried.err) == (2, True)
    assert len(desk.moved) == 2


async def test_a_retry_that_was_killed_goes_on_as_a_batch(desk: Desk) -> None:
    """Retrying again finds nothing more to retry, and names the batch that is left; its JSON is its own."""
    desk.rows(count=4)
    desk.fault("failing_envelope", endpoint="move_funds", times=3)
    await desk.caxton("run", "move_funds", "may.csv")
    held = desk.fault("latency", endpoint="move_funds", after=1, times=1, held=True)

    process = await desk.start("retry", "may", "--state", "rejected", "--concurrency", "1")
    await held.hit()
    process.kill()
    await process.communicate()
    again = await desk.caxton("retry", "may", "--state", "rejected")
    resumed = await desk.caxton("resume", "may-r1", "--json")

    assert again.code == 5
    assert "1 of its rows wait in batch 2 (may-r1); go on with: caxton resume 2" in again.err
    assert (data_of(resumed)["batch"], data_of(resumed)["counts"]) == (2, {"accepted": 2, "unknown": 1})
    assert len(desk.moved) == len(set(desk.moved)) == 4


async def test_many_rows_are_resolved_at_once(unresolved: Desk) -> None:
    """By a file of decisions, or all that are unknown."""
    unresolved.write("found.csv", ["reference,decision,note", "ref-4,paid,line 7", "ref-8,not paid,no such line"])

    listed = await unresolved.caxton("resolve", "may", "--from", "found.csv", "--json")
    everything = await unresolved.caxton("resolve", "may", "--state", "unknown", "--paid", "--note", "x", "--json")

    assert (data_of(listed)["resolved"], data_of(listed)["counts"]) == (2, {"accepted": 8, "resolved": 2})
    assert (data_of(everything)["resolved"], everything.code) == (0, 0)


async def test_a_payroll_is_resolved_and_retried_as_one(desk: Desk) -> None:
    """Its rows share one money step, so a decision on one is a decision on all."""
    desk.write(
        "pay.csv",
        [
            "reference,RecipientName,IBAN,RecipientCountry,Currency,Amount",
            "p-1,Ada,GB33BUKB20201555555555,GB,GBP,10.00",
            "p-2,Grace,GB29NWBK60161331926819,GB,GBP,20.00",
        ],
    )
    desk.fault("reset_after_read", endpoint="submit_bulk_payload")

    lost = await desk.caxton("run", "bulk_payments", "pay.csv", "--json")
    resolved = await desk.caxton("resolve", "pay", "p-1", "--not-paid", "--note", "nothing there", "--json")
    retried = await desk.caxton("retry", "pay", "--state", "not-paid", "--json")

    assert (data_of(lost)["counts"], data_of(resolved)["counts"]) == ({"unknown": 2}, {"resolved": 2})
    assert (retried.code, data_of(retried)["new_batch"]) == (0, 2)
    assert len(desk.emulator.ledger.payments) == 2


async def test_a_statement_resolves_what_it_proves(unresolved: Desk) -> None:
    """What carries its reference is resolved as paid; a stranger's equal amount is shown, and resolves nothing."""
    unresolved.write("bank.csv", ["Date,Narrative,Money out", "2099-01-01,ref-4,1.04", "2099-01-01,OFFICE RENT,1.08"])
    command = ("reconcile", "may", "--statement", "bank.csv", "--currency", "GBP")

    wrong = await unresolved.caxton(*command, "--column", "nothing")
    dry = await unresolved.caxton(*command, "--dry-run", "--json")
    done = await unresolved.caxton(*command, "--json")
    table = await unresolved.caxton(*command, "--column", "description=Narrative")

    assert [each["reference"] for each in data_of(dry)["proposed"]] == ["ref-4"]
    assert (data_of(dry)["resolved"], data_of(done)["resolved"]) == (0, 1)
    assert [(each["reference"], each["lines"]) for each in data_of(done)["undecided"]] == [("ref-8", [3])]
    assert [wrong.code, dry.code, done.code, table.code] == [2, 4, 4, 4]
    assert "0 resolved as paid, 1 left unknown" in table.err
    assert "ref-8" in table.out


async def test_reports_are_written_to_new_files(unresolved: Desk) -> None:
    """CSV for programs, CSV for people, and one page; what exists is replaced only by force."""
    files = ("--csv", "rows.csv", "--spreadsheet", "people.csv", "--html", "page.html")
    done = await unresolved.caxton("report", "may", *files)
    again = await unresolved.caxton("report", "may", *files)
    forced = await unresolved.caxton("report", "may", *files, "--force")
    figures = await unresolved.caxton("report", "may")
    as_json = await unresolved.caxton("report", "may", "--json")
    wrong = await unresolved.caxton("report", "may", "--csv", "no/such/folder.csv")
    read = {name: (unresolved.folder / name).read_text("utf-8") for name in ("rows.csv", "people.csv", "page.html")}

    assert len(read["rows.csv"].splitlines()) == len(read["people.csv"].splitlines()) == 11
    assert read["page.html"].lower().startswith("<!doctype html>")
    assert [done.code, again.code, forced.code, figures.code, as_json.code, wrong.code] == [4, 2, 4, 4, 4, 2]
    assert "median" in figures.out
    assert "exists already" in again.err
    assert "cannot be written" in wrong.err
    assert len(data_of(as_json)["rows"]) == 10


async def test_a_status_for_people_lists_the_rows(unresolved: Desk) -> None:
    """Without --json the rows stand in a table, and the words about them on stderr."""
    done = await unresolved.caxton("status", "may", "--state", "unknown")
    unknown = await unresolved.caxton("status", "june")

    assert [line.split()[:3] for line in done.out.splitlines() if "ref-" in line] == [
        ["ref-4", "5", "unknown"],
        ["ref-8", "9", "unknown"],
    ]
    assert done.err.startswith("batch 1 (may): 10 rows of move_funds at http://127.0.0.1:")
    assert (unknown.code, "has no batch june: its newest are 1 (may)" in unknown.err) == (2, True)


async def test_damage_is_looked_for_when_asked(unresolved: Desk) -> None:
    """`status --verify` and `doctor` read what `status` does not show, and name the row that was changed."""
    before = [await unresolved.caxton("status", "--verify"), await unresolved.caxton("doctor", "--json")]
    with closing(sqlite3.connect(unresolved.folder / "state" / "journal.sqlite")) as connection:
        connection.execute("UPDATE rows SET amount = '7.00' WHERE reference = 'ref-3'")
        connection.commit()

    shown = await unresolved.caxton("status", "may")
    verified = [await unresolved.caxton("status", *batch, "--verify") for batch in ([], ["may"])]
    looked = await unresolved.caxton("doctor", "--json")

    assert [done.code for done in (*before, shown, *verified, looked)] == [4, 0, 4, 2, 2, 2]
    assert all("row 3 of batch 1 is not as it was written" in done.err for done in verified)
    assert [step["status"] for step in json.loads(looked.out) if step["step"] == "journal"] == ["failed"]


async def test_the_journal_of_a_database_is_made_by_a_command(unresolved: Desk, databases: Databases) -> None:
    """A new database gets its tables from `journal migrate`, and is a journal from then on."""
    where = {"CAXTON_JOURNAL": databases.make(), "CAXTON_JOURNAL_KEY_FILE": write_key(unresolved.folder)}
    before = await unresolved.caxton("status", **where)

    made = await unresolved.caxton("journal", "migrate", **where)

    after = await unresolved.caxton("status", **where)
    assert ["caxton journal migrate" in before.err, before.code, made.code, after.code] == [True, 2, 0, 0]


async def test_a_journal_is_exported_adopted_and_pruned(unresolved: Desk) -> None:
    """A copy sends nothing before a person adopts it; finished batches lose their requests alone."""
    exported = await unresolved.caxton("journal", "export", "copy.sqlite")
    refused = await unresolved.caxton("resolve", "may", "ref-4", "--paid", "--note", "x", "--journal", "copy.sqlite")
    looked = await unresolved.caxton("status", "may", "--journal", "copy.sqlite")
    adopted = await unresolved.caxton("journal", "adopt", "--note", "moved house", "--journal", "copy.sqlite", "--json")
    resolved = await unresolved.caxton("resolve", "may", "ref-4", "--paid", "--note", "x", "--journal", "copy.sqlite")
    pruned = await unresolved.caxton("journal", "prune", "--older-than", "0d", "--json")
    wrong = await unresolved.caxton("journal", "prune", "--older-than", "soon")
    migrated = await unresolved.caxton("journal", "migrate")

    assert [each.code for each in (exported, refused, adopted, resolved, pruned, wrong, migrated)] == [
        0, 2, 0, 4, 0, 2, 0,
    ]  # fmt: skip
    copy = unresolved.folder / "copy.sqlite"
    assert (f"caxton journal adopt --journal {copy} --note WHY" in refused.err, looked.code) == (True, 4)
    assert data_of(adopted)["undecided"] == 0
    assert data_of(pruned)["pruned"] == 0
