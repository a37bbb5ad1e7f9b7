"""To whom a batch or a payment belongs: the origin, the company, the account and the user for whom a client calls."""

from typing import TYPE_CHECKING

from caxton_async.errors import JournalRefused
from caxton_async.journal.states import Binding

if TYPE_CHECKING:
    from caxton_async.client import CaxtonClient
    from caxton_async.config import Credentials
    from caxton_async.protocol.request import Caller


def binding_of(caxton: "CaxtonClient") -> Binding:
    """Return for whom `caxton` makes calls."""
    return make_binding(caxton.settings.origin, caxton.credentials, caxton.caller)


def make_binding(origin: str, credentials: "Credentials", caller: "Caller") -> Binding:
    """Return for whom calls are made; a user whose id was not given is known by the token, until it is renewed."""
    return Binding(
        origin=origin,
        username=credentials.username,
        client_name=credentials.client_name,
        account=caller.identity_number,
        user=caller.user_name,
    )


def check_binding(batch: int, expected: Binding, found: Binding) -> None:
    """Check that a batch goes on for those for whom it was begun.

    Raises:
        JournalRefused: the origin, the company, the account or the user is another.
    """
    if expected != found:
        raise JournalRefused(
            f"batch {batch} belongs to {describe_binding(expected)}, not to {describe_binding(found)}: nothing was sent"
        )


def describe_binding(binding: Binding) -> str:
    """Say for whom calls are made, in words that hold no secret."""
    account = f"account {binding.account}" if binding.account else "the main account"
    user = f", user {binding.user}" if binding.user else ""
    return f"{binding.username} of {binding.client_name} ({account}{user}) at {binding.origin}"
