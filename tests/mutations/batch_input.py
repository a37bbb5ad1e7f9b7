"""What keeps a wrong file from being paid, and its account numbers out of sight."""

from tests.mutations import Mutation, returning

MUTATIONS = (
    Mutation(
        "an IBAN is checked",
        "caxton_async.bank_details:_iban_problem",
        returning(""),
        ("test_bank_details.py::test_a_wrong_iban_is_refused",),
    ),
    Mutation(
        "an account number is checked",
        "caxton_async.bank_details:_account_problem",
        returning(""),
        ("test_bank_details.py::test_what_cannot_be_an_account_is_refused",),
    ),
    Mutation(
        "bank details are checked for any request",
        "caxton_async.bank_details:check_bank_details",
        returning(None),
        ("test_rows.py::test_bank_details_of_ones_own_class_are_checked_too",),
    ),
    Mutation(
        "debris of spreadsheets is refused",
        "caxton_async.batch.input.cells:clean",
        lambda cell: cell,
        ("test_rows.py::test_a_row_that_a_spreadsheet_spoilt_is_refused",),
    ),
    Mutation(
        "no error of a row shows an account number",
        "caxton_async.batch.input.rows:_without_values",
        lambda message, _record, _columns: message,
        ("test_rows.py::test_no_message_shows_an_account_number_or_a_secret",),
    ),
    Mutation(
        "hidden rows of a workbook are told",
        "caxton_async.batch.input.workbook:_look_into",
        returning({}),
        ("test_workbook.py::test_hidden_rows_and_columns_are_told",),
    ),
    Mutation(
        "no error of a header shows an account number",
        "caxton_async.batch.input.columns:shown_label",
        lambda label, _place: label,
        ("test_statement.py::test_no_message_shows_an_account_number",),
    ),
    Mutation(
        "a statement has no document type",
        "caxton_async.batch.reconcile.entries:_NoDoctype.doctype",
        returning(None),
        ("test_entries.py::test_a_statement_that_cannot_be_read_is_refused",),
    ),
    Mutation(
        "an entry before the call is not its payment",
        "caxton_async.batch.reconcile.matching:_is_in_time",
        returning(True),
        ("test_matching.py::test_what_is_in_doubt_is_left_to_a_person",),
    ),
    Mutation(
        "an entry of somebody else is not the payment",
        "caxton_async.batch.reconcile.matching:_names",
        returning(True),
        ("test_matching.py::test_what_is_in_doubt_is_left_to_a_person",),
    ),
)
