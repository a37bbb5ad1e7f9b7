"""The batch script of `examples` pays each row once, though it is killed or ended under way."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.support.programs import open_programs


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
async def test_a_batch_script_that_stops_pays_each_row_once(tmp_path: Path, number: signal.Signals) -> None:
    """Started again it pays what is left, and only a kill leaves outcomes unknown; a third start pays nothing."""
    rows = range(101, 301)
    (tmp_path / "may.csv").write_text(
        "\n".join(["invoice,amount", *(f"invoice-{pence},{pence / 100:.2f}" for pence in rows)])
    )
    command = ("-m", "examples.batch_script", str(tmp_path / "may.csv"))
    async with open_programs(tmp_path, latency_s=0.05) as programs:
        process = await programs.start(*command)
        await programs.emulator.seen("move_funds", 30)
        first = await programs.end(process, number)
        codes = [await programs.wait(await programs.start(*command)) for _ in range(2)]

        recorded = programs.recorded()
        unknown = {pence for pence in rows if (f"invoice-{pence}", "unknown") in recorded}
        assert (first, bool(unknown)) == ((-number, True) if number == signal.SIGKILL else (5, False))
        assert codes == [4 if unknown else 0] * 2
        assert recorded == Counter(
            (f"invoice-{pence}", "unknown" if pence in unknown else "accepted") for pence in rows
        )
        moved = programs.moved()
        assert set(moved.values()) == {1}
        assert {(None, pence) for pence in rows if pence not in unknown} <= set(moved)
        assert programs.emulator.count("move_funds") <= len(rows)
