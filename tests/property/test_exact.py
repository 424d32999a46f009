"""I6: the replica's item is the source's item, whatever is in it, plus only the configured metadata."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dynamodb_json.items import same_item
from service.dynamodb_json.keys import KeyReader
from service.events import Observers
from service.model import Image, KeyAttribute, SequenceNumber
from service.replication.writing.item_shape import Shape
from service.replication.writing.metadata import Metadata
from tests.fakes.clock import ManualClock, run_virtual
from tests.fakes.images import BINARY_KEY, COMPOSITE_KEY, NUMBER_KEY, STRING_KEY, item_of
from tests.support.histories.player import Stage
from tests.support.histories.random_histories import Setting, slow

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# 38 digits, and a magnitude from 1E-130 to 9.99E+125 (Developer Guide, "Service quotas": numbers)
numbers = st.one_of(
    st.sampled_from(["1E-130", "-9.9999999999999999999999999999999999999E+125", "0", "-0", "1.0", "1" * 38]),
    st.builds(
        lambda digits, exponent: str(Decimal(digits).scaleb(exponent, Context(prec=60))),
        st.integers(-(10**38) + 1, 10**38 - 1),
        st.integers(-60, 60),
    ).filter(lambda text: Decimal(text) != 0),
)
binaries = st.binary(max_size=8).map(lambda raw: base64.b64encode(raw).decode())


def several(values):
    return st.lists(values, min_size=1, max_size=3, unique=True)


scalars = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": number}),
    binaries.map(lambda binary: {"B": binary}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.sampled_from([{"S": ""}, {"B": ""}, {"L": []}, {"M": {}}]),
    several(texts).map(lambda found: {"SS": found}),
    several(st.integers(-(10**37), 10**37).map(str)).map(lambda found: {"NS": found}),
    several(binaries).map(lambda found: {"BS": found}),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"L": found}),
        st.dictionaries(texts, inner, max_size=3).map(lambda found: {"M": found}),
    ),
    max_leaves=8,
)
OWN = {"timestamp", "dynamirror_sequence", "pk", "sk", "id", "digest", "key"}
names = st.one_of(
    texts.filter(bool), st.sampled_from(["value", 'quo"te', "back\\slash", "é", "Keys", "_timestamp", "a.b"])
).filter(lambda name: name not in OWN and not name.startswith("aws:rep:"))
contents = st.dictionaries(names, values, max_size=4)
KEYS = {
    STRING_KEY: st.fixed_dictionaries({"key": texts.filter(bool).map(lambda text: {"S": text})}),
    NUMBER_KEY: st.fixed_dictionaries({"id": numbers.map(lambda number: {"N": number})}),
    BINARY_KEY: st.fixed_dictionaries(
        {"digest": st.binary(min_size=1, max_size=4).map(lambda raw: {"B": base64.b64encode(raw).decode()})}
    ),
    COMPOSITE_KEY: st.fixed_dictionaries(
        {"sk": numbers.map(lambda number: {"N": number}), "pk": texts.filter(bool).map(lambda text: {"S": text})}
    ),
}
schemas = st.sampled_from(list(KEYS))
items = schemas.flatmap(
    lambda keys: st.tuples(
        st.just(keys),
        st.lists(st.builds(lambda content, key: {**content, **key}, contents, KEYS[keys]), min_size=1, max_size=8),
    )
)


def shape_for(keys: tuple[KeyAttribute, ...], **options) -> Shape:
    return Shape(
        key_names=tuple(key.name for key in keys),
        clock=ManualClock(),
        observer=Observers(),
        metadata=Metadata(
            stamp_attribute="timestamp",
            sequence_attribute="dynamirror_sequence",
            keys=keys,
            observer=Observers(),
        ),
        **options,
    )


@given(items)
def test_an_item_that_nothing_changes_keeps_every_byte_and_gains_its_metadata(found):
    keys, several_items = found
    shape = shape_for(keys)
    for item in several_items:
        image = Image(json.dumps(item).encode())
        projected = shape.project(image)
        assert projected is not None
        assert projected == image
        dressed = shape.add_metadata(projected, SequenceNumber(7))
        assert dressed.endswith(image[1:])
        assert same_item(dressed, image, shape.metadata)
        assert item_of(dressed).keys() - item.keys() == {"timestamp", "dynamirror_sequence"}
        assert item_of(dressed)["dynamirror_sequence"] == {"S": "7".zfill(40)}


@given(items)
def test_a_projection_and_a_transform_leave_the_values_as_they_are(found):
    keys, several_items = found
    excluding = shape_for(keys, exclude=("value", *[key.name for key in keys]))
    transforming = shape_for(keys, transform=dict)
    for item in several_items:
        image = Image(json.dumps({**item, "aws:rep:region": {"S": "x"}}).encode())
        kept = excluding.project(image)
        assert kept is not None
        assert item_of(kept) == {name: value for name, value in item.items() if name != "value"}
        transformed = transforming.project(image)
        assert transformed is not None
        assert item_of(transformed) == item
        assert KeyReader(keys).read(transformed) == KeyReader(keys).read(image)


@pytest.mark.parametrize("start_at", ["trim_horizon", "snapshot"])
@slow(1)
@given(found=items, seed=st.integers(0, 2**32 - 1))
def test_an_item_arrives_as_it_is_by_the_stream_and_by_a_snapshot(start_at, found, seed):
    keys, several_items = found

    async def scenario() -> None:
        stage = Stage(Setting(seed, start_at=start_at, is_late=False, shards=2), keys=keys)
        if start_at == "snapshot":
            stage.world.source.preset(*several_items)
        actor = await stage.open()
        for item in several_items:
            stage.world.source.put(item)
            await asyncio.sleep(0.1)
        await stage.close()
        stage.judge().check_all()
        for key, image in stage.world.replica.items.items():
            assert same_item(image, stage.world.source.items[key], frozenset({"timestamp", "dynamirror_sequence"}))
        assert actor.totals.totals().records_dead_lettered == 0

    run_virtual(scenario, seed=seed)


def test_a_document_32_levels_deep_arrives_as_it_is():
    value = {"S": "deep"}
    for level in range(32):  # Developer Guide, "Service quotas": nested attribute depth
        value = {"M": {"x": value}} if level % 2 else {"L": [value]}

    async def scenario() -> None:
        stage = Stage(Setting(1, is_late=False))
        await stage.open()
        stage.world.source.put({"key": {"S": "a"}, "value": value})
        await stage.close()
        stage.judge().check_all()

    run_virtual(scenario)
