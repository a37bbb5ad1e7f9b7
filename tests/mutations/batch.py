"""What can be switched off in batches, stores and the command line: the table of `mutations` for files and runs."""

from collections.abc import Mapping
from typing import Final

# fmt: off
TABLE: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "batch/step.py": (
        ("`sending` is durable before a request leaves",
         "        await journal.submit(positions", "        _ = journal.submit(positions",
         "runner test_sending_is_on_disk_before_the_request_leaves",
         "runner test_a_journal_that_fails_stops_the_run"),
        ("an outcome is durable before it is reported",
         "    await journal.submit(positions, RowState.SENDING, status)\n",
         "    _ = journal.submit(positions, RowState.SENDING, status)\n",
         "runner test_every_row_is_sent_once_and_reported_with_its_result"),
        ("what was interrupted is unknown", "state=RowState.UNKNOWN, sent=Sent.UNKNOWN, error=said",
         "state=RowState.NOT_SENT, sent=Sent.NO, error=said",
         "runner test_a_cancelled_run_records_what_was_in_flight_as_unknown"),
    ),
    "batch/verdict.py": (
        ("an unknown outcome is journalled as unknown", "    return Verdict(RowState.UNKNOWN)\n",
         "    return Verdict(RowState.NOT_SENT, again=True)\n", "runner test_an_error_decides_what_becomes_of_its_row"),
        ("no account number stands in an error that is kept",
         '_LIKE_AN_ACCOUNT.sub("***", " ".join(str(error).split()))', '" ".join(str(error).split())',
         "runner test_an_error_is_kept_short_and_without_account_numbers"),
    ),
    "batch/database.py": (
        ("commits are synced", '"synchronous=FULL"', '"synchronous=NORMAL"', "journal test_every_commit_is_synced"),
        ("a failed write is the last", "            self._broken = str(error)\n        else:",
         "            self._broken = None\n        else:", "journal test_a_full_disk_stops_the_journal_for_good"),
        ("a checksum stands for each row",
         "if self.ask(schema.WRONG_FACTS) + self.ask(schema.WRONG_ROWS) != [(0,), (0,)]:", "if False:",
         "journal test_a_row_changed_by_another_program_is_refused"),
        ("rows that were removed are missed", 'whole = self.ask(schema.SIZE) == [(int(facts["total"]),) * 2]',
         "whole = True", "journal test_a_row_that_was_removed_is_missed"),
    ),
    "batch/schema.py": (
        ("a row moves from where it was believed to be", ' AND state = ?"', ' AND ? NOTNULL"',
         "journal test_a_row_that_is_not_where_it_was_believed_to_be_stops_the_journal"),
    ),
    "batch/custody.py": (
        ("one runner at a time", "fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass",
         "journal test_a_second_runner_is_refused"),
        ("a journal is made private", "os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))",
         "os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))", "journal test_the_files_are_private"),
        ("a journal that others can read is refused", "if found.st_mode & 0o077:", "if False:",
         "journal test_a_journal_that_others_can_read_is_refused"),
        ("a journal is not reached through a link", "            found = file.lstat()\n",
         "            found = file.stat()\n", "journal test_a_journal_is_not_reached_through_a_link"),
        ("a journal is never overwritten", "        os.link(draft, path)\n", "        os.replace(draft, path)\n",
         "journal test_an_existing_file_is_never_overwritten"),
    ),
    "batch/journal.py": (
        ("the input is pinned", "elif digest not in {None, self.digest}:", "elif False:",
         "journal test_the_input_is_pinned"),
        ("what was sending when a run died is unknown",
         "        if left:\n            self._commit([Write(schema.MOVE, left)])\n", "",
         "journal test_the_lock_dies_with_its_process"),
        ("a journal's log is missed", "            database.check_log(path)\n", "",
         "journal test_a_running_journal_without_its_log_is_refused"),
    ),
    "batch/pinned.py": (
        ("each row is pinned", " and entry.digest == row_digest(request, salt):", ":",
         "runner test_an_input_that_changed_does_not_resume"),
        ("the origin and the endpoint are pinned", "if (journal.endpoint, journal.origin) != (endpoint, origin):",
         "if False:", "runner test_a_journal_of_another_batch_is_refused"),
    ),
    "batch/states.py": (
        ("what is unknown is never sent again", 'it is never sent again.", (RowState.SETTLED,)',
         'it is never sent again.", (RowState.SETTLED, RowState.SENDING)',
         "journal test_nothing_unknown_accepted_rejected_or_sending_is_sent"),
    ),
    "batch/report.py": (
        ("no cell of a report is a formula", 'return f"\'{text}" if formula or', 'return f"\'{text}" if False and',
         "report test_csv_for_people_holds_no_formula"),
    ),
    "batch/page.py": (
        ("text is escaped in a page", "return html.escape(seen)", "return seen",
         "page test_whatever_a_journal_holds_is_shown_and_not_obeyed"),
    ),
    "batch/reader.py": (
        ("the same batch is not begun twice",
         "same = (found.endpoint, found.origin, found.digest) == (endpoint, origin, digest)", "same = False",
         "journal test_the_same_batch_is_not_begun_twice"),
    ),
    "auth/stores/sqlite.py": (
        ("one process logs in for all", '"BEGIN IMMEDIATE"', '"BEGIN"',
         "store test_two_stores_of_one_process_wait_for_each_other"),
        ("a token store that others can read is refused", "if found.st_mode & 0o077:", "if False:",
         "store test_a_file_that_cannot_be_trusted_is_refused"),
        ("a token store is not reached through a link", "found = path.lstat()", "found = path.stat()",
         "store test_a_file_that_cannot_be_trusted_is_refused"),
        ("a token that was replaced leaves nothing in the file", "secure_delete = ON", "secure_delete = OFF",
         "store test_a_new_token_replaces_the_old_one_without_trace"),
    ),
    "cli/output.py": (
        ("a secret result goes to a private file", "os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)",
         "os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)", "cli test_a_private_file_is_new_and_nobody_elses"),
        ("a private file is new", "os.O_CREAT | os.O_EXCL |", "os.O_CREAT |",
         "cli test_a_private_file_is_new_and_nobody_elses"),
    ),
    "cli/connect.py": (
        ("production needs --yes", "if configuration.settings.is_production and not endpoint.repeatable and not yes:",
         "if False:", "cli test_production_needs_yes"),
    ),
}
# fmt: on
