"""What a check tells of where a table is: nothing that signs a person in."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.aws.inspection import DynamoInspection
from service.configuration.settings import load_settings
from tests.fakes.clock import FakeClock

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}


@pytest.mark.parametrize("side", ["source", "replica", "control"])
def test_an_address_is_told_without_its_user_and_password(side: str) -> None:
    connection = SimpleNamespace(url="http://user:hush@localhost:8000/", control=None)
    connections = cast("Any", SimpleNamespace(source=connection, replica=connection))

    inspection = DynamoInspection(load_settings(TABLES), connections, FakeClock())

    assert inspection.address(side) == "http://…@localhost:8000/"
