"""What `SECURITY.md` says is shown by tests, which are there; and secrets are revealed in few places."""

import ast
import re
from collections import Counter

from tests.support.places import ROOT

# Where a secret is revealed, and why.
REVEALED = {
    "journal/postgres/connecting.py": 3,  # the DSN, to connect; and to show it without its password
    "cli/_output.py": 2,  # on the terminal, when asked for with --show; into a private file
    "cli/_profile_file.py": 1,  # the password of a profile, into a private file
    "cli/demo/setup.py": 1,  # the demo's password into a private file
    "protocol/codec/__init__.py": 1,  # the body
    "protocol/encoding.py": 1,  # the form
    "protocol/masking.py": 1,  # to mask it where the server repeats it
    "auth/stores/sqlite.py": 1,  # the token store
    "auth/stores/postgres.py": 1,  # the address of the store that is shared by machines
    "auth/stores/redis.py": 1,  # the same
    "auth/stores/sealed.py": 1,  # encrypted, for the store that is shared by machines
    "config/credentials.py": 2,  # the check for stray characters; the type of what is no password
    "config/variables.py": 1,  # the check of what a header can carry
    "auth/token.py": 1,  # put behind "Bearer", within another secret
    "auth/hold.py": 1,  # a refused password, to know it again by its digest
    "auth/login.py": 1,  # stripped, within another secret
    "transport/exchange.py": 1,  # the headers
    "protocol/request.py": 2,  # the check of what a header can carry; hashed, to tell one user from another
}


def calls_of_reveal(source: str) -> int:
    """Count the calls of `reveal` in a module."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return sum(isinstance(called, ast.Attribute) and called.attr == "reveal" for called in calls)


def test_secrets_are_revealed_in_few_places() -> None:
    """A new place that reveals a secret has to be entered here, with its reason."""
    package = ROOT / "caxton_async"
    found = {
        str(file.relative_to(package)): calls
        for file in package.rglob("*.py")
        if (calls := calls_of_reveal(file.read_text(encoding="utf-8")))
    }
    assert found == REVEALED


def test_every_test_that_is_cited_is_there() -> None:
    """Each promise of `SECURITY.md` names tests that are there, and no promise is made twice."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    cited = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    missing = [name for file, name in cited if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")]
    promises = re.findall(r"^\| ([A-Z`][^|]*) \|", text, re.MULTILINE)
    assert len(cited) > 30
    assert missing == []
    assert [promise for promise, times in Counter(promises).items() if times > 1] == []


def test_every_page_that_is_linked_is_there() -> None:
    """The links of `SECURITY.md` lead to pages of the documentation."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)]+)\)", text))
    assert {link for link in links if not (ROOT / link).exists()} == set()
