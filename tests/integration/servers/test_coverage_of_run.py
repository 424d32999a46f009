"""Which servers a run has, which tests it leaves out, and that it says so."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.servers.differences import DIFFERENCES, lacking, strictest
from tests.servers.process import ServerError
from tests.servers.start import ALL, chosen
from tests.support.coverage_of_run import FEW, library_lacking, thorough_alone, told


@pytest.mark.parametrize(
    ("named", "has_dynoxide", "expected"),
    [
        ("", True, ("moto", "ministack", "dynoxide")),
        ("", False, ("moto", "ministack")),
        ("dynoxide", False, ("dynoxide",)),  # asked for, so a run without it has to fail
        (" dynoxide , moto", True, ("moto", "dynoxide")),
    ],
)
def test_a_run_has_the_servers_that_are_named_and_else_those_that_can_be_had(named, has_dynoxide, expected):
    assert chosen({"TEST_SERVERS": named}, has_dynoxide=has_dynoxide) == expected


def test_a_server_that_is_none_is_refused():
    with pytest.raises(ServerError, match="dynamodb-local: no such server; there are moto, ministack, dynoxide"):
        chosen({"TEST_SERVERS": "moto,dynamodb-local"}, has_dynoxide=True)


def test_what_a_server_does_otherwise_is_told_of_tests_that_need_it_alone():
    assert lacking("dynoxide", ["binary values in records", "open shards have no end"]) is not None
    assert lacking("ministack", ["binary values in records", "open shards have no end"]) is None
    assert lacking("dynoxide", []) is None
    with pytest.raises(KeyError):
        lacking("moto", ["what no table says"])


def test_every_difference_is_of_a_server_that_is_there():
    assert {server for servers in DIFFERENCES.values() for server in servers} <= {*ALL, "aws"}


def test_a_test_for_one_server_gets_the_strictest_that_has_what_it_needs():
    assert strictest(ALL) == "dynoxide"
    assert strictest(ALL, ["open shards have no end"]) == "ministack"
    assert strictest(("moto",)) == "ministack"


def test_the_end_of_a_run_names_what_it_left_out():
    left_out = {"on moto: it can't": {f"tests/contract/test_{number}.py::test" for number in range(FEW + 2)}}
    lines = list(told(Counter({"tests/contract": 3}), ["tests/contract", "tests/unit"], Counter(moto=2), left_out))
    assert "tests: tests/contract 3" in lines
    assert "folders without a test in this run: tests/unit" in lines
    assert "servers: moto 2, ministack 0, dynoxide 0" in lines
    assert "left out on moto: it can't" in lines
    assert sum(line.startswith("    tests/contract/test_") for line in lines) == FEW
    assert lines[-1] == "    and 2 more"


def test_a_test_whose_library_this_machine_lacks_is_left_out_with_its_reason():
    assert library_lacking(["json"]) is None
    assert (
        library_lacking(["json", "no_such_library"]) == "without no_such_library, which is not there for this machine"
    )


def test_a_test_for_the_long_night_is_left_out_of_a_change_s_run_with_its_reason():
    assert thorough_alone(["it takes long"], is_thorough=True) is None
    assert thorough_alone([], is_thorough=False) is None
    assert thorough_alone(["it takes long"], is_thorough=False) == "without TEST_THOROUGHLY=1: it takes long"
