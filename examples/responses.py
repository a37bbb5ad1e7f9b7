"""What a web service answers to each error of the client: its callers learn whether they may ask again."""

from caxton_async import AlreadyResolved, ApiError, CaxtonError, InProgress, InvalidRequest, OutcomeUnknown


def status_for(error: CaxtonError) -> int:
    """Return the HTTP status of the answer."""
    match error:
        case OutcomeUnknown():
            return 502  # it may have been paid; the same key gives this answer until a person resolves it
        case InProgress() | AlreadyResolved():
            return 409  # another process is paying it, or a person found out that it was paid
        case InvalidRequest():
            return 422  # the request cannot be sent, or its key stands for another one
        case ApiError():
            return 503 if error.safe_to_retry else 422  # the API was busy, or it refused the payment
        case _:
            return 503  # nothing was sent: the login, the network or the settings failed


def body_for(error: CaxtonError) -> dict[str, str | None]:
    """Return the JSON of the answer: no message of the library holds a secret or a full account number."""
    return {
        "error": type(error).__name__,
        "message": str(error),
        "sent": error.sent.value,
        "correlation_id": error.correlation_id,
    }
