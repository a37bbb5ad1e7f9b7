"""When a run pauses by itself."""

import pytest

from caxton_async import errors as e
from caxton_async.batch.brake import Brake
from caxton_async.journal import RowState

A, R, N, U = RowState.ACCEPTED, RowState.REJECTED, RowState.NOT_SENT, RowState.UNKNOWN
NO_FUNDS = e.ApiError("no", api_status="InsufficientFunds", api_status_code=205)
NO_POT = e.ApiError("no", api_status="NotFound")
LOST, UNREACHED = e.OutcomeUnknown("lost"), e.NotSent("refused")


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        pytest.param([(U, LOST)] * 4, None, id="four unknown"),
        pytest.param([(U, LOST)] * 5, "5 calls", id="five unknown"),
        pytest.param([(N, UNREACHED)] * 5, "5 calls", id="five unreached"),
        pytest.param([(U, LOST)] * 2 + [(N, UNREACHED)] * 3, "5 calls", id="both kinds"),
        pytest.param([(U, LOST)] * 4 + [(A, None)] + [(U, LOST)] * 4, None, id="an accepted row starts anew"),
        pytest.param([(U, LOST)] * 4 + [(R, NO_FUNDS)] + [(U, LOST)], "5 calls", id="a refusal does not"),
        pytest.param([(N, e.RateLimited("slow"))] * 50, None, id="a rate limit is an answer"),
        pytest.param([(R, NO_FUNDS)] * 9, None, id="nine refusals"),
        pytest.param([(R, NO_FUNDS)] * 10, "10 rows in a row were refused alike", id="ten refusals"),
        pytest.param([(R, NO_FUNDS)] * 9 + [(R, NO_POT)] + [(R, NO_FUNDS)] * 9, None, id="unlike refusals"),
        pytest.param([(R, NO_FUNDS)] * 9 + [(A, None)] + [(R, NO_FUNDS)] * 9, None, id="refusals with one accepted"),
        pytest.param([(R, NO_FUNDS)] * 9 + [(U, LOST), (R, NO_FUNDS)], "10 rows", id="refusals with one unknown"),
        pytest.param([(R, e.InvalidRequest("not sent"))] * 50, None, id="rows that the client refused"),
    ],
)
def test_a_run_pauses_when_nothing_gets_through(outcomes: list[tuple[RowState, Exception]], reason: str) -> None:
    """Five outcomes that say nothing, or ten refusals alike, with no accepted row between them, are enough."""
    brake = Brake()

    found = [brake.observe(state, error) for state, error in outcomes]

    assert set(found[:-1]) <= {None}
    assert found[-1] is None if reason is None else found[-1].startswith(reason)
