"""What keeps a password from being lost on its way to its file, and an alarm from being overlooked."""

from tests.mutations import Mutation, returning

MUTATIONS = (
    Mutation(
        "a secret has room on the disk before it is asked for",
        "caxton_async.cli._output:_take_room",
        returning(None),
        ("unit/cli/test_auth.py::test_a_full_disk_is_found_before_anything_is_sent",),
    ),
    Mutation(
        "the main password is not changed in an account's view",
        "caxton_async.cli.auth:_refuse_account",
        returning(None),
        ("unit/cli/test_auth.py::test_the_main_password_is_not_changed_in_an_accounts_view",),
    ),
    Mutation(
        "an emulator's profile replaces no other",
        "caxton_async.cli._profile_file:is_loopback",
        returning(True),
        ("unit/cli/test_profile_file.py::test_what_is_not_an_emulators_is_not_replaced",),
    ),
    Mutation(
        "an alarm is told and decides about the exit code",
        "caxton_async.cli.status:raise_alarms",
        returning(False),
        ("unit/cli/test_cli.py::test_a_late_answer_that_contradicts_a_decision_is_an_alarm",),
    ),
)
