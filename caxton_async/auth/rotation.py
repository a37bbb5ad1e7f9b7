"""Rotating the password: reset, generate and log in, as one task however many ask for it."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Final

from attrs import define, field

from caxton_async.auth.hold import FailedLogin
from caxton_async.auth.holder import TokenHolder
from caxton_async.auth.login import Login
from caxton_async.auth.token import Token
from caxton_async.errors import CaxtonError, ConfigurationError, LoginRefused, OutcomeUnknown
from caxton_async.events import CallProgress
from caxton_async.models import GeneratedPassword
from caxton_async.protocol.request import Caller

Keep = Callable[[GeneratedPassword], Awaitable[object]]

# What was lost with the answer to the first round, a second one makes good: a reset may be repeated.
_ROUNDS: Final = 2
_STUCK: Final = (
    "the password was reset, the answer with the new one was lost, and the old token works no more: ask the vendor to "
    "reset the credentials of this client, then generate a password"
)
_CUT_OFF: Final = (
    "the client was closed while its password was reset, and maybe neither the old one nor a new one works: call "
    "auth.generate_password(), or ask the vendor to reset the credentials of this client"
)
_VOID: Final = "the password was reset and there is no new one: call auth.generate_password()"


class HeldToken:
    """The token that a rotation works with: taken from the holder, and given to no other call."""

    def __init__(self, holder: TokenHolder) -> None:
        self._holder = holder
        self.token: Token | None = None
        self.can_log_in = True  # with the old password

    def ready(self) -> Token | None:
        """Return the token."""
        return self.token

    async def get(self, call: CallProgress) -> Token:
        """Return a token, logging in while the old password works.

        **Raises** AuthenticationFailed or ConfigurationError when there is none.
        """
        if not self.can_log_in:
            raise LoginRefused(_STUCK, endpoint=call.endpoint, correlation_id=call.correlation_id)
        self.token = await self._holder.current()
        return self.token

    def reject(self, token: Token, caller: Caller) -> bool:  # noqa: ARG002  # a rotation has one token, and no view
        """Use a rejected token no more."""
        self.token = None
        return False


@define(eq=False)
class _RotationRun:
    """One rotation, and what those who asked for it want done with the password before it is used."""

    keeps: dict["asyncio.Future[None]", Keep] = field(factory=dict)
    generated: GeneratedPassword | None = None
    error: CaxtonError | None = None
    is_kept: bool = False
    ended: asyncio.Event = field(factory=asyncio.Event)


class Rotation:
    """Rotates the password of a client; all who ask while a rotation is under way get what it gives.

    `reset` makes the call with the token that it is given, `generate` the one that needs none.
    """

    def __init__(
        self,
        holder: TokenHolder,
        login: Login,
        reset: Callable[[HeldToken], Awaitable[object]],
        generate: Callable[[], Awaitable[GeneratedPassword]],
    ) -> None:
        self._holder = holder
        self._login = login
        self._reset = reset
        self._generate = generate
        self._run: _RotationRun | None = None

    async def __call__(self, keep: Keep | None) -> GeneratedPassword:
        """Return the new password, once it is in use.

        **Raises** why there is no new password; what `keep` raises, after the rotation is complete.
        """
        run = self._run
        if run is None:
            run = _RotationRun()
            task = self._holder.replace(lambda: self._work(run))
            # Not a `finally` in the work, which does not begin when the client is closed before its turn has come.
            task.add_done_callback(lambda _: self._end(run))
            self._run = run
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if keep is not None and not run.is_kept:
            run.keeps[kept] = keep
        elif keep is not None and run.generated is not None:
            await _keep(keep, kept, run.generated)
        await run.ended.wait()
        if run.error is not None:
            raise copy.copy(run.error)
        if run.generated is None:
            raise ConfigurationError("the client was closed before the password was rotated")
        if kept.done():
            kept.result()
        return run.generated

    async def _work(self, run: _RotationRun) -> Token | FailedLogin:
        held = HeldToken(self._holder)
        try:
            run.generated = await self._new_password(held)
            self._login.change_password(run.generated.client_password)
            while run.keeps:
                kept, keep = run.keeps.popitem()
                await _keep(keep, kept, run.generated)
            run.is_kept = True
            return await self._login(None)
        except CaxtonError as error:
            run.error = error.with_traceback(None)
        except asyncio.CancelledError:
            if run.generated is None and held.token is not None:
                run.error = OutcomeUnknown(_CUT_OFF)
            raise
        if held.can_log_in and held.token is not None:
            return held.token
        return FailedLogin(ConfigurationError, _VOID if not held.can_log_in else str(run.error))

    def _end(self, run: _RotationRun) -> None:
        self._run = None
        run.ended.set()

    async def _new_password(self, held: HeldToken) -> GeneratedPassword:
        problem: CaxtonError | None = None
        for attempt in range(_ROUNDS):
            try:
                await self._reset(held)
                held.can_log_in = False
            except OutcomeUnknown as error:
                problem = error.with_traceback(None)  # whether it was reset, the next call tells
            except CaxtonError:
                if attempt == 0:
                    raise  # nothing has changed
                break
            try:
                return await self._generate()
            except CaxtonError as error:
                problem = error.with_traceback(None)
                if isinstance(error, OutcomeUnknown):
                    held.can_log_in = False
                elif not held.can_log_in:
                    break
        if not held.can_log_in:
            self._login.change_password(None)
        if problem is None or isinstance(problem, OutcomeUnknown):
            raise OutcomeUnknown(_STUCK, endpoint="generate_password")
        raise problem


async def _keep(keep: Keep, kept: "asyncio.Future[None]", generated: GeneratedPassword) -> None:
    """Await `keep`, and note in `kept` how it ended, for the caller whose it is."""
    try:
        await keep(generated)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        kept.cancel()
    except Exception as error:  # noqa: BLE001  # it is the caller's, who gets it
        kept.set_exception(error)
        kept.exception()  # seen: the caller may be gone
    else:
        kept.set_result(None)
