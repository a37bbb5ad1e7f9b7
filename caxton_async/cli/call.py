"""`caxton call`: one call of the API."""

import asyncio
import difflib
import json as json_text
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

from attrs import fields, has

from caxton_async.batch.input.columns import Slot, slots_of
from caxton_async.batch.input.problems import CellError
from caxton_async.bulk import normalise_name
from caxton_async.cli._client import check_production, connect, read_environment, view_for
from caxton_async.cli._exit_codes import ExitCode, Failure
from caxton_async.cli._output import echo_err, plain, secret_file, show_json
from caxton_async.cli._output import show as show_record
from caxton_async.config import Configuration
from caxton_async.endpoints import Endpoint, find_endpoint
from caxton_async.errors import InvalidRequest
from caxton_async.events import Event
from caxton_async.protocol.spelling import spellings
from caxton_async.secret import Secret


def call(
    name: str,
    *arguments: str,
    out: Path | None = None,
    show: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Make one call of the API.

    A value KEY=@FILE is read from that file, and KEY=env:VARIABLE from the environment; a secret has to come from one
    of the two.

    Args:
        name: The name of a call, as `caxton endpoints` lists it.
        arguments: Its fields, each as KEY=VALUE.
        out: Write a result that holds a secret to this new file, which only you can read.
        show: Print a result that holds a secret in clear.
        yes: Carry out, in production, a call that must not be repeated.
        json: Print the result as JSON.
    """
    endpoint = find_endpoint(name)
    request = build_request(endpoint, arguments)
    configuration = read_environment()
    check_production(configuration, endpoint, yes=yes)
    secret = holds_secret(endpoint.returns)
    if secret and not show and out is None:
        raise Failure(f"the result of {name} holds a secret: add --out FILE to keep it, or --show to see it")
    with ExitStack() as files:
        keep = files.enter_context(secret_file(out)) if out else None
        result = asyncio.run(_call(configuration, endpoint, request))
        if keep is not None:
            keep(Secret(json_text.dumps(plain(result, reveal=True))))
    if out is not None:
        echo_err(f"the result is in {out}")
    _print(plain(result, reveal=show), as_json=json)


def _print(data: object, *, as_json: bool) -> None:
    if as_json:
        show_json(data)
    elif data is None:
        echo_err("accepted")
    else:
        show_record(data)


async def _call(configuration: Configuration, endpoint: Endpoint[Any, Any], request: object) -> object:
    unknown: list[str] = []

    def watch(event: Event) -> None:
        if event.kind == "outcome_unknown":
            unknown.append(event.endpoint)

    async with connect(configuration, on_event=watch) as client:
        try:
            return await view_for(client, configuration).call(endpoint, request)
        except asyncio.CancelledError:
            if not unknown:
                raise
    raise Failure(
        f"interrupted while {endpoint.name} was in flight: whether it was carried out is unknown; "
        "find out before doing it again",
        ExitCode.UNKNOWN,
    )


def holds_secret(returns: object) -> bool:
    """Tell whether a result of this type has a secret in it."""
    if isinstance(returns, type) and has(returns):
        return any(attribute.type is Secret for attribute in fields(returns))
    return any(holds_secret(argument) for argument in get_args(returns))


# --- text to request ---


def build_request(endpoint: Endpoint[Any, Any], arguments: tuple[str, ...]) -> object:
    """Return the request that `KEY=VALUE` arguments describe.

    **Raises** InvalidRequest that says all that is wrong with them.
    """
    cls = endpoint.sends
    slots = slots_of(cls)
    wire = spellings(cls) if cls else {}
    known = {normalise_name(name): slot for slot in slots for name in (slot.name, wire[slot.name])}
    given: dict[str, object] = {}
    problems: list[str] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        slot = known.get(normalise_name(key))
        if not equals:
            problems.append("a field without a value: write KEY=VALUE")
        elif slot is None:
            near = difflib.get_close_matches(normalise_name(key), known, 1)
            hint = f"did you mean {known[near[0]].name}?" if near else f"it takes {_names(slots)}"
            problems.append(f"{key} is not a field of {endpoint.name}: {hint}")
        elif slot.argument in given:
            problems.append(f"{slot.name} is given twice")
        else:
            try:
                given[slot.argument] = _read(slot, text)
            except CellError as error:
                given[slot.argument] = None
                problems.append(f"{slot.name}: {error}")
    missing = [slot.name for slot in slots if slot.required and slot.argument not in given]
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    if problems:
        raise InvalidRequest(f"{endpoint.name} cannot be called: {'; '.join(problems)}")
    return cls(**given) if cls else None


def _names(slots: tuple[Slot, ...]) -> str:
    return ", ".join(slot.name for slot in slots) or "none"


def _read(slot: Slot, text: str) -> object:
    if text.startswith("@"):
        text = _read_file(Path(text[1:]))
    elif text.startswith("env:"):
        variable = text.removeprefix("env:")
        if variable not in os.environ:
            raise CellError(f"the environment has no {variable}", "set it, or write the value")
        text = os.environ[variable]
    elif slot.is_secret:
        raise CellError("a secret is not typed in clear", f"write {slot.name}=@FILE or {slot.name}=env:VARIABLE")
    return slot.read(text)


def _read_file(path: Path) -> str:
    problem = "it is not UTF-8 text"
    try:
        # As it stands but for the line break that editors add.
        return path.read_bytes().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        pass
    except OSError as error:
        problem = str(error.strerror)
    raise CellError(f"the file {path} cannot be read ({problem})", "name a file of UTF-8 text")
