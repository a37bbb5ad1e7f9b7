"""One login: which password it is made with, and what its answer means."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from caxton_async.auth.hold import FailedLogin, Hold, digest_of
from caxton_async.auth.token import Token
from caxton_async.config import Credentials, find_stray
from caxton_async.errors import (
    ApiError,
    AuthenticationFailed,
    CaxtonError,
    ConfigurationError,
    LoginRefused,
    Sent,
    UnreadableReply,
)
from caxton_async.models import AccessToken, GetAccessToken
from caxton_async.protocol.request import fits_header
from caxton_async.secret import Secret, to_secret

# With these the endpoint says that the credentials are wrong; with all else, that it could not do its work.
# Source: RFC 6749, 5.2.
_REFUSALS: Final = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})
# The only words of the endpoint that are quoted: any other may be an echo of what was sent.  Source: RFC 6749, 4 and 5.
_CODES: Final = _REFUSALS | {
    *("invalid_request", "unsupported_grant_type", "invalid_scope", "access_denied"),
    *("server_error", "temporarily_unavailable"),
}
_NO_PASSWORD: Final = FailedLogin(
    ConfigurationError,
    "no password to log in with: set CAXTON_PASSWORD, give Credentials a password, or generate one",
)
_STILL_REFUSED: Final = FailedLogin(
    LoginRefused, "the API has refused this password: it is not tried again for now unless it changes"
)


class Login:
    """Logs in with the password of `credentials`, or with one that was generated since.

    `carry_out` makes the call.
    """

    def __init__(self, credentials: Credentials, carry_out: Callable[[GetAccessToken], Awaitable[AccessToken]]) -> None:
        self._credentials = credentials
        self._carry_out = carry_out
        self._has_changed = False
        self._given: Secret | None = None  # what the credentials gave last
        self._void: Secret | None = None  # the same when the password changed
        self._generated: Secret | None = None

    async def __call__(self, hold: Hold | None) -> Token | FailedLogin:
        """Return a new token, or how the login ended; a password that `hold` says was refused is not sent again."""
        try:
            password = await self._password()
        except ConfigurationError as error:
            return FailedLogin(ConfigurationError, str(error))
        if not password:
            return _NO_PASSWORD
        username = self._credentials.username
        digest = digest_of(password, username)
        if hold is not None and hold.refused == digest and time.time() < hold.until:
            return _STILL_REFUSED
        issued_at = time.time()
        try:
            answer = await self._carry_out(GetAccessToken(username, password))
        except CaxtonError as error:
            return _failed(error, digest)
        token = Secret(answer.access_token.reveal().strip())
        if not fits_header(token):
            message = "the API gave an access token that no header can carry"
            return FailedLogin(AuthenticationFailed, message, was_reached=True)
        return Token(token, answer.token_type.strip(), answer.expires_in, issued_at)

    def change_password(self, generated: Secret | None) -> None:
        """Use `generated` from now on in place of the password in use; None means that there is none any more.

        A provider is asked again at the next login; while it gives the old password, the generated one is used.
        """
        self._has_changed, self._generated, self._void = True, generated, self._given

    async def _password(self) -> Secret | None:
        password = self._credentials.password
        given = to_secret(await password() or "") if callable(password) else password
        if given and (problem := find_stray(given)):
            raise ConfigurationError(f"the password {problem}: give it as the API generated it")
        self._given = given
        if not self._has_changed or given == self._generated:
            return given
        if self._void is None:
            self._void = given  # a provider that was not asked before has nothing newer yet
        return self._generated if given == self._void else given


def _failed(error: CaxtonError, digest: str) -> FailedLogin:
    """Return what an error of the call says about the login."""
    if isinstance(error, ConfigurationError):
        return FailedLogin(ConfigurationError, str(error))
    if not isinstance(error, ApiError):
        message = f"the login could not be done: {error}"
        wait = error.retry_after_s if isinstance(error, UnreadableReply) else None  # as a gateway's page of HTML asks
        return FailedLogin(AuthenticationFailed, message, was_reached=error.sent is not Sent.NO, retry_after_s=wait)
    code = (error.api_status or "").strip().casefold()
    said = f"{code}, HTTP {error.http_status}" if code in _CODES else f"HTTP {error.http_status}"
    if code in _REFUSALS:
        message = f"the API refused the login ({said}): check the user name, or generate a new password"
        return FailedLogin(LoginRefused, message, was_reached=True, refused=digest)
    message = f"the login could not be done: the API answered {said}"
    return FailedLogin(AuthenticationFailed, message, was_reached=True, retry_after_s=error.retry_after_s)
