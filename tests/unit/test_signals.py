"""What a signal does to the work of a process: it ends in order, in time, and a second one ends it at once.

Signals and threads are real, so real time passes: what a stop without any time gets.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from service.signals import Signals, StoppedError, run_until_signal

CODE = 77


def send(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


class Ended(BaseException):
    """Stands for the end of the process."""


class Process:
    """Takes the place of `os._exit`."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.has_ended = threading.Event()

    def end(self, code: int) -> None:
        self.codes.append(code)
        self.has_ended.set()
        if threading.current_thread() is threading.main_thread():
            raise Ended


@pytest.fixture(autouse=True)
def _hang_up_is_heard() -> Iterator[None]:
    """Whoever runs the tests may have it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def process() -> Process:
    return Process()


def signals_of(process: Process, patience_seconds: float = 0) -> Signals:
    return Signals(patience_seconds, code_if_cut=CODE, end=process.end)


def test_work_that_ends_gives_its_result(process: Process) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    async def work() -> int:
        return 7

    assert run_until_signal(work(), "unused", signals_of(process)) == 7
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before
    assert process.codes == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_work_in_order_and_says_what_that_means(process: Process, number: signal.Signals) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            send(number)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("in order")

    with pytest.raises(StoppedError, match="stopped: it goes on"):
        run_until_signal(work(), "it goes on", signals_of(process, patience_seconds=600))
    assert ended == ["in order"]
    assert process.codes == []


@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_the_process_at_once(
    process: Process, first: signal.Signals, second: signal.Signals
) -> None:
    async def work() -> None:
        try:
            send(first)
            await asyncio.sleep(60)
        finally:
            send(second)
            await asyncio.sleep(60)

    with pytest.raises(Ended):
        run_until_signal(work(), "unused", signals_of(process, patience_seconds=600))
    assert process.codes == [CODE]


def test_work_that_takes_a_stop_over_is_told_once_and_ends_by_itself(process: Process) -> None:
    signals = signals_of(process, patience_seconds=600)

    async def work() -> str:
        stopping = asyncio.Event()
        with signals.answered_with(stopping.set):
            send()
            await stopping.wait()
            await asyncio.sleep(0)
        return "in order"

    assert run_until_signal(work(), "unused", signals) == "in order"


def test_an_end_that_hangs_is_cancelled_when_its_time_is_up(
    process: Process, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.signals.END_AFTER_SECONDS", 600.0)  # a busy machine may not run us for that second

    async def work() -> None:
        try:
            send()
            await asyncio.sleep(60)
        finally:
            await asyncio.Event().wait()

    with pytest.raises(StoppedError):
        run_until_signal(work(), "unused", signals_of(process))
    assert process.codes == []
    assert "cut short" in "".join(capsys.readouterr())


def test_what_blocks_the_event_loop_itself_is_left_behind_when_its_time_is_up(
    process: Process, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.signals.LAST_WORDS_SECONDS", 600.0)  # it ends as soon as they are said

    async def work() -> None:
        send()
        while not process.has_ended.is_set():
            time.sleep(0.01)  # noqa: ASYNC251  a transform, or a log that nobody reads

    run_until_signal(work(), "unused", signals_of(process))
    assert process.codes == [CODE]
    assert "cut short" in "".join(capsys.readouterr())


def test_a_terminal_that_is_closed_may_say_so_twice(process: Process) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            send(signal.SIGHUP)
            await asyncio.sleep(60)
        finally:
            send(signal.SIGHUP)
            await asyncio.sleep(0)
            ended.append("in order")

    with pytest.raises(StoppedError):
        run_until_signal(work(), "it goes on", signals_of(process, patience_seconds=600))
    assert ended == ["in order"]
    assert process.codes == []


def test_under_nohup_a_closed_terminal_ends_nothing(process: Process) -> None:
    async def work() -> int:
        send(signal.SIGHUP)
        for _ in range(100):  # a stop would be here by now
            await asyncio.sleep(0)
        return 7

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run_until_signal(work(), "unused", signals_of(process)) == 7
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
