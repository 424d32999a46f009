"""The line from which CloudWatch makes the function's metric, as the embedded metric format has it."""

from __future__ import annotations

import json
import sys

from service.events import DeadLettered, Warned
from service.lambda_mode.dead_letter_metric import METRIC, NAMESPACE, DeadLetterMetric, write_line
from tests.fakes.clock import EPOCH
from tests.fakes.world import World
from tests.support.lambda_mode.batches import apply, item, records

LETTER = DeadLettered("id", "shard", None, b'{"key":{"S":"a person"}}', "too large", 1)


def lines_of(*events):
    lines = []
    metric = DeadLetterMetric("master--replica", lambda: EPOCH, lines.append)
    for event in events:
        metric.observe(event)
    return lines


def test_a_dead_letter_is_a_line_of_the_embedded_metric_format():
    (line,) = lines_of(LETTER)
    found = json.loads(line)
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert found["_aws"].keys() == {"Timestamp", "CloudWatchMetrics"}
    assert directive == {
        "Namespace": NAMESPACE,
        "Dimensions": [["pipeline"]],
        "Metrics": [{"Name": METRIC, "Unit": "Count"}],
    }
    assert found["_aws"]["Timestamp"] == EPOCH * 1000
    assert isinstance(found["_aws"]["Timestamp"], int)
    # All that a directive names is a member of the root: a dimension as text, a metric as a number.
    assert found["pipeline"] == "master--replica"
    assert found[METRIC] == 1
    assert "\n" not in line


def test_the_line_holds_nothing_of_the_item():
    (line,) = lines_of(LETTER)
    assert "person" not in line
    assert "too large" not in line


def test_nothing_is_written_where_nothing_became_a_dead_letter():
    assert lines_of(Warned("topic", "text")) == []


async def test_a_batch_with_a_dead_letter_writes_one_line_for_it_and_none_for_the_rest():
    world = World(seed=3)
    world.source.put(item() | {"rename": {"BOOL": True}})
    world.source.put(item("key2"))
    lines = []
    observers = [DeadLetterMetric("master--replica", lambda: EPOCH, lines.append)]
    await apply(world, records(world), observers=observers, transform="tests.support.transforms:renaming")
    assert len(lines) == 1


def test_the_line_goes_to_standard_output_and_a_closed_one_ends_nothing(capsys, monkeypatch, tmp_path):
    write_line("a line")
    assert capsys.readouterr().out == "a line\n"
    with (tmp_path / "closed").open("w") as closed:
        pass
    monkeypatch.setattr(sys, "stdout", closed)
    write_line("a line")
