"""What keeps an answer from being taken for another one, and what it repeats from being shown."""

import re
from collections.abc import Callable
from typing import Any

from attrs import evolve

from tests.mutations import Around, Mutation, returning

FAULT = "faults/test_faults.py::test_fault_has_its_outcome"
REPLY = "unit/protocol/test_reply.py"
STATUS = "unit/protocol/test_status.py"


def _without(column: str, sign: str) -> Around:
    """Take the rows of the table away that are about a sign alone."""
    return Around(lambda rules: tuple(rule for rule in rules if getattr(rule, column) != {sign}))


def _compressed(route: Callable[..., Any]) -> Callable[..., Any]:
    def with_compression(*args: Any) -> Any:
        found = route(*args)
        return evolve(found, headers={**found.headers, "Accept-Encoding": "gzip"})

    return with_compression


def _plain_decoder(_original: object) -> object:
    import msgspec  # the table itself is loaded while rooms are being imported

    return msgspec.json.Decoder().decode


class _Exact(str):
    """A key that stands for a member of the envelope only if it is spelled like it."""

    __slots__ = ()

    def casefold(self) -> str:
        return super().casefold() if self in {"Content", "Model", "ApiStatusCode", "ApiStatus"} else str(self)


def _exact_shapes(shapes: Any) -> object:
    from caxton_async.protocol.spelling import read_shape  # the table itself is loaded while rooms are being imported

    return type(shapes)(lambda shape: read_shape(tuple(map(_Exact, shape))))


MUTATIONS = (
    Mutation(
        "a status is judged by its code and its name",
        "caxton_async.protocol.status:weigh",
        returning(1),
        (f"{STATUS}::test_a_status_means_what_the_reference_says", f"{FAULT}[53-Model-payment]"),
    ),
    Mutation(
        "white space around a name means nothing",
        "caxton_async.protocol.status:read_name",
        lambda value: (value if isinstance(value, str) else None, True),
        (f"{STATUS}::test_success_counts_however_it_is_dressed", f"{FAULT}[53-stray_white_space-payment]"),
    ),
    Mutation(
        "only 200 and 201 accept a call",
        "caxton_async.protocol.status:ACCEPTING",
        frozenset(range(200, 300)),
        (f"{FAULT}[53-202-payment]", f"{FAULT}[53-206-payment]"),
    ),
    Mutation(
        "only some 4xx refuse a call",
        "caxton_async.protocol.status:REFUSING",
        frozenset(range(400, 500)),
        (f"{FAULT}[53-409_in_the_framework's_words-payment]", f"{FAULT}[53-408_in_the_framework's_words-payment]"),
    ),
    Mutation(
        "an early success is unknown",
        "caxton_async.protocol.status:RULES",
        Around(lambda rules: tuple(rule for rule in rules if rule.early is None)),
        (f"{REPLY}::test_an_early_success_is_none", f"{FAULT}[45-body_on_its_way-payload]"),
    ),
    Mutation(
        "of two members that differ in case alone none counts",
        "caxton_async.protocol.status:RULES",
        _without("body", "twins"),
        (f"{REPLY}::test_an_answer_that_says_two_things_is_none",),
    ),
    Mutation(
        "an error beside a result makes it unknown",
        "caxton_async.protocol.status:RULES",
        _without("body", "error beside"),
        (f"{REPLY}::test_an_answer_that_says_two_things_is_none", f"{FAULT}[53-error_beside_success-payment]"),
    ),
    Mutation(
        "a status that contradicts itself is unknown",
        "caxton_async.protocol.status:RULES",
        _without("content", "contradiction"),
        (f"{REPLY}::test_the_statuses_of_an_answer_decide",),
    ),
    Mutation(
        "success beside failure is unknown",
        "caxton_async.protocol.status:RULES",
        _without("content", "mixed"),
        (f"{FAULT}[53-item-payment]",),
    ),
    Mutation(
        "a refused caller beside success is unknown",
        "caxton_async.protocol.status:RULES",
        _without("around", "unauthorised"),
        (f"{REPLY}::test_a_refused_client_or_user_is_not_authorised",),
    ),
    Mutation(
        "every key counts whatever the case of its letters",
        "caxton_async.protocol.signs:SHAPES",
        Around(_exact_shapes),
        (f"{REPLY}::test_no_spelling_hides_a_failing_status",),
    ),
    Mutation(
        "an answer repeats what was asked for",
        "caxton_async.protocol.reply:_is_confirmed",
        returning(True),
        (f"{REPLY}::test_an_answer_about_something_else_is_not_ours",),
    ),
    Mutation(
        "an answer that names another thing than the path is refused",
        "caxton_async.protocol.reply:_foreign_member",
        returning(None),
        (f"{FAULT}[54-another_upload-payload]", f"{FAULT}[54-another_currency-look-up]"),
    ),
    Mutation(
        "a reply that is compressed, or may be cut off, is not read",
        "caxton_async.protocol.reply:_flaw",
        returning(None),
        (f"{FAULT}[43-not_true-payment]", f"{FAULT}[17-whole-payment]"),
    ),
    Mutation(
        "no secret is quoted from an answer",
        "caxton_async.protocol.masking:mask_each",
        lambda texts, _secrets: list(texts),
        (
            f"{REPLY}::test_an_echoed_secret_is_masked",
            "test_promises.py::test_a_secret_that_the_server_echoes_is_masked",
        ),
    ),
    Mutation(
        "a secret is masked in derived forms",
        "caxton_async.protocol.masking:_forms",
        lambda value: {value},
        ("unit/protocol/test_masking.py::test_a_secret_is_masked_in_every_form",),
    ),
    Mutation(
        "a secret is masked where it is escaped",
        "caxton_async.protocol.masking:_MAX_ESCAPES",
        1,
        ("unit/protocol/test_masking.py::test_a_secret_is_masked_in_every_form",),
    ),
    Mutation(
        "long words of a server are not remembered",
        "caxton_async.protocol.status:_MAX_NAME",
        2**30,
        ("unit/protocol/test_density.py::test_ever_new_words_fill_no_memory",),
    ),
    Mutation(
        "a reply that would fill the memory is not parsed",
        "caxton_async.protocol.density:is_too_dense",
        returning(False),
        ("unit/protocol/test_density.py::test_a_reply_costs_little_memory",),
    ),
    Mutation(
        "numbers are read as exact decimals",
        "caxton_async.protocol.codec:_parse",
        Around(_plain_decoder),
        ("unit/protocol/test_samples.py", f"{FAULT}[36-twice-payment]"),
    ),
    Mutation(
        "numbers are in proportion",
        "caxton_async.protocol.spelling:MAX_DIGITS",
        10**9,
        (f"{FAULT}[35-1e999_as_an_amount-payment]",),
    ),
    Mutation(
        "a header value is checked",
        "caxton_async.protocol.request:fits_header",
        returning(True),
        (f"{FAULT}[55-line_break-payment]", f"{FAULT}[55-outer_space-payment]"),
    ),
    Mutation(
        "a path value is checked",
        "caxton_async.protocol.request:_PATH_VALUE",
        re.compile(".*", re.DOTALL),
        (f"{FAULT}[56-dots-look-up]", f"{FAULT}[56-dot_after_it-look-up]"),
    ),
    Mutation(
        "nothing compressed is asked for",
        "caxton_async.protocol.request:route",
        Around(_compressed),
        ("test_promises.py::test_nothing_compressed_is_asked_for",),
    ),
    Mutation(
        "the login carries no account and no user",
        "caxton_async.protocol.request:build_request",
        Around(lambda build: lambda endpoint, *args: build(evolve(endpoint, authorised=True), *args)),
        ("test_promises.py::test_the_login_is_for_nobody_but_the_client",),
    ),
)
