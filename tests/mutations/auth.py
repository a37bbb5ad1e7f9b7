"""What keeps one bad login, view or store from harming the others."""

import contextlib
import contextvars
import itertools
import math
import types
from collections.abc import Callable
from typing import Any

from attrs import evolve

from tests.mutations import Around, Mutation, returning

RULES, UNIT = "test_token_rules.py", "auth/test_holder.py"
_numbers = itertools.count()


async def _nothing(*_args: object) -> None:
    """Do nothing, where something was to be waited for."""


async def _straight(_self: object, _step: str, work: Callable[[], Any], _default: object) -> object:
    return await work()


def _patiently(wait: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, _deadline: wait(self, math.inf)


def _never_busy(start: Callable[..., Any]) -> Callable[..., Any]:
    def start_another(self: Any) -> None:
        # The locks go too: one task at a time and the lock around each are two keepers of one promise.
        self._fetcher._lock, self._fetcher._store.lock = contextlib.nullcontext(), contextlib.nullcontext
        tasks, self._tasks = self._tasks, set()
        start(self)
        self._tasks |= tasks

    return start_another


def _without_clock(**marks: float) -> Around:
    """Replace `from_stored` by one of whose marks some are never reached."""

    def make(original: Any) -> Any:
        def from_stored(cls: Any, token: Any, clocks: Any) -> Any:
            window = original.__func__(cls, token, clocks)
            return window and evolve(window, **marks)

        return classmethod(from_stored)

    return Around(make)


def _whichever(holder: Any, token: Any) -> None:
    """Invalidate the token in use, whatever token was rejected."""
    holder._token, holder._rejected = None, token.access_token


MUTATIONS = (
    Mutation(
        "one login at a time",
        "caxton_async.auth.holder:TokenHolder._start",
        Around(_never_busy),
        ("test_rules.py::test_callers_without_a_token_share_one_login",),
    ),
    Mutation(
        "a login carries no caller's context",
        "caxton_async.auth.holder:contextvars",
        types.SimpleNamespace(Context=contextvars.copy_context),
        (f"{UNIT}::test_a_login_runs_in_a_context_of_its_own",),
    ),
    Mutation(
        "a call waits for a token no longer than its deadline",
        "caxton_async.auth.waiters:Waiters.join",
        Around(_patiently),
        ("test_rules.py::test_a_login_outlives_callers_with_short_deadlines",),
    ),
    Mutation(
        "a rejected token is used no more",
        "caxton_async.auth.holder:TokenHolder.reject",
        returning(False),
        (f"{RULES}::test_a_401_in_any_form_drops_the_token",),
    ),
    Mutation(
        "a view that is to blame costs one login",
        "caxton_async.auth.suspects:Suspects.is_to_blame",
        returning(False),
        (f"{RULES}::test_a_view_that_is_refused_costs_one_login",),
    ),
    Mutation(
        "a view that was served is no suspect",
        "caxton_async.auth.suspects:Suspects.clear",
        returning(None),
        (f"{RULES}::test_a_view_that_was_served_since_is_not_to_blame",),
    ),
    Mutation(
        "rejections make one login in five seconds",
        "caxton_async.auth.holder:_LOGIN_AFTER_REJECTION_S",
        0.0,
        (f"{RULES}::test_rejections_make_one_login_in_five_seconds",),
    ),
    Mutation(
        "a token counts as expired before its end", "caxton_async.auth.token:_EXPIRED_S", 0.0, ("auth/test_holder.py",)
    ),
    Mutation("holds grow", "caxton_async.auth.hold:_HOLDS_S", (1.0,), (UNIT,)),
    Mutation(
        "a login that was not reached is held for half a minute at most",
        "caxton_async.auth.hold:_LONGEST_UNREACHED_S",
        3600.0,
        (f"{UNIT}::test_a_refresh_is_tried_once_in_each_hold",),
    ),
    Mutation(
        "only three words refuse a password",
        "caxton_async.auth.login:_REFUSALS",
        frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "server_error"}),
        ("unit/test_session.py::test_only_three_words_refuse_a_password",),
    ),
    Mutation(
        "a refused password is not sent again",
        "caxton_async.auth.login:digest_of",
        lambda *_: str(next(_numbers)),
        ("test_rules.py::test_a_refused_password_is_not_sent_again",),
    ),
    Mutation(
        "a refused password is asked again now and then",
        "caxton_async.auth.hold:_REFUSED_S",
        (math.inf, math.inf),
        (f"{RULES}::test_a_refused_password_is_asked_again_after_five_minutes_and_then_each_hour",),
    ),
    Mutation(
        "holds are shared through the store",
        "caxton_async.auth.guard:StoreGuard.save_hold",
        _nothing,
        (f"{RULES}::test_sixteen_clients_keep_to_one_hold",),
    ),
    Mutation(
        "the store is locked during a login",
        "caxton_async.auth.guard:StoreGuard.lock",
        lambda _self: contextlib.nullcontext(),
        (f"{UNIT}::test_holders_of_one_store_make_one_login",),
    ),
    Mutation(
        "a store that fails stops no call",
        "caxton_async.auth.guard:StoreGuard._attempt",
        _straight,
        (f"{RULES}::test_a_store_that_fails_stops_no_call",),
    ),
    Mutation(
        "what is no token is not taken from a store",
        "caxton_async.auth.guard:_is_sound",
        returning(True),
        (f"{RULES}::test_a_store_that_fails_stops_no_call",),
    ),
    Mutation(
        "the password is kept before it is used",
        "caxton_async.auth.rotation:_keep",
        _nothing,
        (f"{RULES}::test_a_rotation_under_load_harms_nobody",),
    ),
    Mutation(
        "all who rotate share one rotation",
        "caxton_async.auth.rotation:Rotation.__call__",
        Around(lambda call: lambda self, keep: (setattr(self, "_run", None), call(self, keep))[1]),
        (f"{RULES}::test_a_rotation_under_load_harms_nobody",),
    ),
    Mutation(
        "a rotation that was cut off by closing is unknown",
        "caxton_async.auth.rotation:OutcomeUnknown",
        returning(None),
        (f"{RULES}::test_closing_at_once_tells_what_is_known_of_the_rotation",),
    ),
    Mutation(
        "a commit that is kept back is tried again",
        "caxton_async.auth.stores.sqlite:_commit",
        lambda database: bool(database.execute("COMMIT")),
        ("auth/test_sqlite.py::test_a_reader_of_the_file_keeps_back_a_commit_and_does_not_break_it",),
    ),
    Mutation(
        "an account's view changes no password of the main account",
        "caxton_async.resources:Auth._refuse_account",
        returning(None),
        (f"{RULES}::test_an_account_has_its_own_way_to_a_password",),
    ),
    Mutation(
        "a failed login is not tried again at once",
        "caxton_async.auth.fetch:next_hold",
        Around(lambda original: lambda failed, hold, now: evolve(original(failed, hold, now), until=now)),
        (f"{UNIT}::test_logins_are_held_back_longer_after_each_failure",),
    ),
    Mutation(
        "a token expires by the monotonic clock",
        "caxton_async.auth.token:RefreshWindow.from_stored",
        _without_clock(opens_at=math.inf, closes_at=math.inf),
        (UNIT,),
    ),
    Mutation(
        "a token expires by the wall clock",
        "caxton_async.auth.token:RefreshWindow.from_stored",
        _without_clock(opens_at_wall=math.inf, closes_at_wall=math.inf),
        (UNIT,),
    ),
    Mutation("a token is refreshed before it expires", "caxton_async.auth.token:_REFRESH_S", 0.0, (UNIT,)),
    Mutation(
        "only the token in use is invalidated",
        "caxton_async.auth.holder:TokenHolder.invalidate",
        _whichever,
        ("test_promises.py::test_a_late_401_drops_no_newer_token",),
    ),
    Mutation(
        "a stored token belongs to its origin",
        "caxton_async.config:Settings.origin",
        property(returning("https://one.for.all")),
        ("test_promises.py::test_a_token_is_bound_to_its_origin",),
    ),
    Mutation(
        "a token fits into a header",
        "caxton_async.auth.login:fits_header",
        returning(True),
        ("unit/test_session.py::test_a_token_that_no_header_can_carry_is_not_used",),
    ),
    Mutation(
        "a changed password voids the login under way",
        "caxton_async.auth.holder:TokenHolder.reset",
        lambda holder: holder.invalidate(holder._token) if holder._token else None,
        (UNIT,),
    ),
)
