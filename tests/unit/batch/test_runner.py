"""The runner: each row sent at most once, each step durable before the next, and a stop that loses nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest
import pytest_asyncio

from caxton_async import errors as e
from caxton_async.batch import BatchSummary, RowOutcome, cooldown, resume_batch, run_batch, runner
from caxton_async.endpoints import CREATE_WALLET, MOVE_FUNDS
from caxton_async.errors import JournalFailed, JournalRefused, Sent
from caxton_async.journal import Journal, RowState
from caxton_async.models import CreateWallet, MoveFunds
from tests.support.batches import FakeCaxton, journal_in, planned, raising, wallets

S = RowState


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Give an open journal."""
    async with journal_in(tmp_path) as opened:
        yield opened


def counted(summary: BatchSummary) -> dict[str, int]:
    """Give the counts that are not zero."""
    return {state.value: n for state, n in summary.counts.items() if n}


async def test_every_row_is_sent_once_and_reported_with_its_result(journal: Journal) -> None:
    """A batch without trouble accepts all of its rows."""
    caxton, outcomes = FakeCaxton(raising(None)), []

    summary = await run_batch(
        caxton, CREATE_WALLET, wallets(700), journal=journal, name="may", on_progress=outcomes.append
    )

    assert counted(summary) == {"accepted": 700}
    assert (summary.batch, summary.name, summary.paused, summary.reasons) == (1, "may", None, [])
    assert (summary.left, summary.unknown, summary.total) == (0, 0, 700)
    assert set(caxton.sent.values()) == {1}
    assert sorted(each.reference for each in outcomes) == sorted(reference for reference, _ in wallets(700))
    assert RowOutcome("ref-7", S.ACCEPTED, "made w7") in outcomes


async def test_a_path_will_do_for_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made and opened for the run, and the batch goes on there by its name, without the rows."""
    monkeypatch.setenv("CAXTON_STATE_DIR", str(tmp_path / "state"))
    path = tmp_path / "j.sqlite"
    refused = FakeCaxton(raising(e.LoginRefused("no")))

    first = await run_batch(refused, CREATE_WALLET, wallets(7), journal=path, name="may")
    again = await resume_batch(FakeCaxton(raising(None)), "may", journal=str(path))

    assert (first.left, first.paused, counted(again), again.paused) == (7, "no", {"accepted": 7}, None)


async def test_sending_is_durable_before_the_request_leaves(journal: Journal) -> None:
    """When a call begins, whoever reads the journal finds its row `sending`; when it is reported, its outcome."""
    seen: list[tuple[str, ...]] = []

    async def answer(name: str) -> None:
        seen.append(("call", journal.row(1, name.replace("w", "ref-")).state.value))

    def progress(outcome: RowOutcome[object]) -> None:
        seen.append(("report", journal.row(1, outcome.reference).state.value))

    await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(20), journal=journal, on_progress=progress)

    assert Counter(seen) == {("call", "sending"): 20, ("report", "accepted"): 20}


async def test_a_run_starts_with_four_and_doubles_as_calls_are_accepted(journal: Journal) -> None:
    """Each round of accepted answers doubles the calls in flight, up to the concurrency; refusals add none."""
    rounds, expected, gate = [], [4, 8, 16, 20], asyncio.Event()

    async def answer(name: str) -> None:
        nonlocal gate
        if caxton.in_flight < expected[len(rounds)]:
            await gate.wait()
        else:
            rounds.append(journal.counts(1)[S.SENDING])
            gate.set()
            gate = asyncio.Event()

    caxton = FakeCaxton(answer)
    await run_batch(caxton, CREATE_WALLET, wallets(48), journal=journal, concurrency=20)
    refused = FakeCaxton(raising(e.ApiError("no")))
    await run_batch(refused, CREATE_WALLET, wallets(9, 100), journal=journal, concurrency=20)

    assert rounds == expected
    assert refused.most_in_flight <= 4


async def test_no_more_than_the_given_number_are_in_flight(journal: Journal) -> None:
    """Concurrency is a limit, and is used."""
    caxton = FakeCaxton(raising(None))

    await run_batch(caxton, CREATE_WALLET, wallets(100), journal=journal, concurrency=7)
    with pytest.raises(e.ConfigurationError, match="at least 1"):
        await run_batch(caxton, CREATE_WALLET, wallets(1, 200), journal=journal, concurrency=0)

    assert caxton.most_in_flight == 7


@pytest.mark.parametrize(
    ("error", "state", "pauses"),
    [
        (e.ApiError("no funds", http_status=400), "rejected", False),
        (e.InvalidRequest("cannot be sent"), "rejected", False),
        (e.NotAuthorised("no token", http_status=401), "not_sent", True),
        (e.NotAuthorised("no right", http_status=403), "not_sent", True),
        (e.NotAuthorised("user refused", http_status=200), "rejected", True),
        (e.LoginRefused("no token"), "not_sent", True),
        (e.CertificateRejected("not trusted"), "not_sent", True),
        (e.NotSent("refused"), "not_sent", False),
        (e.DeadlineExceeded("late in flight", sent=Sent.UNKNOWN), "unknown", False),
        (e.OutcomeUnknown("reset"), "unknown", False),
        (e.ServerFailed("broken", http_status=500), "unknown", False),
    ],
    ids=lambda value: f"{type(value).__name__} {value}" if isinstance(value, Exception) else str(value),
)
async def test_an_error_decides_what_becomes_of_its_row(
    journal: Journal, error: Exception, state: str, pauses: bool
) -> None:
    """Each kind of error leads to one state, and what no row would survive pauses the run."""
    summary = await run_batch(FakeCaxton(raising(error)), CREATE_WALLET, wallets(1), journal=journal)

    row = journal.row(1, "ref-1")
    assert counted(summary) == {state: 1}
    assert (summary.paused, summary.error) == ((str(error), error) if pauses else (None, None))
    assert (row.status.sent, row.status.error) == (error.sent, str(error))
    assert [(each.state.value, each.rows) for each in summary.reasons] == [(state, 1)]


@pytest.mark.parametrize(
    "error", [e.NotSent("refused"), e.RateLimited("429", http_status=429, retry_after_s=0.01)], ids=["refused", "429"]
)
async def test_a_row_that_was_surely_not_carried_out_is_tried_again_in_the_same_run(
    journal: Journal, error: Exception
) -> None:
    """One failure that moved nothing does not wait for the next run."""
    outcomes: list[RowOutcome[object]] = []
    caxton = FakeCaxton(raising(error, times=2))

    summary = await run_batch(caxton, CREATE_WALLET, wallets(1), journal=journal, on_progress=outcomes.append)

    assert counted(summary) == {"accepted": 1}
    assert caxton.sent == {"w1": 3}
    assert [outcome.state for outcome in outcomes] == [S.ACCEPTED]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        pytest.param(e.OutcomeUnknown("cut off"), "unknown", id="unknown"),
        pytest.param(e.NotSent("connection refused"), "not_sent", id="unreached"),
    ],
)
@pytest.mark.parametrize("accepted", [0, 40], ids=["from the start", "in the middle"])
async def test_an_outage_pauses_the_run(journal: Journal, error: Exception, state: str, accepted: int) -> None:
    """It costs what was in flight and five more, at the start at most ten; a resumed run finishes the rest."""
    good, bad = raising(None), raising(error)

    async def answer(name: str) -> object:
        return await (bad if caxton.sent.total() > accepted else good)(name)

    caxton = FakeCaxton(answer)
    summary = await run_batch(caxton, CREATE_WALLET, wallets(500), journal=journal, concurrency=16)
    again = FakeCaxton(raising(None))
    after = await resume_batch(again, summary.batch, journal=journal)

    assert summary.paused is not None
    assert str(error) in summary.paused
    assert summary.counts[S(state)] <= (16 + 5 if accepted else 10)
    assert summary.total == 500
    assert after.counts[S.ACCEPTED] == 500 - (summary.unknown if state == "unknown" else 0)
    assert after.paused is None
    assert set(again.sent.values()) == {1}


async def test_refusals_alike_pause_the_run(journal: Journal) -> None:
    """An empty balance burns ten rows and what was in flight, not the batch."""
    caxton = FakeCaxton(raising(e.ApiError("refused", api_status="InsufficientFunds")))

    summary = await run_batch(caxton, CREATE_WALLET, wallets(300), journal=journal)

    assert 10 <= summary.counts[S.REJECTED] <= 14
    assert summary.paused == "10 rows in a row were refused alike: refused"
    assert [(each.reason, each.rows) for each in summary.reasons] == [("InsufficientFunds", summary.counts[S.REJECTED])]


async def test_a_rate_limit_slows_every_worker(journal: Journal) -> None:
    """While the API asked for quiet nobody calls, and the rows that it turned away are sent after that."""
    loop, called = asyncio.get_running_loop(), []

    async def answer(name: str) -> None:
        called.append(loop.time())
        await asyncio.sleep(0)
        if len(called) <= 4:
            raise e.RateLimited("slow down", http_status=429, retry_after_s=0.2)

    summary = await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(30), journal=journal, concurrency=4)

    assert counted(summary) == {"accepted": 30}
    assert max(called[:4]) + 0.19 <= min(called[4:])


@pytest.mark.parametrize("wait", [None, 10_000.0], ids=["endless", "far-off"])
async def test_a_rate_limit_without_end_pauses_the_run(
    journal: Journal, wait: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run does not wait for ever, nor for hours."""
    monkeypatch.setattr(cooldown, "_MAX_BACKOFF_S", 0.001)
    error = e.RateLimited("slow down", http_status=429, retry_after_s=wait)

    summary = await run_batch(FakeCaxton(raising(error)), CREATE_WALLET, wallets(90), journal=journal, concurrency=2)

    assert summary.paused is not None
    assert "asks for a pause" in summary.paused
    assert summary.left == 90


# --- stopping ---


async def test_stop_ends_new_sends_and_waits_for_those_in_flight(journal: Journal) -> None:
    """After a stop what is in flight is learnt, and all else stays planned."""
    stop, go = anyio.Event(), asyncio.Event()

    async def answer(name: str) -> None:
        if caxton.in_flight == 4:
            stop.set()
            asyncio.get_running_loop().call_soon(go.set)
        await go.wait()

    caxton = FakeCaxton(answer)
    summary = await run_batch(caxton, CREATE_WALLET, wallets(50), journal=journal, concurrency=5, stop=stop)

    assert counted(summary) == {"accepted": 4, "planned": 46}
    assert (summary.paused, journal.batch(1).paused_reason) == (runner.STOPPED, None)


async def test_what_another_process_pauses_halts_the_run(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run looks now and then whether its batch was paused, and leaves the rest where it is."""
    monkeypatch.setattr(runner, "_WATCH_S", 0.0)
    seen, loop, read = asyncio.Event(), asyncio.get_running_loop(), journal.batch

    def looked(number: int) -> object:
        info = read(number)
        if info.paused_reason:
            loop.call_soon_threadsafe(seen.set)
        return info

    async def answer(name: str) -> None:
        if caxton.sent.total() == 4:
            journal.pause(1, "ada: wrong file")
        await seen.wait()

    monkeypatch.setattr(journal, "batch", looked)
    caxton = FakeCaxton(answer)
    summary = await run_batch(caxton, CREATE_WALLET, wallets(50), journal=journal, concurrency=4)

    assert summary.paused == journal.batch(1).paused_reason == "ada: wrong file"
    assert 4 <= caxton.sent.total() <= 8
    assert summary.left == 50 - caxton.sent.total()


async def test_stop_wakes_a_run_that_keeps_quiet(journal: Journal) -> None:
    """A long wait that the API asked for does not delay a stop."""
    stop = anyio.Event()

    async def answer(name: str) -> None:
        asyncio.get_running_loop().call_soon(stop.set)
        raise e.RateLimited("later", http_status=429, retry_after_s=299)

    summary = await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(3), journal=journal, stop=stop)

    assert summary.left == 3


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_cancellation_at_any_moment_loses_no_row(journal: Journal, turns: int) -> None:
    """Whenever a run is cancelled, what was sent is accepted or unknown, and the rest is sent by the next."""
    begun, accepting = asyncio.Event(), raising(None)

    async def answer(name: str) -> object:
        begun.set()
        return await accepting(name)

    first, again = FakeCaxton(answer), FakeCaxton(raising(None))
    batch = await planned(journal, wallets(40))
    task = asyncio.create_task(resume_batch(first, batch, journal=journal, concurrency=4))
    await begun.wait()
    for _ in range(turns):
        await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    summary = await resume_batch(again, batch, journal=journal)

    assert set((first.sent + again.sent).values()) == {1}, "what was not sent at first is not unknown"
    for row in journal.rows(batch):
        assert row.state is S.ACCEPTED or (row.state is S.UNKNOWN and first.sent[row.reference.replace("ref-", "w")])
    assert summary.left == 0


async def test_a_journal_that_fails_stops_the_run(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a write has failed nothing is sent any more, and the failure is raised."""
    joined = journal.join

    def failing(record: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def fail(*arguments: object) -> object:
            if caxton.sent.total() >= 5:
                raise JournalFailed("the disk is full: nothing more is sent")
            return await record(*arguments)

        return fail

    async def join(**options: object) -> object:
        worker = await joined(**options)
        for name in ("record", "record_and_take"):
            monkeypatch.setattr(worker, name, failing(getattr(worker, name)))
        return worker

    monkeypatch.setattr(journal, "join", join)
    caxton = FakeCaxton(raising(None))
    with pytest.raises(JournalFailed, match="nothing more is sent"):
        await run_batch(caxton, CREATE_WALLET, wallets(300), journal=journal, concurrency=3)

    assert caxton.sent.total() <= 5 + 3


async def test_progress_that_fails_does_not_stop_the_run(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """The error of the caller's function is logged once; every payment is made and known."""
    calls = 0

    def progress(_: RowOutcome[object]) -> None:
        nonlocal calls
        calls += 1
        raise BrokenPipeError

    summary = await run_batch(
        FakeCaxton(raising(None)), CREATE_WALLET, wallets(9), journal=journal, on_progress=progress
    )

    assert counted(summary) == {"accepted": 9}
    assert calls == 1
    assert [record.message for record in caplog.records if "on_progress" in record.message] == [
        "on_progress failed, and is not called again; the batch goes on"
    ]


async def test_an_error_that_is_not_ours_leaves_its_row_unknown(journal: Journal) -> None:
    """A defect in the middle of a call says nothing about the request."""
    with pytest.raises(RuntimeError, match="defect"):
        await run_batch(FakeCaxton(raising(RuntimeError("defect"))), CREATE_WALLET, wallets(1), journal=journal)

    row = journal.row(1, "ref-1")
    assert (row.state, row.status.error) == (S.UNKNOWN, "interrupted by RuntimeError while it was being sent")


# --- going on ---


async def test_a_resumed_run_sends_what_is_left_and_nothing_else(journal: Journal) -> None:
    """Accepted, rejected and unknown rows are never sent again."""
    answers = iter([None, e.ApiError("no"), e.OutcomeUnknown("reset"), e.LoginRefused("no")])

    async def answer(name: str) -> None:
        if (error := next(answers)) is not None:
            raise error

    first = await run_batch(FakeCaxton(answer), CREATE_WALLET, wallets(1_200), journal=journal, concurrency=1)
    caxton = FakeCaxton(raising(None))
    summary = await resume_batch(caxton, first.batch, journal=journal)
    again = FakeCaxton(raising(None))
    assert counted(await resume_batch(again, first.batch, journal=journal)) == counted(summary)

    assert counted(summary) == {"accepted": 1_198, "rejected": 1, "unknown": 1}
    assert caxton.sent.keys() == {f"w{n}" for n in range(4, 1_201)}
    assert again.sent.total() == 0


async def test_two_runs_share_a_batch(journal: Journal, tmp_path: Path) -> None:
    """Each row is sent by one of them."""
    batch = await planned(journal, wallets(200))
    first, second = FakeCaxton(raising(None)), FakeCaxton(raising(None))

    async with journal_in(tmp_path) as other:
        await asyncio.gather(resume_batch(first, batch, journal=journal), resume_batch(second, batch, journal=other))

    assert set((first.sent + second.sent).values()) == {1}
    assert journal.counts(batch)[S.ACCEPTED] == 200


@pytest.mark.parametrize("difference", ["account", "origin", "username"])
async def test_a_batch_goes_on_for_those_for_whom_it_was_begun(journal: Journal, difference: str) -> None:
    """Another account, company or origin is refused before anything is sent."""
    batch = await planned(journal, wallets(3))
    caxton = FakeCaxton(raising(None), account="ID-2" if difference == "account" else None)
    if difference == "origin":
        caxton.settings.origin = "https://elsewhere:443"
    if difference == "username":
        caxton.credentials.username = "eve"

    with pytest.raises(JournalRefused, match="nothing was sent"):
        await resume_batch(caxton, batch, journal=journal)

    assert caxton.sent.total() == 0


async def test_a_batch_of_an_endpoint_of_ones_own_goes_on_with_it(journal: Journal) -> None:
    """The name alone does not say what is called; another endpoint is refused."""
    batch = await planned(journal, wallets(1))

    with pytest.raises(e.ConfigurationError, match="calls create_wallet, not move_funds"):
        await resume_batch(FakeCaxton(raising(None)), batch, journal=journal, endpoint=MOVE_FUNDS)


@pytest.mark.parametrize("reference", ["", " ", "a\nb", "a\u202eb", "\ud800", 7], ids=ascii)
async def test_a_wrong_reference_is_refused_before_anything_is_sent(journal: Journal, reference: object) -> None:
    """References are text that can be printed, and a refused batch leaves no trace."""
    caxton = FakeCaxton(raising(None))

    with pytest.raises(e.InvalidRequest, match="reference of row 2"):
        await run_batch(caxton, CREATE_WALLET, [*wallets(1), (reference, CreateWallet("x"))], journal=journal)

    assert (caxton.sent.total(), list(journal.batches())) == (0, [])


async def test_wrong_rows_leave_no_batch(journal: Journal) -> None:
    """An input that fails while it is read is put right and run anew."""

    def rows() -> Iterator[tuple[str, CreateWallet]]:
        yield from wallets(3)
        raise e.InvalidRequest("line 4: no")

    with pytest.raises(e.InvalidRequest, match="line 4"):
        await run_batch(FakeCaxton(raising(None)), CREATE_WALLET, rows(), journal=journal)

    assert list(journal.batches()) == []


async def test_duplicates_stop_a_run_unless_they_are_allowed(journal: Journal) -> None:
    """The same payments in another order, under other references, are not made again unasked."""
    caxton = FakeCaxton(raising(None))
    moves = [(f"a{n}", MoveFunds("GBP", "POT-GBP", n)) for n in range(1, 6)]
    await run_batch(caxton, MOVE_FUNDS, moves, journal=journal)
    again = [(f"b{n}", move) for n, (_, move) in enumerate(reversed(moves))]

    with pytest.raises(e.DuplicatesSuspected, match="5 of 5 rows") as suspected:
        await run_batch(caxton, MOVE_FUNDS, again, journal=journal)
    assert caxton.sent["move_funds"] == 5
    await run_batch(caxton, MOVE_FUNDS, again, journal=journal, allow_duplicates=True)

    assert (suspected.value.count, caxton.sent["move_funds"]) == (5, 10)
