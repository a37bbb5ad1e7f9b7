"""What people do at two in the morning, through the command line: each is refused, or put right by one command."""

import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.command import Desk, Done, open_desk

pytestmark = pytest.mark.long
NOTE = ("--note", "asked the bank")


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a folder, an emulator and the command; nobody may be paid twice, and no traceback shown."""
    async with open_desk(tmp_path) as opened:
        yield opened
        assert max(Counter(opened.moved).values(), default=1) == 1, "somebody was paid twice"
        assert not any("Traceback" in said for said in opened.said)


def data_of(done: Done) -> dict[str, Any]:
    """Return what a command printed as JSON, of the counts those above zero."""

    def without_zeros(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "counts": {state: count for state, count in found["counts"].items() if count}}

    found: dict[str, Any] = json.loads(
        done.out, object_hook=lambda each: without_zeros(each) if "counts" in each else each
    )
    return found


# 1


async def test_what_was_not_paid_is_paid_once_on_whatever_day(desk: Desk) -> None:
    """A row that was retried on Monday is not among those of Tuesday."""
    desk.rows(count=3)
    desk.fault("reset_after_read", endpoint="move_funds", times=3)
    await desk.caxton("run", "move_funds", "may.csv")

    await desk.caxton("resolve", "1", "ref-1", "--not-paid", *NOTE)
    monday = await desk.caxton("retry", "1", "--state", "not-paid", "--json")
    await desk.caxton("resolve", "1", "ref-2", "--not-paid", *NOTE)
    tuesday = await desk.caxton("retry", "1", "--state", "not-paid", "--json")

    assert [data_of(each)["new_batch"] for each in (monday, tuesday)] == [2, 3]
    assert desk.moved == ["1.01", "1.02"]


# 2


def renamed(desk: Desk, file: Path) -> list[str]:
    """Copy the file under another name."""
    shutil.copy(file, file.with_name("june.csv"))
    return ["june.csv"]


def rewritten(change: Callable[[str], str]) -> Callable[[Desk, Path], list[str]]:
    """Write the file anew, in another spelling."""

    def disguise(_: Desk, file: Path) -> list[str]:
        file.write_text(change(file.read_text()))
        return [file.name]

    return disguise


def elsewhere(_: Desk, file: Path) -> list[str]:
    """Copy the file to another folder."""
    folder = file.parent / "x"
    folder.mkdir()
    shutil.copy(file, folder)
    return [str(folder / file.name)]


def archived(desk: Desk, file: Path) -> list[str]:
    """Move the journal away."""
    shutil.move(desk.folder / "state" / "journal.sqlite", desk.folder / "archive.sqlite")
    return [file.name]


@pytest.mark.parametrize(
    "disguise",
    [
        pytest.param(lambda _, file: [file.name], id="the same"),
        pytest.param(renamed, id="another name"),
        pytest.param(rewritten(lambda text: text.replace("\n", "\n\n")), id="blank lines"),
        pytest.param(
            rewritten(lambda text: "\n".join([*text.splitlines()[:1], *text.splitlines()[:0:-1]])), id="another order"
        ),
        pytest.param(rewritten(lambda text: text.replace("ref-", "r-")), id="other references"),
        pytest.param(elsewhere, id="another folder"),
        pytest.param(archived, id="the journal moved away"),
        pytest.param(lambda _, file: [file.name, "--journal", "may.journal"], id="another journal"),
        pytest.param(lambda _, file: [file.name, "--journal", "j/may.journal"], id="a journal in another folder"),
    ],
)
async def test_the_same_payroll_is_refused_in_every_disguise(
    desk: Desk, disguise: Callable[[Desk, Path], list[str]]
) -> None:
    """Whatever the file or the journal is called and wherever it is, its payments are known."""
    file = desk.rows(count=3)
    (desk.folder / "j").mkdir()
    await desk.caxton("run", "move_funds", "may.csv")

    again = await desk.caxton("run", "move_funds", *disguise(desk, file))

    assert again.code == 2
    assert len(desk.moved) == 3


async def test_a_payroll_of_another_journal_is_known_to_the_default_one(desk: Desk) -> None:
    """What was paid through a journal of its own is not paid again through the default one, whose file is new."""
    desk.rows(count=3)
    await desk.caxton("run", "move_funds", "may.csv", "--journal", "may.journal")

    again = await desk.caxton("run", "move_funds", "may.csv")

    assert again.code == 2
    assert "may.journal" in again.err
    assert len(desk.moved) == 3


# 3


async def test_a_restored_journal_pays_nothing_again(desk: Desk) -> None:
    """A backup of the middle of a run sends nothing; adopted, it says that its rows may have been paid."""
    desk.rows(count=20)
    held = desk.fault("latency", endpoint="move_funds", after=8, times=4, held=True)
    journal, backup = desk.folder / "state" / "journal.sqlite", desk.folder / "backup.sqlite"

    process = await desk.start("run", "move_funds", "may.csv", "--concurrency", "4")
    await held.hit(4)
    exported = await desk.caxton("journal", "export", backup)
    held.release()
    await desk.end(process)
    backup.replace(journal)
    refused = await desk.caxton("resume", "may")
    adopted = await desk.caxton("journal", "adopt", *NOTE, "--json")
    resumed = await desk.caxton("resume", "may", "--json")

    assert [each.code for each in (exported, refused, adopted, resumed)] == [0, 2, 4, 4]
    assert "caxton journal adopt" in refused.err
    assert data_of(adopted)["undecided"] == 12
    assert len(data_of(adopted)["in_flight"]) == 4
    assert data_of(resumed)["counts"] == {"accepted": 8, "unknown": 12}
    assert len(desk.moved) == 20


# 8


async def test_a_strangers_equal_amount_proves_nothing_and_a_decision_can_be_corrected(desk: Desk) -> None:
    """OFFICE RENT of the same amount is shown to a person, whose mistake one command corrects."""
    desk.rows(count=1)
    desk.fault("reset_after_read", endpoint="move_funds")
    await desk.caxton("run", "move_funds", "may.csv")
    desk.write("bank.csv", ["Date,Narrative,Money out", "2099-01-01,OFFICE RENT,1.01"])

    reconciled = await desk.caxton("reconcile", "may", "--statement", "bank.csv", "--currency", "GBP", "--json")
    await desk.caxton("resolve", "may", "ref-1", "--paid", "--note", "it must be the rent")
    corrected = await desk.caxton("resolve", "may", "ref-1", "--not-paid", *NOTE)
    retried = await desk.caxton("retry", "may", "--state", "not-paid")

    assert (data_of(reconciled)["resolved"], data_of(reconciled)["proposed"]) == (0, [])
    assert [reconciled.code, corrected.code, retried.code] == [4, 0, 0]
    assert desk.moved == ["1.01"]


# 9


async def test_a_batch_goes_on_for_its_company_alone(desk: Desk) -> None:
    """Another account and another company are refused; the same user goes on with a renewed token."""
    desk.rows(count=3)
    accounts = desk.emulator.ledger.accounts
    user = accounts.add_user()
    who = {"CAXTON_USER_TOKEN": user.api_token, "CAXTON_USER_ID": user.user_id}
    desk.fault("unauthorised", endpoint="move_funds", times=None)
    paused = await desk.caxton("run", "move_funds", "may.csv", "--concurrency", "1", **who)
    desk.emulator.faults.clear()

    account = await desk.caxton("resume", "may", CAXTON_IDENTITY_NUMBER="ID-9", **who)
    company = await desk.caxton("resume", "may", CAXTON_USERNAME="eve", **who)
    nobody = await desk.caxton("resume", "may")
    accounts.users["renewed-token"] = accounts.users.pop(user.api_token)
    renewed = await desk.caxton("resume", "may", **who | {"CAXTON_USER_TOKEN": "renewed-token"})

    assert [each.code for each in (paused, account, company, nobody, renewed)] == [3, 2, 2, 2, 0]
    assert all("nothing was sent" in each.err for each in (account, company, nobody))
    assert len(desk.moved) == 3


# 10


async def test_what_is_sent_is_what_was_approved(desk: Desk) -> None:
    """A file that is swapped after its approval is refused, and one that is edited after a kill changes nothing."""
    file = desk.rows(count=3)
    right = file.read_text()
    digest = data_of(await desk.caxton("run", "move_funds", "may.csv", "--dry-run", "--json"))["digest"]
    command = ("run", "move_funds", "may.csv", "--approved", digest, "--by", "Grace")

    file.write_text(right.replace("1.02", "99999.00"))
    swapped = await desk.caxton(*command)
    file.write_text(right)
    held = desk.fault("latency", endpoint="move_funds", held=True)
    process = await desk.start(*command, "--concurrency", "1")
    await held.hit()
    process.kill()
    await process.communicate()
    file.write_text(right.replace("1.02", "99999.00"))
    resumed = await desk.caxton("resume", "may", "--json")

    assert swapped.code == 2
    assert "not the one that was approved" in swapped.err
    assert data_of(resumed)["counts"] == {"accepted": 2, "unknown": 1}
    assert desk.moved == ["1.01", "1.02", "1.03"]


# 13


async def test_an_empty_balance_pauses_and_the_refused_rows_are_paid_after_funding(desk: Desk) -> None:
    """Ten refusals stop the run; one command pays them, each once, when there is money, and another the rest."""
    desk.rows(count=40)
    desk.emulator.conditions.set("empty_balance")
    paused = await desk.caxton("run", "move_funds", "may.csv", "--json")
    desk.emulator.conditions.clear()

    retried = await desk.caxton("retry", "1", "--state", "rejected", "--json")
    resumed = await desk.caxton("resume", "1", "--json")
    again = await desk.caxton("retry", "1", "--state", "rejected", "--json")

    rejected = data_of(paused)["counts"]["rejected"]
    assert 10 <= rejected <= 14
    assert (paused.code, "refused alike" in data_of(paused)["paused"]) == (5, True)
    assert data_of(paused)["reasons"][0]["rows"] == rejected
    assert (retried.code, data_of(resumed)["counts"]) == (0, {"accepted": 40 - rejected, "rejected": rejected})
    assert (again.code, data_of(again)["new_batch"]) == (0, None)
    assert len(desk.moved) == 40


# 27


@pytest.mark.parametrize("target", ["state/journal.sqlite", "may.csv"])
async def test_a_report_destroys_nothing(desk: Desk, target: str) -> None:
    """Tab completion names the journal or the input: both stay what they were."""
    desk.rows(count=3)
    await desk.caxton("run", "move_funds", "may.csv")
    before = (desk.folder / target).read_bytes()[:16]

    refused = await desk.caxton("report", "may", "--csv", target, "--force")
    status = await desk.caxton("status", "may", "--json")

    assert (refused.code, status.code) == (2, 0)
    assert data_of(status)["counts"] == {"accepted": 3}
    assert (desk.folder / target).read_bytes()[:16] == before
