"""The file's plan over time: looks at the tables, readings of the file, and what goes wrong with either."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.configuration.fleet_file import load_fleet
from service.configuration.fleet_plan import FleetPlan, LeftOut
from service.errors import ConfigurationError, HaltError, RefusedError
from service.fleet.file_plans import LOOK_AGAIN_SECONDS, FilePlans
from tests.fakes.clock import FakeClock, run_virtual
from tests.fakes.table_list import FakeTableList

ORDERS = '[pipelines.orders]\nsource_table = "orders"\nreplica_table = "orders-copy"\n'
DISCOVER = '[discover]\nsource_tables = ["prod-*"]\nreplica_table = "{source_table}-copy"\n'
DISCOVERED = "prod-a--prod-a-copy"


class Stage:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.tables = FakeTableList({"prod-a": {}, "test-a": {}})

    def write(self, text: str) -> None:
        self._path.write_text(text)

    def play(self, text: str, story: Callable[[FilePlans], Awaitable[Any]]) -> Any:
        self.write(text)

        async def played() -> Any:
            file = load_fleet(self._path, {})
            return await story(FilePlans(self._path, file, self.tables.open, FakeClock(), {}))

        return run_virtual(played)

    def refuse(self) -> None:
        self.tables.faults.append(RefusedError("ListTables: AccessDenied", "AccessDenied"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "fleet.toml")


def test_the_pipelines_of_the_file_do_not_wait_for_the_first_look(stage: Stage) -> None:
    first: FleetPlan = stage.play(ORDERS + DISCOVER, lambda plans: plans.first())

    assert list(first.entries) == ["orders"]
    assert stage.tables.asked == []


def test_a_look_adds_the_tables_that_there_are(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        assert list((await plans.look()).entries) == ["orders", DISCOVERED]
        stage.tables.tables |= {"prod-b": {}}
        stage.tables.gone = {"prod-a"}
        assert list((await plans.look()).entries) == ["orders", "prod-b--prod-b-copy"]

    stage.play(ORDERS + DISCOVER, story)


def test_the_tables_are_looked_for_where_the_defaults_say(stage: Stage) -> None:
    text = '[defaults]\nsource_region = "eu-west-1"\nsource_profile = "reader"\n'
    stage.play(text + ORDERS + DISCOVER, lambda plans: plans.look())

    (settings,) = stage.tables.opened_for
    access = settings.side("source").access
    assert (access.region, access.profile) == ("eu-west-1", "reader")


def test_without_discover_no_table_is_looked_for(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        await plans.look()
        await plans.again()

    stage.play(ORDERS, story)

    assert stage.tables.opened_for == []


def test_looks_are_made_at_once_and_every_five_minutes(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        applied: list[list[str]] = []

        async def apply(plan: FleetPlan) -> None:
            applied.append(list(plan.entries))

        looking = asyncio.create_task(plans.keep_looking(apply))
        await asyncio.sleep(60)
        assert applied == [["orders", DISCOVERED]]
        stage.tables.gone = {"prod-a"}
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        assert applied[1:] == [["orders"]]
        stage.write(ORDERS)
        await plans.again()
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        assert len(applied) == 2
        looking.cancel()
        await asyncio.wait([looking])

    stage.play(ORDERS + DISCOVER, story)


def test_a_look_that_fails_keeps_what_was_known_and_tells_why(stage: Stage) -> None:
    async def story(plans: FilePlans) -> FleetPlan:
        await plans.look()
        stage.refuse()
        return await plans.look()

    kept: FleetPlan = stage.play(ORDERS + DISCOVER, story)

    assert list(kept.entries) == ["orders", DISCOVERED]
    assert kept.left_out == (LeftOut("[discover]", "the tables can't be listed: ListTables: AccessDenied"),)


def test_a_look_does_not_read_the_file_again(stage: Stage) -> None:
    async def story(plans: FilePlans) -> FleetPlan:
        stage.write("half a fi")
        return await plans.look()

    assert list(stage.play(ORDERS + DISCOVER, story).entries) == ["orders", DISCOVERED]


def test_the_file_is_read_again_when_asked(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        stage.write(ORDERS.replace("orders", "others") + DISCOVER)
        assert list((await plans.again()).entries) == ["others", DISCOVERED]
        assert list((await plans.look()).entries) == ["others", DISCOVERED]
        stage.write(ORDERS)
        assert list((await plans.again()).entries) == ["orders"]

    stage.play(ORDERS, story)


@pytest.mark.parametrize("text", ["", "[pipelines", ORDERS + "writers = 0\n", "admin_port = 9000\n" + ORDERS])
def test_a_file_with_an_error_changes_nothing(stage: Stage, text: str) -> None:
    async def story(plans: FilePlans) -> None:
        stage.write(text)
        with pytest.raises(ConfigurationError):
            await plans.again()
        assert list((await plans.look()).entries) == ["orders", DISCOVERED]

    stage.play(ORDERS + DISCOVER, story)


def test_a_setting_of_the_process_is_not_changed_while_it_runs(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        stage.write("admin_port = 9000\nlog_level = 'DEBUG'\n" + ORDERS)
        with pytest.raises(ConfigurationError) as caught:
            await plans.again()
        assert str(caught.value).splitlines() == [
            "admin_port: restart the process to change it",
            "log_level: restart the process to change it",
        ]

    stage.play(ORDERS, story)


def test_other_tables_that_can_not_be_listed_change_nothing(stage: Stage) -> None:
    """What is known is about the tables that were asked for before: their pipelines must go on."""

    async def story(plans: FilePlans) -> None:
        await plans.look()
        stage.write(DISCOVER.replace("prod-*", "test-*"))
        stage.refuse()
        with pytest.raises(ConfigurationError, match=r"\[discover\]: .*AccessDenied"):
            await plans.again()
        stage.refuse()
        assert list((await plans.look()).entries) == ["orders", DISCOVERED]

    stage.play(ORDERS + DISCOVER, story)


def test_the_same_tables_that_can_not_be_listed_do_not_hold_up_the_rest_of_the_file(stage: Stage) -> None:
    async def story(plans: FilePlans) -> FleetPlan:
        await plans.look()
        stage.write(ORDERS.replace("orders", "others") + DISCOVER)
        stage.refuse()
        return await plans.again()

    assert list(stage.play(ORDERS + DISCOVER, story).entries) == ["others", DISCOVERED]


def test_a_whole_plan_is_none_without_the_tables(stage: Stage) -> None:
    async def story(plans: FilePlans) -> None:
        assert list((await plans.whole()).entries) == ["orders", DISCOVERED]
        stage.refuse()
        with pytest.raises(HaltError, match="AccessDenied"):
            await plans.whole()

    stage.play(ORDERS + DISCOVER, story)


def test_which_tables_there_are_is_unknown_until_they_were_listed_once(stage: Stage) -> None:
    async def story(plans: FilePlans) -> list[str | None]:
        stage.refuse()
        unknown = [(await plans.first()).unknown, (await plans.look()).unknown, (await plans.look()).unknown]
        stage.refuse()
        return [*unknown, (await plans.look()).unknown]

    first, refused, listed, refused_later = stage.play(DISCOVER, story)
    assert first is not None
    assert "not looked at yet" in first
    assert refused is not None
    assert "can't be listed" in refused
    assert listed is None
    assert refused_later is None  # those that are known stay
    assert stage.play(ORDERS, lambda plans: plans.first()).unknown is None
