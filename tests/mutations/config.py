"""What keeps credentials and payments from going to the wrong host or path."""

import re
import types

from tests.mutations import Mutation, returning

ANYTHING = re.compile(r".*", re.DOTALL)

MUTATIONS = (
    Mutation(
        "http is for loopback only",
        "caxton_async.syntax:is_loopback",
        returning(True),
        ("faults/test_faults.py::test_fault_has_its_outcome[62-plain_to_another_host-payment]",),
    ),
    Mutation("a host has a plain name", "caxton_async.syntax:_HOST", ANYTHING, ("test_config.py",)),
    Mutation("a path is plain", "caxton_async.syntax:is_plain_path", returning(True), ("test_config.py",)),
    Mutation("a path holds plain characters", "caxton_async.syntax:_PATH", ANYTHING, ("test_config.py",)),
    Mutation(
        "a header value is plain",
        "caxton_async.syntax:HEADER_VALUE",
        ANYTHING,
        ("faults/test_faults.py::test_fault_has_its_outcome[55-line_break-payment]",),
    ),
    Mutation(
        "stray characters of a credential are refused",
        "caxton_async.config.credentials:find_stray",
        returning(None),
        ("test_config.py::test_credentials_that_cannot_work_are_refused",),
    ),
    Mutation(
        "no frame shows a password",
        "caxton_async.config.credentials:_hide",
        lambda password: password,
        ("test_config.py::test_credentials_that_cannot_work_are_refused",),
    ),
    Mutation(
        "no frame shows the environment",
        "caxton_async.config.variables:Variables.__repr__",
        lambda self: repr(dict(self)),
        ("test_config.py::test_everything_that_is_missing_or_wrong_is_named_at_once",),
    ),
    Mutation(
        "a profile holds no secret",
        "caxton_async.config.profiles:_SECRETS",
        {},
        ("test_config.py::test_a_profile_that_cannot_be_used_is_refused",),
    ),
    Mutation(
        "a variable that nothing reads is warned of",
        "caxton_async.config.variables:unknown_variables",
        returning(()),
        ("test_config.py::test_a_variable_that_is_not_known_is_warned_of_with_the_nearest_name",),
    ),
    Mutation(
        "a hook is not a coroutine function",
        "caxton_async.config.settings:inspect",
        types.SimpleNamespace(iscoroutinefunction=returning(False)),
        ("test_config.py::test_a_hook_is_a_plain_function",),
    ),
    Mutation(
        "the text of settings shows no password of a proxy",
        "caxton_async.config.settings:ProxyUrl.__repr__",
        str.__repr__,
        ("test_config.py::test_a_proxy_shows_no_password",),
    ),
)
