"""The version, with the package's metadata and without."""

import importlib.metadata

import pytest

from caxton_async.version import own_version


def test_the_version_is_that_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package knows its version."""
    monkeypatch.setattr(importlib.metadata, "version", {"caxton-async": "1.2.3"}.__getitem__)

    assert own_version() == "1.2.3"


def test_a_package_without_metadata_has_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip file or a frozen program holds no metadata, and the client works all the same."""
    monkeypatch.setattr(importlib.metadata.Distribution, "discover", lambda **_: iter(()))

    assert own_version() == "unknown"
