"""I5: the writes of one process end before those of its successor begin."""

from __future__ import annotations

from tests.support.histories.player import Stage


def check_one_writer(stage: Stage) -> None:
    """No write of a generation ends after the first write of a later one has begun."""
    for generation, _, end in stage.writes:
        later = [start for other, start, _ in stage.writes if other > generation]
        assert not later or end <= min(later), f"the generation {generation} wrote until {end}, another from {later[0]}"
