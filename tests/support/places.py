"""Where the tests find the project and the documented examples."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = ROOT / "tests" / "samples"
