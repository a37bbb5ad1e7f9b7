"""A request as the emulator read it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from caxton_async.emulator.kinds import FaultKind


@attrs.define(eq=False)
class Request:
    """A request; `endpoint` is the call's public name, None at an unknown path; `path` is as it was sent.

    `headers` are found in any case; `status` is None until, and unless, a whole answer was written.
    `at` is when it was read, in seconds since the epoch; `fault` is the kind of the fault that took it; `is_open` says
    that it is still being dealt with.
    """

    endpoint: str | None
    method: str
    path: str
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    at: float
    status: int | None = None
    fault: FaultKind | None = None
    is_open: bool = True

    @property
    def acting_for(self) -> tuple[str | None, str | None]:
        """The sub-account and the user for whom the call is made: `IdentityNumber` and `userapitoken`."""
        return self.headers.get("IdentityNumber"), self.headers.get("userapitoken")
