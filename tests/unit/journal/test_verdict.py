"""What a journal keeps of an error: no account number in any spelling."""

import pytest

from caxton_async.journal.verdict import masked


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("account 12345678.", "account ***."),
        ("account 1234 5678 sort code 20-00-00", "account *** sort code ***"),
        ("account 1234-5678 (old)", "account *** (old)"),
        ("account 12345 is closed", "account *** is closed"),
        ("IBAN GB33 BUKB 2020 1555 5555 55 is closed", "IBAN *** is closed"),
        ("iban gb33bukb20201555555555.", "iban ***."),
        ("HTTP 503 after 30 s, status 217 of 1 row", "HTTP 503 after 30 s, status 217 of 1 row"),
    ],
)
def test_an_account_number_is_masked_in_every_spelling(said: str, kept: str) -> None:
    """Numbers that stand for money are masked, whole or in groups; statuses and seconds stay."""
    assert masked(said) == kept
