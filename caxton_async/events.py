"""What `Settings.on_event` is told of each call."""

from attrs import frozen

from caxton_async.errors import Sent


@frozen
class Event:
    """What the client did, for `Settings.on_event`: never a header, a body or a token.

    `kind` is `login`, `login_failed`, `attempt`, `retry`, `outcome_unknown` or `answered`; `attempt` counts from 1;
    `elapsed_s` is measured from the start of the call.
    """

    kind: str
    endpoint: str
    correlation_id: str
    attempt: int
    sent: Sent
    elapsed_s: float
    http_status: int | None = None
    api_status_code: int | None = None
