"""A value that no text can show.

Whoever needs the value calls `reveal()`, in the one expression that writes it to the wire, and keeps no variable of it.
"""

import functools
import hmac
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn, Self, TypeVar

Class = TypeVar("Class", bound=type)


class Secret:
    """A string that is masked in `repr`, `str` and `format`, and refuses to be pickled or written as JSON.

    **Raises** TypeError when `value` is not a string.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a Secret holds a string, not {type(value).__name__}")
        self._value = value

    def reveal(self) -> str:
        """Return the value in clear."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, format_spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        """Compare in constant time, so that a guess cannot be measured."""
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret._value.encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no state to save")


def to_secret(value: str | Secret) -> Secret:
    """Return `value` as a `Secret`: the converter of every attribute that holds one."""
    return value if isinstance(value, Secret) else Secret(value)


def hide(value: object) -> Any:  # noqa: ANN401  # of the type that it had, but for text
    """Return text as a `Secret`, and anything else as it is, to be judged where it is used."""
    return Secret(value) if isinstance(value, str) else value


def hiding(**hidden: Callable[[object], object]) -> Callable[[Class], Class]:
    """Have a class hide these arguments before anything may fail: a crash reporter shows the variables of frames."""

    def decorate(cls: Class) -> Class:
        make: Callable[..., None] = vars(cls)["__init__"]
        names = list(inspect.signature(make).parameters)

        @functools.wraps(make)
        def hide_and_make(*args: object, **named: object) -> None:
            args = tuple(
                hidden[name](value) if name in hidden else value
                for name, value in zip([*names, *[""] * len(args)], args, strict=False)
            )
            for name in hidden.keys() & named.keys():
                named[name] = hidden[name](named[name])
            make(*args, **named)

        type.__setattr__(cls, "__init__", hide_and_make)
        return cls

    return decorate


class Variables(Mapping[str, str]):
    """The environment, so that no frame and no signature which holds it shows a value."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ: Mapping[str, str] = environ._environ if isinstance(environ, Variables) else environ

    def __getitem__(self, name: str) -> str:
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def __repr__(self) -> str:
        return f"Variables({len(self)} of them)"

    def secret(self, name: str) -> Secret | None:
        """Return the value of a variable that holds a secret; an empty one counts as not set."""
        return Secret(self[name]) if self.get(name) else None


# What functions read by default; a signature shows its defaults, and so does `help`.
ENVIRON: Final = Variables(os.environ)
