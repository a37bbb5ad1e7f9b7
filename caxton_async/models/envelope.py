"""The envelope of an answer: the result, its status, and whom the API took the caller for."""

import datetime as dt
from functools import partial
from typing import Generic, TypeVar

from attrs import field, frozen

T = TypeVar("T")
Value = TypeVar("Value")


# Few callers ask for what stands around the result, so that it is read when they do: until then it is a partial.
def read_now(value: Value | partial[Value]) -> Value:
    """Return a value that may have been left for later."""
    if isinstance(value, partial):
        read: Value = value()
        return read
    return value


def _keep(instance: object, name: str, value: Value) -> Value:
    """Put a value that was read in place of what reads it: to those who look, the instance is what it was."""
    object.__setattr__(instance, name, value)
    return value


@frozen
class ApiStatus:
    """The triplet that says how the API took a call: code, status and description, as they came."""

    api_status_code: int | None = None
    api_status: str | None = None
    api_status_description: str | None = None


@frozen
class AuthorisedClientModel:
    """The client that an answer names as authorised."""

    client_id: str | None = None
    client_ref: str | None = None
    user_id: str | None = None
    token_start_date: dt.datetime | None = None
    token_end_date: dt.datetime | None = None


@frozen
class AuthorisedUserModel:
    """The user that an answer names as authorised."""

    user_id: str | None = None
    app_version: str | None = None
    token_start_date: dt.datetime | None = None
    token_end_date: dt.datetime | None = None
    login_timestamp: dt.datetime | None = None
    api_login_type: int | None = None


@frozen(repr=False)
class Content(Generic[T]):
    """What the API answered: the result, the names that mean success for this call, and the status it has.

    `status` is the Model's own triplet, else the first that stands in it; all of it is None where there is none.
    """

    model: T
    expected_responses: tuple[str, ...] = ()
    _status: ApiStatus | partial[ApiStatus] = field(factory=ApiStatus, eq=read_now)

    @property
    def status(self) -> ApiStatus:
        """What the API said of the call."""
        return _keep(self, "_status", read_now(self._status))

    def __repr__(self) -> str:
        return f"Content(model={self.model!r}, expected_responses={self.expected_responses!r}, status={self.status!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.model, self.expected_responses, self.status)


@frozen(repr=False)
class Envelope(Generic[T]):
    """A whole answer: its content, and what stands around it."""

    content: Content[T]
    _client: AuthorisedClientModel | partial[AuthorisedClientModel | None] | None = field(default=None, eq=read_now)
    _user: AuthorisedUserModel | partial[AuthorisedUserModel | None] | None = field(default=None, eq=read_now)
    main_account_holder_name: str | None = None

    @property
    def client(self) -> AuthorisedClientModel | None:
        """The client that the API took the caller for."""
        return _keep(self, "_client", read_now(self._client))

    @property
    def user(self) -> AuthorisedUserModel | None:
        """The user that the API took the caller for."""
        return _keep(self, "_user", read_now(self._user))

    @property
    def model(self) -> T:
        """The result of the call."""
        return self.content.model

    @property
    def status(self) -> ApiStatus:
        """What the API said of the call."""
        return self.content.status

    def __repr__(self) -> str:
        around = f"client={self.client!r}, user={self.user!r}"
        name = self.main_account_holder_name
        return f"Envelope(content={self.content!r}, {around}, main_account_holder_name={name!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.content, self.client, self.user, self.main_account_holder_name)
