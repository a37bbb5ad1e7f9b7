"""One client against one scripted server, and the judgement of what came of a call."""

import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any, Self

from attrs import evolve

from caxton_async import CaxtonClient, Credentials, Secret, Settings
from caxton_async.auth.token import Token
from caxton_async.events import Event
from tests.faults.kinds import KINDS, LOGIN, PASSWORD, PATHS, Kind
from tests.faults.server import At, Request, Script, Server, reply
from tests.support import canary


class GivenToken:
    """A store that holds a token from the start, so that a case has no login but the one it is about."""

    token = Token(Secret(canary.TOKEN), "bearer", 10**6, time.time())

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def load(self, key: str) -> Token:
        return self.token

    async def save(self, key: str, token: Token) -> None:
        self.token = token


class Bench:
    """A server that answers rightly until it is armed, and clients that are closed when the case is over."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.events: list[Event] = []
        self.server = Server(self._answer)
        self._clients = AsyncExitStack()
        self.is_reachable = False
        self._script: Script | None = None
        self._armed = kind
        self._times: int | None = None

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close_clients()
        await self.server.__aexit__()

    async def close_clients(self) -> None:
        """Close the clients: nothing of theirs is open after that."""
        await self._clients.aclose()

    def arm(self, *script: Any, at: At = At.WHOLE, times: int | None = None, kind: Kind | None = None) -> None:
        """Answer the requests of a kind (`times` of them, or all) with a script; the kind judged, unless named."""
        self._script, self._times, self._armed = script, times, kind or self.kind
        self.server.at = at

    def heal(self) -> None:
        """Answer rightly from now on."""
        self._script, self.server.at = None, At.WHOLE

    def forget(self) -> None:
        """Count from here."""
        self.server.requests.clear()
        self.events.clear()

    def _answer(self, request: Request) -> Script:
        is_meant = self.server.at is At.FIRST_BYTE or request.target == self._armed.path
        if self._script is not None and is_meant and self._times != 0:
            if self._times is not None:
                self._times -= 1
            return self._script
        return (reply(next(kind.ok for kind in KINDS if kind.path == request.target)),)

    async def open(self, **settings: Any) -> CaxtonClient:
        """Open a client of the server; `settings` replace those of the bench, `token_store` the one with a token."""
        self.is_reachable = "base_url" not in settings
        known = Settings(
            base_url=f"{self.server.origin}/api/", paths=PATHS, max_attempts=2, attempt_timeout_s=30,
            on_event=self.events.append,
        )  # fmt: skip
        credentials = Credentials("user", "client", canary.PASSWORD)
        store = settings.pop("token_store", GivenToken() if self.kind.authorised else None)
        caxton = CaxtonClient(credentials, evolve(known, **settings), token_store=store)
        self.caxton = await self._clients.enter_async_context(caxton)
        return self.caxton

    async def call(self, **settings: Any) -> object:
        """Make the call of this kind through a new client."""
        return await self.kind.call(await self.open(**settings))

    async def warm_up(self, **settings: Any) -> CaxtonClient:
        """Open a client and leave a connection in its pool; a call that follows takes it without a pause."""
        caxton = await self.open(**settings)
        await caxton.auth.generate_password()
        if self.kind.authorised:
            await caxton.auth.access_token()  # out of the store
        self.forget()
        return caxton

    @property
    def requests(self) -> int:
        """How many requests of this kind of call the server has seen; what it did not read counts too."""
        return sum(request.target in {"", self.kind.path} for request in self.server.requests)

    @property
    def logins(self) -> int:
        """How many logins the server has seen."""
        return sum(request.target == LOGIN.path for request in self.server.requests)

    @property
    def attempts(self) -> int:
        """How many attempts at the call the client has reported."""
        return self.heard("attempt")

    def heard(self, name: str) -> int:
        """Count the events of a name about the call."""
        return sum(event.kind == name and event.endpoint == self.kind.endpoint for event in self.events)

    async def next_answer_is_right(self) -> bool:
        """Tell whether the client works on, and gets no answer that belongs to another call."""
        self.heal()
        return PASSWORD.is_right(await self.caxton.auth.generate_password())
