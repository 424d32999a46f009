"""The cases of many pipelines in one process: what one of them costs the others, and what many cost together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks import fleet
from benchmarks.cases import Figure, Runner
from benchmarks.fleet import Phase
from benchmarks.measuring import median

PER_SECOND = 4.0
"""Changes of each pipeline."""
POINTS = (1, 10, 50)
STEADY_SECONDS = {1: 30.0, 10: 15.0, 50: 12.0}
"""Of each point: one pipeline's changes are few."""


def fleet_figures(runner: Runner) -> Iterator[Figure]:
    yield from _steady(runner)
    yield from _busy(runner)
    yield from _troubles(runner)


def percentile(values: Sequence[float], share: float) -> float:
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * share))]


def _steady(runner: Runner) -> Iterator[Figure]:
    """From the moment when a change can be read: with the wait for the next poll of its shard, up to 250 ms."""
    whole: dict[int, float] = {}
    for pipelines in POINTS:
        case = f"steady, {pipelines} pipelines"
        seconds = 8.0 if runner.is_quick else STEADY_SECONDS[pipelines]
        samples, of_core = fleet.steady(pipelines, PER_SECOND, runner.behind, seconds)
        latencies, after = [each.latency for each in samples], [each.after_read for each in samples]
        whole[pipelines] = percentile(latencies, 0.99)
        each_alone = [
            percentile([each.latency for each in samples if each.pipeline == number], 0.99)
            for number in range(pipelines)
        ]
        p99 = whole[pipelines] * 1000
        runner.tell(f"{case:28} p99 {p99:9,.0f} ms {percentile(after, 0.99) * 1000:9,.1f} ms from its read on")
        yield Figure(case, "p50 latency", percentile(latencies, 0.5) * 1000, "ms")
        yield Figure(case, "p99 latency", p99, "ms")
        yield Figure(case, "p99 latency, the slowest pipeline's", max(each_alone) * 1000, "ms")
        yield Figure(case, "p50 from the read on", percentile(after, 0.5) * 1000, "ms")
        yield Figure(case, "p99 from the read on", percentile(after, 0.99) * 1000, "ms")
        yield Figure(case, "of a core", of_core * 100, "%")
    ratio = whole[POINTS[-1]] / whole[POINTS[0]]
    yield Figure(
        f"steady, {POINTS[-1]} pipelines", "p99 to one pipeline's", ratio, "x", 2, is_ceiling=True, decides=True
    )


def _busy(runner: Runner) -> Iterator[Figure]:
    """The same records in all, in the streams of so many pipelines from the start."""
    records = 40_000 if runner.is_quick else 200_000
    rates: dict[int, list[float]] = {pipelines: [] for pipelines in POINTS}
    violations = 0
    for _ in range(1 if runner.is_quick else 2):
        for pipelines in POINTS:
            found = runner.told(f"busy, {pipelines} pipelines", fleet.busy(pipelines, records, runner.behind))
            rates[pipelines].append(found.rate)
            violations += found.order_violations
    for pipelines in POINTS:
        yield Figure(f"busy, {pipelines} pipelines", "rate", median(rates[pipelines]), "records/s")
    for pipelines in POINTS[1:]:
        ratio = max(many / one for many, one in zip(rates[pipelines], rates[1], strict=True))
        is_bound = pipelines == POINTS[-1]
        target = 0.9 if is_bound else None
        yield Figure(f"busy, {pipelines} pipelines", "to one pipeline's rate", ratio, "x", target, decides=is_bound)
    yield Figure("busy", "order violations", violations, "", 0, is_ceiling=True, decides=True)


def _troubles(runner: Runner) -> Iterator[Figure]:
    """What befalls one of ten pipelines: the p99 of the other nine, to when all are healthy."""
    found = fleet.troubles(PER_SECOND, runner.behind, 4.0 if runner.is_quick else 6.0)

    def p99(phases: Sequence[Phase], *, after_read: bool = False) -> float:
        each = [[one.after_read if after_read else one.latency for one in phase.samples] for phase in phases]
        return median([percentile(values, 0.99) for values in each])

    healthy, healthy_after = p99(found["healthy"]), p99(found["healthy"], after_read=True)
    for name, phases in found.items():
        case = f"one of ten: {name}"
        runner.tell(f"{case:34} p99 of the others {p99(phases) * 1000:6,.0f} ms")
        yield Figure(case, "p99 of the others", p99(phases) * 1000, "ms")
        yield Figure(case, "p99 of the others, from the read on", p99(phases, after_read=True) * 1000, "ms")
        yield Figure(case, "of a core", median([phase.of_core for phase in phases]) * 100, "%")
        if name != "healthy":
            ratio = p99(phases) / healthy
            yield Figure(case, "to all healthy", ratio, "x", 1.2, is_ceiling=True, decides=name != "full backlog")
            after = p99(phases, after_read=True) / healthy_after
            yield Figure(case, "to all healthy, from the read on", after, "x")
