"""service.fleet.budgets: what the pipelines of a process have together is no more than the process has."""

from __future__ import annotations

import pytest

from service.configuration.settings import ProcessSettings
from service.fleet.budgets import Budgets
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize("pipelines", [1, 2, 50, 64, 65, 1000])
def test_the_queues_of_all_pipelines_together_keep_to_the_processs_bound(pipelines: int) -> None:
    bound = 64 * 1024 * 1024
    budgets = Budgets(ProcessSettings(queue_max_bytes=bound), FakeClock())
    each = budgets.allowance(pipelines).queue_max_bytes
    assert 0.99 * bound <= each * pipelines <= bound


def test_a_bound_of_less_than_a_byte_each_leaves_every_pipeline_a_change_at_a_time() -> None:
    assert Budgets(ProcessSettings(queue_max_bytes=10), FakeClock()).queue_bytes_of_each(100) == 1
