"""`caxton pause`: no process sends rows of a batch any more, until a person lets it go on."""

from caxton_async.cli._batches import existing_journal, find_batch, show_batch, who_decides
from caxton_async.cli._exit_codes import Failure


def pause(batch: str, /, *, note: str, by: str | None = None, journal: str | None = None, json: bool = False) -> int:
    """Stop a batch wherever it is sent: what is in flight ends, and the rest waits for caxton resume.

    Args:
        batch: The id or the name of the batch, or the path of its input.
        note: Why.
        by: Who says so; you, if not given.
        journal: The journal of the batch.
        json: Print the batch as JSON.
    """
    if not note.strip():
        raise Failure("say why it is paused: --note TEXT")
    with existing_journal(journal) as opened:
        info = find_batch(opened, batch)
        opened.pause(info.id, f"{who_decides(by)}: {note}")
        return show_batch(opened, info, as_json=json)
