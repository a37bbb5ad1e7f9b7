"""The runner: each row sent at most once, each step on disk before the next, and a stop that loses nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from caxton_async import errors as e
from caxton_async.batch import runner
from caxton_async.batch.journal import Journal
from caxton_async.batch.runner import BatchSummary, RowOutcome, run_batch
from caxton_async.batch.states import JournalFailed, JournalRefused, RowState
from caxton_async.batch.verdict import Verdict, judge, readable
from caxton_async.endpoints import CREATE_WALLET, GET_CARD_RATE
from caxton_async.errors import Sent
from caxton_async.models import CreateWallet

S = RowState
ORIGIN = "http://127.0.0.1:1"
Answer = Callable[[str], Awaitable[object]]


class FakeCaxton:
    """A client whose calls end as `answer` says; it counts what was sent, by name."""

    def __init__(self, answer: Answer) -> None:
        self.settings = SimpleNamespace(origin=ORIGIN)
        self.acting_for = "the main account, no user"
        self.answer = answer
        self.sent: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0

    async def call(self, endpoint: object, request: CreateWallet) -> object:
        self.sent[request.name] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.answer(request.name)
        finally:
            self.in_flight -= 1


def raising(error: Exception | None, *, times: int = 10**6) -> Answer:
    """Answer with an error, and with success after so many times."""
    left = times

    async def answer(name: str) -> str:
        nonlocal left
        await asyncio.sleep(0)
        left -= 1
        if error is not None and left >= 0:
            raise error
        return f"made {name}"

    return answer


def wallets(count: int) -> list[tuple[str, CreateWallet]]:
    """Make rows."""
    return [(f"ref-{n}", CreateWallet(f"w{n}")) for n in range(1, count + 1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal of a test stands."""
    return tmp_path / "x.caxton-journal"


def new(path: Path, endpoint: str = "create_wallet", origin: str = ORIGIN) -> Journal:
    """Make a journal."""
    return Journal.create(path, endpoint=endpoint, origin=origin)


def states(journal: Journal) -> dict[str, str]:
    """Say where each row stands."""
    return {row.reference: row.state.value for row in journal.rows()}


def counted(summary: BatchSummary) -> dict[str, int]:
    """Give the counts that are not zero."""
    return {state.value: n for state, n in summary.counts.items() if n}


async def test_every_row_is_sent_once_and_reported_with_its_result(path: Path) -> None:
    """A batch without trouble accepts all of its rows."""
    caxton, outcomes = FakeCaxton(raising(None)), []

    with new(path) as journal:
        summary = await run_batch(caxton, CREATE_WALLET, wallets(700), journal=journal, on_progress=outcomes.append)

    assert counted(summary) == {"accepted": 700}
    assert (summary.paused, summary.left, summary.unknown, summary.total) == (None, 0, 0, 700)
    assert set(caxton.sent.values()) == {1}
    assert sorted(each.reference for each in outcomes) == sorted(reference for reference, _ in wallets(700))
    assert RowOutcome("ref-7", S.ACCEPTED, "made w7") in outcomes


async def test_a_path_will_do_for_a_journal_and_goes_on_with_the_one_that_is_there(path: Path) -> None:
    """The same call with the same path sends nothing a second time."""
    caxton = FakeCaxton(raising(None))

    first = await run_batch(caxton, CREATE_WALLET, wallets(7), journal=path)
    again = await run_batch(caxton, CREATE_WALLET, wallets(7), journal=str(path))

    assert counted(first) == counted(again) == {"accepted": 7}
    assert set(caxton.sent.values()) == {1}


async def test_a_batch_is_not_resumed_for_another_account(path: Path) -> None:
    """Whoever resumes a batch acts for the account for which it was begun, or sends nothing."""
    caxton = FakeCaxton(raising(None))
    await run_batch(caxton, CREATE_WALLET, wallets(1), journal=path)
    caxton.acting_for = "ID-2, no user"

    with pytest.raises(JournalRefused, match="begun for the main account"):
        await run_batch(caxton, CREATE_WALLET, wallets(1), journal=path)

    assert set(caxton.sent.values()) == {1}


async def test_sending_is_on_disk_before_the_request_leaves(path: Path) -> None:
    """When a call begins, whoever reads the journal finds its row `sending`; when it is reported, its outcome."""
    seen: list[tuple[str, ...]] = []

    def state_of(reference: str) -> str:
        with Journal.read(path) as reader:
            return reader.row(reference).state.value

    async def answer(name: str) -> None:
        seen.append(("call", name.replace("w", "ref-"), state_of(name.replace("w", "ref-"))))

    def progress(outcome: RowOutcome[object]) -> None:
        seen.append(("report", outcome.reference, state_of(outcome.reference)))

    with new(path) as journal:
        await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(20), journal=journal, on_progress=progress)

    assert {each[::2] for each in seen} == {("call", "sending"), ("report", "accepted")}
    assert len(seen) == 40


async def test_no_more_than_the_given_number_are_in_flight(path: Path) -> None:
    """Concurrency is a limit, and is used."""
    caxton = FakeCaxton(raising(None))

    with new(path) as journal:
        await run_batch(caxton, CREATE_WALLET, wallets(100), journal=journal, concurrency=7)

    assert caxton.most_in_flight == 7


@pytest.mark.parametrize(
    ("error", "state", "pauses"),
    [
        (e.ApiError("no funds", http_status=400), "rejected", False),
        (e.NotFound("no such", http_status=404), "rejected", False),
        (e.InvalidRequest("cannot be sent"), "rejected", False),
        (e.NotAuthorised("no token", http_status=401), "not_sent", True),
        (e.NotAuthorised("no right", http_status=403), "not_sent", True),
        (e.NotAuthorised("user refused", http_status=200), "rejected", True),
        (e.AuthenticationFailed("no token"), "not_sent", True),
        (e.LoginRefused("no token"), "not_sent", True),
        (e.ConfigurationError("closed"), "not_sent", True),
        (e.CertificateRejected("not trusted"), "not_sent", True),
        (e.NotSent("refused"), "not_sent", False),
        (e.DeadlineExceeded("late", sent=Sent.NO), "not_sent", False),
        (e.DeadlineExceeded("late in flight", sent=Sent.UNKNOWN), "unknown", False),
        (e.UnreadableReply("cut off"), "unknown", False),
        (e.OutcomeUnknown("reset"), "unknown", False),
        (e.ServerFailed("broken", http_status=500), "unknown", False),
        (e.CaxtonError("of another kind", sent=Sent.UNKNOWN), "unknown", False),
        (e.CaxtonError("of another kind, not sent"), "not_sent", True),
    ],
    ids=lambda value: f"{type(value).__name__} {value}" if isinstance(value, Exception) else str(value),
)
async def test_an_error_decides_what_becomes_of_its_row(path: Path, error: Exception, state: str, pauses: bool) -> None:
    """Each kind of error leads to one state, and what no row would survive pauses the run."""
    with new(path) as journal:
        summary = await run_batch(FakeCaxton(raising(error)), CREATE_WALLET, wallets(1), journal=journal)
        row = journal.row("ref-1")

    assert counted(summary) == {state: 1}
    assert summary.paused == (str(error) if pauses else None)
    assert (row.status.sent, row.status.error) == (error.sent, str(error))


@pytest.mark.parametrize(
    "error",
    [e.UnreadableReply("cut"), e.ServerFailed("500"), e.DeadlineExceeded("", sent=Sent.UNKNOWN)],
    ids=lambda error: type(error).__name__,
)
def test_a_repeatable_call_without_an_answer_goes_on_later(error: e.CaxtonError) -> None:
    """What cannot act twice is not unknown."""
    assert judge(error, repeatable=GET_CARD_RATE.repeatable) == Verdict(S.NOT_SENT, again=True)
    assert judge(error, repeatable=False).state is not S.NOT_SENT


@pytest.mark.parametrize(
    "error", [e.NotSent("refused"), e.RateLimited("429", http_status=429, retry_after_s=0.01)], ids=["refused", "429"]
)
async def test_a_row_that_was_surely_not_carried_out_is_tried_again_in_the_same_run(
    path: Path, error: Exception
) -> None:
    """One failure that moved nothing does not wait for the next run."""
    outcomes: list[RowOutcome[object]] = []

    with new(path) as journal:
        caxton = FakeCaxton(raising(error, times=2))
        summary = await run_batch(caxton, CREATE_WALLET, wallets(1), journal=journal, on_progress=outcomes.append)

    assert counted(summary) == {"accepted": 1}
    assert caxton.sent == {"w1": 3}
    assert [outcome.state for outcome in outcomes] == [S.ACCEPTED]


async def test_an_outage_pauses_the_run_and_burns_no_row(path: Path) -> None:
    """When nothing gets through any more the rest waits, the reason is said, and a resumed run finishes."""
    with new(path) as journal:
        caxton = FakeCaxton(raising(e.NotSent("connection refused")))
        summary = await run_batch(caxton, CREATE_WALLET, wallets(500), journal=journal, concurrency=8)
    with Journal.open(path) as journal:
        after = await run_batch(FakeCaxton(raising(None)), CREATE_WALLET, wallets(500), journal=journal)

    assert summary.paused == "connection refused"
    assert summary.left == 500
    assert caxton.sent.total() < 60
    assert counted(after) == {"accepted": 500}


async def test_a_refused_login_pauses_the_run(path: Path) -> None:
    """No row is marked rejected because nobody could log in."""
    with new(path) as journal:
        caxton = FakeCaxton(raising(e.LoginRefused("the API refused the login")))
        summary = await run_batch(caxton, CREATE_WALLET, wallets(500), journal=journal, concurrency=8)

    assert summary.paused == "the API refused the login"
    assert set(counted(summary)) == {"planned", "not_sent"}
    assert caxton.sent.total() <= 8


async def test_a_rate_limit_slows_every_worker(path: Path) -> None:
    """While the API asked for quiet nobody calls, and the rows that it turned away are sent after that."""
    loop, called = asyncio.get_running_loop(), []

    async def answer(name: str) -> None:
        called.append(loop.time())
        await asyncio.sleep(0)
        if len(called) <= 4:
            raise e.RateLimited("slow down", http_status=429, retry_after_s=0.2)

    with new(path) as journal:
        summary = await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(30), journal=journal, concurrency=4)

    assert counted(summary) == {"accepted": 30}
    assert max(called[:4]) + 0.19 <= min(called[4:])


@pytest.mark.parametrize("wait", [None, 10_000.0], ids=["endless", "far-off"])
async def test_a_rate_limit_without_end_pauses_the_run(path: Path, wait: float | None, monkeypatch) -> None:
    """A run does not wait for ever, nor for hours."""
    monkeypatch.setattr(runner, "_MAX_BACKOFF_S", 0.001)
    error = e.RateLimited("slow down", http_status=429, retry_after_s=wait)

    with new(path) as journal:
        summary = await run_batch(
            FakeCaxton(raising(error)), CREATE_WALLET, wallets(90), journal=journal, concurrency=2
        )

    assert "asks for a pause" in summary.paused
    assert summary.left == 90


# --- stopping ---


async def test_stop_ends_new_sends_and_waits_for_those_in_flight(path: Path) -> None:
    """After a stop what is in flight is learnt, and all else stays planned."""
    stop, go = anyio.Event(), asyncio.Event()

    async def answer(name: str) -> None:
        if caxton.in_flight == 5:
            stop.set()
            asyncio.get_running_loop().call_soon(go.set)
        await go.wait()

    caxton = FakeCaxton(answer)
    with new(path) as journal:
        summary = await run_batch(caxton, CREATE_WALLET, wallets(50), journal=journal, concurrency=5, stop=stop)

    assert counted(summary) == {"accepted": 5, "planned": 45}
    assert summary.paused is None


async def test_stop_wakes_a_run_that_keeps_quiet(path: Path) -> None:
    """A long wait that the API asked for does not delay a stop."""
    stop = anyio.Event()

    async def answer(name: str) -> None:
        asyncio.get_running_loop().call_soon(stop.set)
        raise e.RateLimited("later", http_status=429, retry_after_s=299)

    with new(path) as journal:
        summary = await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(3), journal=journal, stop=stop)

    assert summary.left == 3


async def test_a_cancelled_run_records_what_was_in_flight_as_unknown(path: Path) -> None:
    """A cancellation says nothing about the calls in flight, and the journal says so."""
    flying = asyncio.Event()

    async def answer(name: str) -> None:
        if caxton.in_flight == 3:
            flying.set()
        await asyncio.Event().wait()

    caxton = FakeCaxton(answer)
    with new(path) as journal:
        task = asyncio.create_task(run_batch(caxton, CREATE_WALLET, wallets(9), journal=journal, concurrency=3))
        await flying.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with Journal.read(path) as reader:
        counts = {state.value: n for state, n in reader.counts().items() if n}

    assert counts == {"unknown": 3, "planned": 6}


class Interrupting(Journal):
    """A journal that cancels a task when so many moves were handed to it, while the last of them is being written."""

    left = 0
    task: asyncio.Task[object]

    def submit(self, *move: object) -> "asyncio.Future[int]":
        self.left -= 1
        if self.left == 0:
            for _ in range(2):
                asyncio.get_running_loop().call_soon(self.task.cancel)
        return super().submit(*move)


@pytest.mark.parametrize("moves", [1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 33, 50, 79, 80])
async def test_a_cancellation_at_any_moment_loses_no_row(path: Path, moves: int) -> None:
    """Whenever a run is cancelled, what was sent is accepted or unknown, and the rest is sent by the next."""
    first, again = FakeCaxton(raising(None)), FakeCaxton(raising(None))
    journal = Interrupting.create(path, endpoint="create_wallet", origin=ORIGIN)
    task = asyncio.create_task(run_batch(first, CREATE_WALLET, wallets(40), journal=journal, concurrency=4))
    journal.left, journal.task = moves, task
    with pytest.raises(asyncio.CancelledError):
        await task
    journal.close()

    with Journal.open(path) as journal:
        summary = await run_batch(again, CREATE_WALLET, wallets(40), journal=journal, concurrency=4)
        found = states(journal)

    assert set((first.sent + again.sent).values()) <= {1}
    for reference, state in found.items():
        name = reference.replace("ref-", "w")
        assert first.sent[name] + again.sent[name] == 1, "what was not sent at first is not unknown"
        assert state == "accepted" or (state == "unknown" and first.sent[name])
    assert summary.left == 0


async def test_a_journal_that_fails_stops_the_run(path: Path) -> None:
    """Once a write has failed nothing is sent any more, and the failure is raised."""

    async def answer(name: str) -> None:
        if name == "w5":
            journal._writing._connection.execute("PRAGMA query_only=ON")

    caxton = FakeCaxton(answer)
    with new(path) as journal, pytest.raises(JournalFailed, match="nothing more is sent"):
        await run_batch(caxton, CREATE_WALLET, wallets(300), journal=journal, concurrency=3)
    with Journal.open(path) as journal:
        found = Counter(states(journal).values())

    assert caxton.sent.total() <= 5 + 3
    assert found["planned"] == 300 - caxton.sent.total()


async def test_a_failing_report_stops_the_run_but_not_the_calls_in_flight(path: Path) -> None:
    """An error of the user's function is raised at the end; what was in flight is learnt first."""
    go = asyncio.Event()

    async def answer(name: str) -> None:
        if name != "w1":
            await go.wait()

    def progress(outcome: RowOutcome[object]) -> None:
        if outcome.reference == "ref-1":
            asyncio.get_running_loop().call_soon(go.set)
            raise ZeroDivisionError("mine")

    with new(path) as journal:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await run_batch(
                FakeCaxton(answer), CREATE_WALLET, wallets(9), journal=journal, concurrency=3, on_progress=progress
            )
        found = Counter(states(journal).values())

    assert found == {"accepted": 3, "planned": 6}


async def test_an_error_that_is_not_ours_leaves_its_row_unknown(path: Path) -> None:
    """A defect in the middle of a call says nothing about the request."""
    caxton = FakeCaxton(raising(RuntimeError("defect")))
    with new(path) as journal, pytest.raises(RuntimeError, match="defect"):
        await run_batch(caxton, CREATE_WALLET, wallets(1), journal=journal)

    with Journal.read(path) as reader:
        assert reader.row("ref-1").status.error == "interrupted by RuntimeError while it was being sent"
        assert reader.counts()[S.UNKNOWN] == 1


# --- going on ---


async def test_a_resumed_run_sends_what_is_left_and_nothing_else(path: Path) -> None:
    """Accepted, rejected and unknown rows are never sent again."""
    answers = iter([None, e.ApiError("no"), e.OutcomeUnknown("reset"), e.LoginRefused("no")])

    async def answer(name: str) -> None:
        if (error := next(answers)) is not None:
            raise error

    with new(path) as journal:
        await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(1_200), journal=journal, concurrency=1)
    caxton = FakeCaxton(raising(None))
    with Journal.open(path) as journal:
        summary = await run_batch(caxton, CREATE_WALLET, wallets(1_200), journal=journal)

    assert counted(summary) == {"accepted": 1_198, "rejected": 1, "unknown": 1}
    assert caxton.sent.keys() == {f"w{n}" for n in range(4, 1_201)}
    with Journal.open(path) as journal:
        again = FakeCaxton(raising(None))
        assert counted(await run_batch(again, CREATE_WALLET, wallets(1_200), journal=journal)) == counted(summary)
    assert again.sent.total() == 0


@pytest.mark.parametrize("change", ["request", "reference", "fewer", "more"])
async def test_an_input_that_changed_does_not_resume(path: Path, change: str) -> None:
    """Every row is compared before the first is sent."""
    rows = wallets(5)
    with new(path) as journal:
        await run_batch(FakeCaxton(raising(e.LoginRefused(""))), CREATE_WALLET, rows, journal=journal)
    changed = {
        "request": [*rows[:4], ("ref-5", CreateWallet("edited"))],
        "reference": [*rows[:4], ("ref-6", rows[4][1])],
        "fewer": rows[:4],
        "more": [*rows, ("ref-6", rows[4][1])],
    }[change]
    caxton = FakeCaxton(raising(None))

    with Journal.open(path) as journal, pytest.raises(JournalRefused, match="not what it was"):
        await run_batch(caxton, CREATE_WALLET, changed, journal=journal)

    assert caxton.sent.total() == 0


async def test_an_input_that_changes_during_the_run_stops_it(path: Path) -> None:
    """A file that is edited between the comparison and the sending sends no row that nobody planned."""
    versions = iter([wallets(20), [*wallets(10), ("ref-11", CreateWallet("other")), *wallets(20)[11:]]])
    caxton = FakeCaxton(raising(None))

    with new(path) as journal, pytest.raises(JournalRefused, match="row 11"):
        await run_batch(caxton, CREATE_WALLET, lambda: next(versions), journal=journal)

    assert "other" not in caxton.sent
    assert caxton.sent.total() == 10


async def test_rows_may_be_an_iterator(path: Path) -> None:
    """What can be gone through once alone is kept."""
    with new(path) as journal:
        summary = await run_batch(FakeCaxton(raising(None)), CREATE_WALLET, iter(wallets(5)), journal=journal)

    assert counted(summary) == {"accepted": 5}


@pytest.mark.parametrize("reference", ["", " ", "a\nb", "a\u202eb", "\ud800", 7], ids=repr)
async def test_a_wrong_reference_is_refused_before_anything_is_sent(path: Path, reference: object) -> None:
    """References are text that can be printed, and a refused batch leaves no journal."""
    caxton = FakeCaxton(raising(None))

    with new(path) as journal, pytest.raises(e.InvalidRequest, match="reference of row 2"):
        await run_batch(caxton, CREATE_WALLET, [*wallets(1), (reference, CreateWallet("x"))], journal=journal)

    assert (caxton.sent.total(), list(path.parent.iterdir())) == (0, [])


async def test_wrong_rows_leave_no_journal(path: Path) -> None:
    """An input that fails while it is read is put right and run anew."""

    def rows() -> Iterator[tuple[str, CreateWallet]]:
        yield from wallets(3)
        raise e.InvalidRequest("line 4: no")

    caxton = FakeCaxton(raising(None))
    with new(path) as journal, pytest.raises(e.InvalidRequest, match="line 4"):
        await run_batch(caxton, CREATE_WALLET, rows, journal=journal)

    assert (caxton.sent.total(), list(path.parent.iterdir())) == (0, [])


@pytest.mark.parametrize(
    "other", [("move_funds", ORIGIN), ("create_wallet", "https://elsewhere:443")], ids=["endpoint", "origin"]
)
async def test_a_journal_of_another_batch_is_refused(path: Path, other: tuple[str, str]) -> None:
    """Endpoint and origin are pinned."""
    caxton = FakeCaxton(raising(None))

    with new(path, *other) as journal, pytest.raises(JournalRefused, match="nothing was sent"):
        await run_batch(caxton, CREATE_WALLET, wallets(1), journal=journal)

    assert caxton.sent.total() == 0


async def test_concurrency_is_at_least_one(path: Path) -> None:
    """A run without workers would seem to be done."""
    with new(path) as journal, pytest.raises(e.ConfigurationError, match="at least 1"):
        await run_batch(FakeCaxton(raising(None)), CREATE_WALLET, wallets(1), journal=journal, concurrency=0)


def test_an_error_is_kept_short_and_without_account_numbers() -> None:
    """A server may quote what it was sent; the journal does not keep it."""
    error = e.ApiError("account 12345678 or GB33BUKB20201555555555\nis wrong: " + "x" * 500)

    text = readable(error)

    assert text.startswith("account *** or *** is wrong: xxx")
    assert len(text) == 300
