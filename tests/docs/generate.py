"""The tables of the reference, made from the code: `python -m tests.docs.generate` writes them anew.

A table stands between `<!-- name -->` and `<!-- /name -->` in its page.  A column of meanings is written by hand, in
the page, and kept: a new row gets an empty one, which a test refuses.
"""

import inspect
import io
import re
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from rich.console import Console

import caxton_async
from caxton_async import (
    CATALOGUE,
    CaxtonClient,
    CaxtonError,
    Event,
    Settings,
    bulk,
    emulator,
    journal,
    models,
    resources,
    telemetry,
    testing,
)
from caxton_async.auth import stores
from caxton_async.batch import RowErrors
from caxton_async.cli import build
from caxton_async.cli._exit_codes import ExitCode
from caxton_async.config import from_env
from caxton_async.journal.states import STATES
from caxton_async.protocol import status
from tests.docs.tables import code, first_sentence, kept, table, write
from tests.support.places import ROOT

REFERENCE = ROOT / "docs" / "reference"
# What stands for a value of each type in a variable: another one than any default.
SAMPLES = ("staging", "http://localhost:1/", "7", "true", "x")
ELSEWHERE = (RowErrors,)  # errors of modules that nothing else here imports
REQUIRED = {"CAXTON_USERNAME": "u", "CAXTON_CLIENT_NAME": "c"}


def methods() -> dict[str, str]:
    """Return the method of the client that makes each call of the catalogue, by the name of the call."""
    found = {"get_access_token": "auth.access_token"}
    for group, value in vars(CaxtonClient).items():
        if not isinstance(value, cached_property):
            continue
        cls = getattr(resources, str(value.func.__annotations__["return"]).rsplit(".", maxsplit=1)[-1].strip("'>"))
        for name, function in vars(cls).items():
            if inspect.isfunction(function) and name[0] != "_":
                for constant in re.findall(r"\be\.([A-Z_]+)", inspect.getsource(function)):
                    found.setdefault(constant.lower(), f"{group}.{name}")
    return found


def endpoints() -> str:
    """Return the table of the calls."""
    by_method = methods()
    rows = (
        (
            code(endpoint.name.upper()),
            code(by_method[endpoint.name]),
            code(f"{endpoint.method} {endpoint.path}"),
            "documented" if endpoint.documented else "assumed",
            "yes" if endpoint.repeatable else "no",
            code(endpoint.sends.__name__) if endpoint.sends else "nothing",
            code(endpoint.returns) if endpoint.returns else "nothing",
        )
        for endpoint in CATALOGUE.values()
    )
    return table("constant | method | sent to | path | repeatable | takes | returns", rows)


def answers() -> str:
    """Return the table of what counts as an answer."""
    words = ((status.HTTP, "http"), (status.BODIES, "body"), (status.CONTENTS, "content"), (status.AROUND, "around"))
    errors = {
        status.Meaning.ACCEPTED: ("the result", "the result"),
        status.Meaning.REFUSED: ("`ApiError`", "`ApiError`"),
        status.Meaning.NOT_AUTHORISED: ("`NotAuthorised`", "`NotAuthorised`"),
        status.Meaning.SERVER_FAILED: ("`OutcomeUnknown`", "`ServerFailed`"),
        status.Meaning.UNKNOWN: ("`OutcomeUnknown`", "`UnreadableReply`"),
    }
    rows = []
    for rule in status.RULES:
        signs = (
            ", or ".join(text for sign, text in known.items() if sign in (getattr(rule, column) or ()))
            for known, column in words
        )
        early = ("yes", "the result") if rule.early else ("", errors[rule.meaning][1])
        rows.append((*signs, early[0], errors[rule.meaning][0], early[1]))
    head = "HTTP status is | the reply | its Content | around it | early | a payment | a call that may be repeated"
    return table(head, rows)


def variable_of(field: "attrs.Attribute[Any]") -> str:
    """Return the environment variable that sets a field of the settings, found by trying; a dash if there is none."""
    if field.name == "paths":
        return "`CAXTON_PATH_<NAME>`"
    if re.search("Callable|Context", str(field.type)):  # an object, which no text can name
        return "—"
    variable = f"CAXTON_{field.name.removesuffix('_').upper()}"
    for sample in SAMPLES:
        try:
            settings = from_env({**REQUIRED, variable: sample}).settings
        except caxton_async.ConfigurationError:
            return code(variable)
        if getattr(settings, field.name) != getattr(Settings(), field.name):
            return code(variable)
    return "—"


def settings() -> str:
    """Return the table of the settings."""
    meanings, default = kept(REFERENCE / "settings.md", "settings"), Settings()
    rows = []
    for field in attrs.fields(Settings):
        value = getattr(default, field.name)
        shown = value.value if isinstance(value, Enum) else dict(value) if field.name == "paths" else value
        name = code(field.name)
        rows.append((name, variable_of(field), code(repr(shown)), meanings.get(name, "")))
    return table("setting | variable | default | meaning", rows)


def family(cls: type[CaxtonError]) -> Iterator[type[CaxtonError]]:
    """Yield an error and all below it, each once, parents first; those of the command line are its own affair."""
    if cls.__name__[0] != "_" and ".cli" not in cls.__module__:
        yield cls
    for child in cls.__subclasses__():
        yield from family(child)


def errors() -> str:
    """Return the table of the errors."""
    rows = (
        (
            code(cls.__name__),
            code(next(base.__name__ for base in cls.__mro__[1:] if base.__name__[0] != "_")),
            cls.sent.value,
            "yes" if cls.safe_to_retry else "no",
            first_sentence(cls),
        )
        for cls in family(CaxtonError)
    )
    return table("error | is a | sent | safe to try again | meaning", rows)


def event_kinds() -> str:
    """Return the table of the kinds of events."""
    meanings = kept(REFERENCE / "events.md", "event-kinds")
    sentence = (Event.__doc__ or "").split("`kind` is ")[1].split(";")[0]
    return table(
        "kind | meaning", ((code(kind), meanings.get(code(kind), "")) for kind in re.findall(r"`(\w+)`", sentence))
    )


def event_fields() -> str:
    """Return the table of what an event holds."""
    meanings = kept(REFERENCE / "events.md", "event-fields")
    fields = ((code(field.name), code(field.type)) for field in attrs.fields(Event))
    return table("field | type | meaning", ((name, kind, meanings.get(name, "")) for name, kind in fields))


def states() -> str:
    """Return the table of the states of a row."""
    rows = (
        (
            code(state.value),
            rule.meaning,
            ", ".join(code(then.value) for then in rule.then) or "nothing: this is the end",
        )
        for state, rule in STATES.items()
    )
    return table("state | it means | then", rows)


def exit_codes() -> str:
    """Return the table of the exit codes."""
    meanings = kept(REFERENCE / "exit-codes.md", "exit-codes")
    return table("exit code | meaning", ((code(each.value), meanings.get(code(each.value), "")) for each in ExitCode))


def commands() -> str:
    """Return what `--help` says of each command."""

    def walk(app: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name in app:
            if not name.startswith("-"):
                inner = [*walk(app[name], (*path, name))]
                yield from inner or [(*path, name)]

    app, parts = build(), []
    for path in walk(app, ()):
        shown = io.StringIO()
        app([*path, "--help"], console=Console(file=shown, width=100), exit_on_error=False)
        lines = [
            line.strip("│╭╮╰╯─ ").rstrip() if line[:1] in "│╭╰" else line.rstrip()
            for line in shown.getvalue().splitlines()
        ]
        text = "\n".join(lines).split("Exit codes:")[0].strip()
        parts.append(f"## caxton {' '.join(path)}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def public(module: ModuleType) -> list[str]:
    """Return the public names of a module: those that it lists, or the classes and functions that it defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return [
        name
        for name, value in vars(module).items()
        if name[0] != "_"
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith(module.__name__)
    ]


def entries(*modules: ModuleType) -> str:
    """Return the entries of the reference for the public names of modules."""
    names = (f"{module.__name__}.{name}" for module in modules for name in public(module))
    return "\n\n".join(f"::: {name}" for name in names)


def error_classes() -> str:
    """Return the entries of the reference for the errors that the package exports."""
    exported = (cls.__name__ for cls in family(CaxtonError) if cls.__name__ in caxton_async.__all__)
    return "\n\n".join(f"::: caxton_async.{name}" for name in exported)


API = REFERENCE / "api"
TABLES: list[tuple[Path, str, Callable[[], str]]] = [
    (REFERENCE / "endpoints.md", "endpoints", endpoints),
    (REFERENCE / "answers.md", "answers", answers),
    (REFERENCE / "settings.md", "settings", settings),
    (REFERENCE / "errors.md", "errors", errors),
    (REFERENCE / "events.md", "event-kinds", event_kinds),
    (REFERENCE / "events.md", "event-fields", event_fields),
    (REFERENCE / "row-states.md", "states", states),
    (REFERENCE / "exit-codes.md", "exit-codes", exit_codes),
    (REFERENCE / "command-line.md", "commands", commands),
    (API / "errors.md", "error-classes", error_classes),
    (API / "groups.md", "groups", lambda: entries(resources)),
    (API / "models.md", "models", lambda: entries(models, bulk)),
    (API / "journal.md", "journal", lambda: entries(journal)),
    (API / "stores.md", "stores", lambda: entries(stores)),
    (API / "emulator.md", "emulator", lambda: entries(emulator)),
    (API / "telemetry.md", "telemetry", lambda: entries(telemetry)),
    (API / "testing.md", "testing", lambda: entries(testing)),
]


if __name__ == "__main__":
    for page, name, make in TABLES:
        write(page, name, make())
        sys.stdout.write(f"{page.relative_to(ROOT)}: {name}\n")
