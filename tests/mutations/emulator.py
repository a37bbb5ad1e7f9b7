"""What keeps pages of other sites away from the emulator's page."""

from tests.mutations import Mutation, returning

REFUSED = ("emulator/test_page.py::test_what_is_not_right_is_refused",)

MUTATIONS = (
    Mutation(
        "the emulator's page answers to this machine's names alone",
        "caxton_async.emulator.page:_is_this_machine",
        returning(True),
        REFUSED,
    ),
    Mutation(
        "the emulator's page changes nothing without its header",
        "caxton_async.emulator.page:GUARD",
        "Host",
        REFUSED,
    ),
)
