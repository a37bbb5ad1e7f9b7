"""To whom a batch belongs: the same company, account and user go on with it, others are refused."""

import pytest
from attrs import evolve

from caxton_async import CaxtonClient, Credentials, Settings
from caxton_async.errors import JournalRefused
from caxton_async.journal.binding import binding_of, check_binding, describe_binding
from caxton_async.journal.states import Binding

BINDING = Binding(origin="https://a:443", username="ann", client_name="acme")


CAXTON = CaxtonClient(Credentials("ann", "acme"), Settings(base_url="https://a/api/"))


@pytest.mark.parametrize(
    ("view", "bound_to"),
    [
        pytest.param(CAXTON, BINDING, id="main account"),
        pytest.param(CAXTON.for_account("ID-1"), evolve(BINDING, account="ID-1"), id="account"),
        pytest.param(CAXTON.for_user("old-token", user_id="u-1"), evolve(BINDING, user="u-1"), id="user"),
        pytest.param(CAXTON.for_user("new-token", user_id="u-1"), evolve(BINDING, user="u-1"), id="renewed token"),
        pytest.param(
            CAXTON.for_user("a-token"), evolve(BINDING, user="token 1f6076e3a47ba1de"), id="user without an id"
        ),
    ],
)
def test_a_client_is_bound_to_whom_it_calls_for(view: CaxtonClient, bound_to: Binding) -> None:
    """Origin, company, account and user are known before anything is sent; a user's id outlives the token."""
    assert binding_of(view) == bound_to


@pytest.mark.parametrize("field", ["origin", "username", "client_name", "account", "user"])
def test_another_binding_is_refused_by_name(field: str) -> None:
    """Whatever differs, nothing is sent, and the message shows both."""
    other = evolve(BINDING, **{field: "https://b:443" if field == "origin" else "other"})

    with pytest.raises(JournalRefused, match="nothing was sent") as refused:
        check_binding(7, BINDING, other)

    assert describe_binding(other) in str(refused.value)
    check_binding(7, BINDING, evolve(BINDING))
