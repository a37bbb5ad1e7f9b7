"""The emulator as its users see it: what it is told before it starts, and what it shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

import attrs

from caxton_async.config import Credentials, Settings
from caxton_async.emulator.accounts import Accounts, CredentialRules
from caxton_async.emulator.app import App
from caxton_async.emulator.conditions import Conditions
from caxton_async.emulator.fault import Fault
from caxton_async.emulator.faults import Faults
from caxton_async.emulator.ledger import Ledger
from caxton_async.emulator.request import Request
from caxton_async.emulator.routes import ASSUMED_PATHS, PREFIX
from caxton_async.emulator.server import HOST, Server


@attrs.define(eq=False, kw_only=True)
class Emulator:
    """An emulated Caxton API: `async with Emulator() as emulator:`.

    `seed` decides every id and secret.  `port` 0 takes a free one; `host` is the address to listen at, another than
    this machine's own only in a container.  `faults` are in use from the start.  `clock` gives seconds since the epoch.
    `history` bounds the requests and moves that are kept (None: all).

    What the guide leaves open can be had in each reading:

    - `paths` puts calls elsewhere (`{"get_access_token": "/token"}`; a leading `/` is the origin's root);
    - `revokes_old` makes a new password or token end the old ones;
    - `tokens_survive_reset` lets tokens outlive a reset of the credentials;
    - `generate_needs_reset` refuses a second password until the credentials were reset;
    - `token_life_s` is what a token call promises, `user_token_life_s` how long a `userapitoken` is good for.

    `ledger` is the state of the bank, `faults` what goes wrong with single requests, `conditions` what holds for whole
    accounts, `credentials` those of the main account.

    **Raises** ValueError when `paths` names no call; OSError on entry when the port is in use.
    """

    seed: int = 0
    port: int = 0
    host: str = HOST
    _initial: Iterable[Fault] = attrs.field(default=(), alias="faults")
    paths: Mapping[str, str] = attrs.field(factory=dict)
    revokes_old: bool = False
    tokens_survive_reset: bool = False
    generate_needs_reset: bool = True
    token_life_s: int = 2_591_999  # the guide's example
    user_token_life_s: int = 30 * 24 * 3600  # from its start to its end in the guide's examples
    clock: Callable[[], float] = time.time
    history: int | None = None
    faults: Faults = attrs.field(init=False, factory=Faults)
    conditions: Conditions = attrs.field(init=False, factory=Conditions)
    ledger: Ledger = attrs.field(init=False)
    credentials: Credentials = attrs.field(init=False)
    _server: Server = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        rules = CredentialRules(
            self.token_life_s,
            self.revokes_old,
            self.tokens_survive_reset,
            self.generate_needs_reset,
            self.user_token_life_s,
        )
        accounts = Accounts(self.seed, self.clock, rules)
        main = accounts.main
        self.ledger = Ledger(accounts, self.history)
        self.credentials = Credentials(username=main.username, client_name=main.name, password=accounts.main_password)
        for fault in self._initial:
            self.faults.add(fault)
        self._server = Server(
            App(self.ledger, self.conditions, self.paths), self.faults, (self.host, self.port), self.history
        )

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.close()

    @property
    def base_url(self) -> str:
        """Where the API is, once the emulator runs."""
        return f"http://{HOST}:{self._server.port}{PREFIX}"

    @property
    def settings(self) -> Settings:
        """Settings that reach the emulator, and that confirm every path that the documentation leaves open."""
        return Settings(base_url=self.base_url, paths={**ASSUMED_PATHS, **self.paths})

    @property
    def environ(self) -> dict[str, str]:
        """The `CAXTON_...` variables that reach the emulator as its main account, the password among them."""
        return {
            "CAXTON_BASE_URL": self.base_url,
            "CAXTON_USERNAME": self.credentials.username,
            "CAXTON_CLIENT_NAME": self.credentials.client_name,
            "CAXTON_PASSWORD": self.ledger.accounts.main_password,
            **{f"CAXTON_PATH_{name.upper()}": path for name, path in {**ASSUMED_PATHS, **self.paths}.items()},
        }

    @property
    def requests(self) -> list[Request]:
        """What was read so far, in the order of arrival."""
        return list(self._server.requests)

    @property
    def logins(self) -> int:
        """How many requests for a token were read."""
        return self.count("get_access_token")

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.connections)

    def count(self, endpoint: str | None) -> int:
        """Count the requests read for a call by its public name; None counts those to unknown paths."""
        return self._server.counts[endpoint]

    async def seen(self, endpoint: str | None, times: int = 1) -> None:
        """Wait until so many requests for a call were read."""
        await self._server.seen(endpoint, times)

    async def disconnected(self) -> None:
        """Wait until no connection is open."""
        await self._server.disconnected()
