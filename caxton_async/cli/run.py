"""`caxton run`: a batch from a file, which can be stopped at any instant."""

from pathlib import Path


def run(  # noqa: PLR0913 -- each is an option of the command
    endpoint: str,
    file: Path,
    /,
    *,
    journal: str | None = None,
    name: str | None = None,
    concurrency: int | None = None,
    dry_run: bool = False,
    no_work: bool = False,
    approved: str | None = None,
    by: str | None = None,
    allow_duplicates: bool = False,
    duplicate_days: float | None = None,
    sheet: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    column: tuple[str, ...] = (),
    rows: bool = False,
    yes: bool = False,
    json: bool = False,
) -> int:
    """Make one call for each row of a file.  It can be stopped, or killed, at any instant and resumed.

    Args:
        endpoint: The name of a call, as `caxton endpoints` lists it, or bulk_payments.
        file: A CSV, JSON Lines or xlsx file with a column `reference`, and one for each field of the call.
        journal: Where to keep what was sent and what came of it; CAXTON_JOURNAL, or a file in the state folder, if not
            given.
        name: What to call the batch; the name of the file, if not given.
        concurrency: How many calls are in flight at once; 64, if not given.
        no_work: Plan the batch, and leave it to workers: see caxton worker.
        dry_run: Send nothing: check the file, and print what would be sent and the digest of this plan.
        approved: Carry out only the plan of this digest.
        by: Who approved it; you, if not given.
        allow_duplicates: Carry out rows too that ask for what may have been paid already.
        duplicate_days: How many days back payments of the same are looked for; 10, if not given.
        sheet: The sheet of a workbook.
        delimiter: What stands between the cells of a CSV file, such as ";".
        encoding: The encoding of a CSV file, such as cp1252.
        column: The header of a field that is not found by itself, such as amount=Betrag.
        rows: Show each row at the end.
        yes: Do it in production.
        json: Print the result as JSON.
    """
    from caxton_async.batch.input import InputFile, InputOptions
    from caxton_async.batch.lookup import INPUT, find_endpoint, path_text
    from caxton_async.batch.plan import DUPLICATE_DAYS, PlanOptions
    from caxton_async.cli._batches import location_of, who_decides
    from caxton_async.cli._client import check_production, read_environment
    from caxton_async.cli._exit_codes import Failure
    from caxton_async.cli._file_batch import begin_file, binding_if_known, check_of, split_pair
    from caxton_async.cli._planning import show_file_plan
    from caxton_async.cli._running import CONCURRENCY, RunOptions, carry_out
    from caxton_async.cli.call import holds_secret

    call = find_endpoint(endpoint)
    form = InputOptions(delimiter=delimiter, encoding=encoding, sheet=sheet, columns=dict(map(split_pair, column)))
    read = InputFile(file, call, form, check_of(call))
    plan = PlanOptions(
        name=path_text(Path(name or file.stem)),
        allow_duplicates=allow_duplicates,
        duplicate_days=DUPLICATE_DAYS if duplicate_days is None else duplicate_days,
        approved=approved,
        approved_by=None if approved is None else who_decides(by),
        details={INPUT: path_text(file.absolute())},
    )
    where = location_of(journal)
    if dry_run:
        return show_file_plan(where, read, binding_if_known(), plan, as_json=json)
    configuration = read_environment()
    check_production(configuration, call, yes=yes)
    if holds_secret(call.returns):
        raise Failure(f"the result of {endpoint} holds a secret, which a batch does not keep: use caxton call for each")
    in_flight = CONCURRENCY if concurrency is None else concurrency
    options = RunOptions(where=where, concurrency=in_flight, as_json=json, rows=rows, works=not no_work)
    return carry_out(configuration, options, begin_file(where, read, plan))
