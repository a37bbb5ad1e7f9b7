"""Who may call: the main account, its sub-accounts and users, their passwords and tokens.

An account's balances are changed by the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random

import attrs

from caxton_async.emulator.refusals import Refused

PASSWORD_LIFE_S = 30 * 24 * 3600  # the guide's example: 30 days from StartDate to EndDate


@attrs.frozen
class User:
    """A person under an account, addressed by the `userapitoken`."""

    applicant_id: int
    user_id: str
    account: Account = attrs.field(repr=False)
    api_token: str = attrs.field(repr=False)
    starts_at: float
    ends_at: float


@attrs.define(eq=False)
class Account:
    """The main account, whose `identity_number` is None, or a sub-account."""

    identity_number: str | None
    username: str
    name: str
    client_id: str
    client_ref: str
    owner_id: str
    parent: Account | None = attrs.field(default=None, repr=False)
    balances: dict[str, Decimal] = attrs.Factory(dict)
    pots: dict[str, str | None] = attrs.Factory(dict)  # code of the pot to its friendly name
    passwords: dict[str, float] = attrs.field(factory=dict, repr=False)  # password to the time it ends
    has_generated: bool = False

    def is_within(self, other: Account) -> bool:
        """Say whether this is `other` or lies below it."""
        return self is other or (self.parent is not None and self.parent.is_within(other))


@attrs.frozen
class Password:
    """A generated password, with its times in seconds since the epoch."""

    value: str = attrs.field(repr=False)
    public_key: str
    starts_at: float
    ends_at: float


@attrs.frozen
class Token:
    """An access token, with its times in seconds since the epoch."""

    value: str = attrs.field(repr=False)
    account: Account
    password: str = attrs.field(repr=False)
    starts_at: float
    ends_at: float


@attrs.frozen
class CredentialRules:
    """How passwords and tokens come and go, where the guide leaves it open.

    `token_life_s` is what a token call promises; `revokes_old` makes a new password or token end the old ones;
    `tokens_survive_reset` lets tokens outlive a reset of the credentials, which then ends the passwords alone;
    `generate_needs_reset` refuses a second password until the credentials were reset; `user_token_life_s` is how long a
    `userapitoken` is good for.
    """

    token_life_s: int
    revokes_old: bool
    tokens_survive_reset: bool
    generate_needs_reset: bool
    user_token_life_s: int


class Accounts:
    """All accounts, their passwords and their tokens."""

    def __init__(self, seed: int, clock: Callable[[], float], rules: CredentialRules) -> None:
        self._random = Random(seed)  # noqa: S311 - the ids must repeat with the seed
        self.clock = clock
        self.rules = rules
        self._next_applicant = 12_345
        self.by_username: dict[str, Account] = {}
        self.by_identity: dict[str, Account] = {}
        self.users: dict[str, User] = {}  # by api token
        self.tokens: dict[str, Token] = {}
        self.logins = 0
        self.main = self._add(None, "emulated", "cxtnclient", None)
        self.main_password = _secret(self._random)
        self.main.passwords[self.main_password] = clock() + PASSWORD_LIFE_S

    def _add(self, identity_number: str | None, username: str, name: str, parent: Account | None) -> Account:
        number = len(self.by_username) + 1
        account = Account(
            identity_number, username, name, f"client-{number}", f"CX{number:06}", f"owner-{number}", parent
        )
        self.by_username[username] = account
        return account

    def add_sub_account(self, name: str, parent: Account | None = None) -> Account:
        """Open a sub-account under `parent`, the main account if None; its numbers are `ID-1`, `ID-2`, ..."""
        identity_number = f"ID-{len(self.by_identity) + 1}"
        username = f"{identity_number.lower()}-{self._random.getrandbits(32):08x}"
        account = self._add(identity_number, username, name, parent or self.main)
        self.by_identity[identity_number] = account
        return account

    def add_user(self, account: Account | None = None) -> User:
        """Register a person under `account`, the main account if None."""
        now, number = self.clock(), self._next_applicant
        ends_at = now + self.rules.user_token_life_s
        user = User(number, f"user-{number}", account or self.main, _secret(self._random), now, ends_at)
        self._next_applicant += 1
        self.users[user.api_token] = user
        return user

    def generate_password(self, username: str, name: str) -> Password:
        """Give an account its password, once until the next reset."""
        account = self.by_username.get(username)
        if account is None or account.name != name:
            raise Refused("UnknownClient", "No client has this Username and Clientname.")
        if account.has_generated and self.rules.generate_needs_reset:
            raise Refused("PasswordAlreadyGenerated", "Reset the credentials before a new password is generated.")
        if self.rules.revokes_old:
            account.passwords.clear()
            self._drop_tokens(account)
        now = self.clock()
        password = Password(_secret(self._random), _secret(self._random), now, now + PASSWORD_LIFE_S)
        account.passwords[password.value] = password.ends_at
        account.has_generated = True
        return password

    def log_in(self, username: str, password: str) -> Token | None:
        """Issue a token, or None if the password is not (or no longer) right."""
        account = self.by_username.get(username)
        now = self.clock()
        if account is None or account.passwords.get(password, now) <= now:
            return None
        if self.rules.revokes_old:
            self._drop_tokens(account)
        token = Token(_secret(self._random), account, password, now, now + self.rules.token_life_s)
        self.tokens[token.value] = token
        self.logins += 1
        return token

    def find_token(self, value: str) -> Token | None:
        """Return the token if it is known and has not ended."""
        token = self.tokens.get(value)
        return token if token is not None and self.clock() < token.ends_at else None

    def acting(self, token: Token, identity_number: str | None) -> Account:
        """Return the account for which a call is made, which lies at or below the token's own."""
        if identity_number is None:
            return token.account
        account = self.by_identity.get(identity_number)
        if account is None or not account.is_within(token.account):
            raise Refused("UnknownIdentityNumber", "No Sub-Account of this client has this IdentityNumber.")
        return account

    def find_user(self, api_token: str | None, account: Account) -> User | None:
        """Return the user for whom a call is made, who belongs to the acting account itself."""
        if api_token is None:
            return None
        user = self.users.get(api_token)
        if user is None or user.account is not account:
            raise Refused("UnknownUserApiToken", "No user of this account has this userapitoken.")
        return user

    def reset(self, account: Account) -> None:
        """Make the account's passwords, and by the usual reading the tokens made from them, stop working."""
        account.passwords.clear()
        if not self.rules.tokens_survive_reset:
            self._drop_tokens(account)
        account.has_generated = False

    def revoke_tokens(self) -> None:
        """Make every token stop working, as when the vendor's server forgets them."""
        self.tokens.clear()

    def _drop_tokens(self, account: Account) -> None:
        for value in [value for value, token in self.tokens.items() if token.account is account]:
            del self.tokens[value]


def _secret(random: Random) -> str:
    return f"{random.getrandbits(160):040x}"
