"""Files that the tests of inputs read."""

from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path: Path):
    """Write bytes or text to a file of the given name."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
