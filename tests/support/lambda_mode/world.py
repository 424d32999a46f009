"""Random batches of an event source mapping on a world, and steps of the source's writers meanwhile."""

from __future__ import annotations

import asyncio

from hypothesis import strategies as st

from service.configuration.settings import load_settings
from service.errors import ThrottledError
from service.model import ViewType
from tests.fakes.event_source import Mapping
from tests.fakes.faults import FaultPlan, Rates
from tests.fakes.stream import Timing
from tests.fakes.world import World

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 3), st.integers(0, 1)),
        st.tuples(st.just("delete"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.02, 0.3, 2.0])),
        st.tuples(st.just("slow"), st.integers(1, 7)),
    ),
    min_size=5,
    max_size=60,
)


def mappings(**fixed):
    free = {
        "seed": st.integers(0, 2**32 - 1),
        "batch_size": st.sampled_from([1, 3, 10, 100]),
        "parallelization": st.sampled_from([1, 2, 10]),
        "bisects": st.booleans(),
        "window_seconds": st.sampled_from([0.0, 1.0]),
        "crashes": st.sampled_from([0.0, 0.3]),
        "timeouts": st.sampled_from([0.0, 0.4]),
        "lost_answers": st.sampled_from([0.0, 0.3]),
        "repeats": st.sampled_from([0.0, 0.3]),
        "late_repeats": st.sampled_from([0.0, 0.3]),
    }
    return st.builds(Mapping, **(free | {name: st.just(value) for name, value in fixed.items()}))


def world_of(mapping, view_type=ViewType.NEW_AND_OLD_IMAGES, *, has_faults=False, shards=1):
    rates = dict.fromkeys(("source", "replica", "control"), Rates.wild()) if has_faults else {}
    return World(
        mapping.seed,
        view_type=view_type,
        shards=shards,
        timing=Timing(record_delay=(0.0, 2.0)),
        plan=FaultPlan(mapping.seed, rates),
        max_latency=0.05,
    )


def settings_of(**named):
    tables = {"source_table": "master-table", "replica_table": "replica-table", "writers": "4"}
    return load_settings({f"DYNAMIRROR_{name.upper()}": value for name, value in (tables | named).items()})


async def perform(world, steps):
    for kind, *rest in steps:
        if kind == "put":
            world.source.put({"key": {"S": f"k{rest[0]}"}, "value": {"N": str(rest[1])}})
        elif kind == "delete":
            world.source.delete({"key": {"S": f"k{rest[0]}"}})
        elif kind == "slow":
            for call in ("replica.put", "replica.delete"):
                world.plan.fail_next(call, ThrottledError("slow down", "ThrottlingException"), times=rest[0])
        else:
            await asyncio.sleep(rest[0])
        await asyncio.sleep(0.01)
