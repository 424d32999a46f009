"""The demo from its beginning to its end: emulator, service, writer and display in one event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from service.app import Running, serve
from service.configuration.environment import PREFIX
from service.configuration.settings import Settings, load_settings
from service.demo.emulator import REGION, REPLICA, SOURCE, Tables, running_emulator, use_dummy_credentials
from service.demo.scene import Changes, Scene, look
from service.demo.screen import Screen
from service.demo.writer import Writer
from service.fleet.plans import EnvironmentPlan
from service.observability.log_setup import configure_log

HONOURED = ("ADMIN_PORT", "LOG_FORMAT", "LOG_LEVEL", "LOG_RECORDS")
"""What the environment may say to the demo; the rest is the demo's own, whatever pipeline is set up there."""
LOOK_EVERY_SECONDS = 0.5
CONVERGE_SECONDS = 5.0
"""How long the end waits for the last changes to arrive."""


def demo_settings(emulator_url: str, environment: Mapping[str, str], admin_port: int | None = None) -> Settings:
    """The demo's own; no `.env` file is read. `admin_port` is one that was found free. Raises ConfigurationError."""
    honoured = {name: environment[name] for name in (f"{PREFIX}{each}" for each in HONOURED) if name in environment}
    given = {
        "DYNAMIRROR_LOG_FORMAT": "text",
        "DYNAMIRROR_LOG_LEVEL": "WARNING",
        **honoured,
        "DYNAMIRROR_SOURCE_TABLE": SOURCE,
        "DYNAMIRROR_REPLICA_TABLE": REPLICA,
        "DYNAMIRROR_SOURCE_REGION": REGION,
        "DYNAMIRROR_REPLICA_REGION": REGION,
        "DYNAMIRROR_SOURCE_ENDPOINT_URL": emulator_url,
        "DYNAMIRROR_REPLICA_ENDPOINT_URL": emulator_url,
    }
    return load_settings(given if admin_port is None else {**given, "DYNAMIRROR_ADMIN_PORT": str(admin_port)})


async def show(console: Console, seconds: float | None = None) -> None:
    """Until SIGINT, SIGTERM or `seconds` are over; then the tables are given time to become equal.

    A second signal ends it at once. Raises HaltError.
    """
    use_dummy_credentials()
    ending = asyncio.Event()
    with _signals_set(ending), running_emulator() as emulator_url:
        async with Tables(emulator_url) as tables:
            await tables.create()
            writer = Writer(tables)
            await writer.begin()
            wanted = demo_settings(emulator_url, os.environ).admin_port
            notes, port = [], _free_port(wanted)
            if wanted and port != wanted:
                notes.append(f"port {wanted} is taken: the admin API listens on {port}")
            settings = demo_settings(emulator_url, os.environ, port)
            configure_log(settings)
            await _Show(console, notes, tables, writer, settings, ending).run(seconds)


@dataclass(frozen=True)
class _Show:
    """The service, the writer and the display, side by side."""

    console: Console
    notes: list[str]
    tables: Tables
    writer: Writer
    settings: Settings
    ending: asyncio.Event
    changes: Changes = field(default_factory=Changes)

    async def run(self, seconds: float | None) -> None:
        """Returns when the service has stopped in order. Raises what the service raises, in a group."""
        announced: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            service = serve(EnvironmentPlan(self.settings), announce=announced.set_result)
            tasks.create_task(service, name="service")
            running = await announced
            emulator_url = str(self.settings.source_endpoint_url)
            with Screen(self.console, self.notes, running.url, emulator_url) as screen:
                await self._act(running, screen, seconds)
            running.stop()

    async def _act(self, running: Running, screen: Screen, seconds: float | None) -> None:
        writing = asyncio.create_task(self.writer.write(), name="writer")
        try:
            async with asyncio.timeout(seconds):
                while not self.ending.is_set() and not writing.done():
                    screen.show(await self._look(running))
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        except TimeoutError:
            pass
        finally:
            writing.cancel()
            await asyncio.wait([writing])
        if not writing.cancelled():
            writing.result()
        screen.end(await self._until_equal(running))

    async def _until_equal(self, running: Running) -> Scene:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + CONVERGE_SECONDS
        while True:
            scene = await self._look(running)
            if scene.is_equal or loop.time() > give_up_at:
                return scene
            await asyncio.sleep(LOOK_EVERY_SECONDS / 5)

    async def _look(self, running: Running) -> Scene:
        return await look(self.tables, self.changes, running.console.status, self.settings.metadata_attributes)


def _free_port(wanted: int) -> int:
    """That one, or any other that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise AssertionError("some port is free")


@contextmanager
def _signals_set(ending: asyncio.Event) -> Iterator[None]:
    """The first signal sets the event, the second one cancels what is under way."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def on_signal() -> None:
        if ending.is_set():
            task.cancel()
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
