"""The version, with the package's metadata and without."""

import sys
from importlib.metadata import version

import pytest

from caxton_async.version import own_version


def test_the_version_is_that_of_the_metadata() -> None:
    """An installed package knows its version."""
    assert own_version() == version("caxton-async")


def test_a_package_without_metadata_has_an_unknown_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip file or a frozen program holds no metadata, and the client works all the same."""
    version("caxton-async")  # so that nothing is left to import
    monkeypatch.setattr(sys, "meta_path", [])

    assert own_version() == "unknown"
