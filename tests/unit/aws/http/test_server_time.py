"""service.aws.http.server_time: AWS's time by the dates of its answers."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.aws.http.server_time import ServerTime, ServerTimes


class Machine:
    """A wall clock that may be wrong and set, a steady one, and AWS, whose time is right."""

    def __init__(self, behind: float = 0.0) -> None:
        """`behind`: by so much the wall clock is behind AWS's."""
        self.aws = 1_750_000_000.0
        self.behind = behind
        self._up_since = self.aws - 5000.0
        self.asleep = 0.0
        self.time = ServerTime(self.steady, self.wall)
        self.times = ServerTimes(self.time)

    def steady(self) -> float:
        return self.aws - self._up_since - self.asleep

    def wall(self) -> float:
        return self.aws - self.behind

    def answer(self, *, to: float = 0.01, back: float = 0.01, wrong: float = 0.0, late: float = 0.0) -> None:
        """One exchange; `wrong`: its date is off by that, `late`: its date is that old."""
        sent = self.steady()
        self.aws += to
        date = formatdate(int(self.aws + wrong - late), usegmt=True)
        self.aws += back
        self.time.heard(date, sent)

    def answers(self, number: int, **how: float) -> None:
        for _ in range(number):
            self.aws += 1.1
            self.answer(**how)

    def error(self) -> float:
        return abs(self.times.now() - self.aws)


def test_without_an_answer_the_wall_clock_counts() -> None:
    machine = Machine(behind=7.0)
    assert machine.times.now() == machine.wall()
    assert machine.times.offset() is None


@pytest.mark.parametrize("behind", [120.0, -150.0, 30.0, 3600 * 25.0, -3600 * 25.0])
def test_one_answer_is_enough_to_know_the_time_to_a_second(behind: float) -> None:
    machine = Machine(behind)
    machine.answer()
    assert machine.error() <= 1.0
    offset = machine.times.offset()
    assert offset is not None
    assert abs(offset - behind) <= 1.0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a time on a busy machine proves nothing
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 1), st.floats(0, 5)), max_size=80),
    st.sampled_from([0.0, 0.0001]),
)
def test_clocks_that_agree_bring_no_jitter(exchanges: list[tuple[float, float, float, float]], behind: float) -> None:
    """However slow the answers are, and although a server may date them up to a second late."""
    machine = Machine(behind)
    for to, back, late, pause in exchanges:
        machine.aws += pause
        machine.answer(to=to, back=back, late=late)
        assert machine.times.now() == pytest.approx(machine.wall(), abs=behind + 1e-5)
    assert machine.times.offset() in (None, pytest.approx(0.0, abs=behind + 1e-5))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a time on a busy machine proves nothing
@given(st.floats(-1e6, 1e6), st.integers(0, 2**32))
def test_the_time_is_never_wrong_by_more_than_the_slowest_exchange_allows(behind: float, seed: int) -> None:
    machine, luck = Machine(behind), random.Random(seed)
    machine.answer()
    for _ in range(100):
        machine.aws += luck.uniform(0, 3)
        machine.answer(to=luck.uniform(0, 0.2), back=luck.uniform(0, 0.2), late=luck.uniform(0, 1))
        assert machine.error() <= 2.5


@pytest.mark.parametrize("step", [3600.0, -3600.0, 40.0, -0.4])
def test_a_wall_clock_that_is_set_does_not_move_the_time(step: float) -> None:
    machine = Machine()
    machine.answers(5)
    machine.behind -= step
    assert machine.error() < 0.01
    machine.answers(200)
    assert machine.error() < 0.01
    offset = machine.times.offset()
    assert offset is not None
    assert abs(offset + step) < 0.01


@pytest.mark.parametrize("behind", [0.0, 500.0])
def test_after_a_sleep_that_the_steady_clock_did_not_count_one_answer_sets_it_right(behind: float) -> None:
    machine = Machine(behind)
    machine.answers(5)
    machine.aws += 7200
    machine.asleep += 7200
    machine.answers(1)
    assert machine.error() < 1.0


def test_when_aws_itself_jumps_two_answers_are_believed() -> None:
    machine = Machine()
    machine.answers(5)
    machine.answers(1, wrong=300.0)
    assert machine.error() < 0.01
    machine.answers(1, wrong=300.0)
    assert abs(machine.times.now() - machine.aws - 300.0) < 1.0


def test_what_is_forgotten_leaves_the_wall_clock() -> None:
    machine = Machine(behind=300.0)
    machine.answers(5)
    machine.times.forget()
    assert machine.times.now() == machine.wall()
    assert machine.times.offset() is None
    machine.answers(1)
    assert machine.error() < 1.0


def test_one_answer_that_is_dated_wrong_changes_nothing() -> None:
    machine = Machine()
    machine.answers(5)
    machine.answers(1, wrong=86400.0)
    assert machine.error() < 0.01
    machine.answers(1)
    machine.answers(1, wrong=86400.0)
    assert machine.error() < 0.01


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 11:12:58 GMT", "fri, x, y"])
def test_a_date_that_is_none_tells_nothing(date: str | None) -> None:
    machine = Machine(behind=100.0)
    machine.time.heard(date, machine.steady())
    assert machine.times.offset() is None


def test_of_several_endpoints_the_streams_counts_until_it_is_silent() -> None:
    machine = Machine()
    stream, table = machine.time, ServerTime(machine.steady, machine.wall)
    times = ServerTimes(stream, table)

    table.heard(formatdate(machine.aws + 500), machine.steady())
    assert times.now() == pytest.approx(machine.aws + 500, abs=1)
    assert times.at(stream) == times.now()
    stream.heard(formatdate(machine.aws - 500), machine.steady())
    assert times.now() == pytest.approx(machine.aws - 500, abs=1)
    assert times.at(table) == pytest.approx(machine.aws + 500, abs=1)
    machine.aws += 100
    table.heard(formatdate(machine.aws + 500), machine.steady())
    assert times.now() == pytest.approx(machine.aws + 500, abs=1)
