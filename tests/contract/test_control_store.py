"""What service.ports.ControlStore promises: on the fake, and on the real servers."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from api.payloads import MAX_ID
from service.aws.control.store import DynamoControlStore
from service.errors import LeaseLostError
from service.migrations import load_migrations
from service.model import ItemKey, Position, SequenceNumber, ShardId, StartAt, TableDescription
from service.pipeline_state import (
    Checkpoint,
    DeadLetter,
    Gap,
    JobSlot,
    KeysInDoubt,
    Lease,
    PipelineRecord,
    ReplicaClaim,
)
from service.ports import ControlStore
from tests.fakes.control_store import FakeControlStore, FakeControlTable
from tests.servers import NAMES, create_table, sdk_client

NOW = 1_750_000_000.123456
StoreFor = Callable[[str], ControlStore]


@pytest.fixture(params=["fake", *NAMES])
async def store_for(request, server_named, unique_name) -> AsyncIterator[StoreFor]:
    """Stores of pipelines in one control table that is empty: `store_for("orders")`."""
    if request.param == "fake":
        table = FakeControlTable()
        yield lambda pipeline: FakeControlStore(table, pipeline)
        return
    name = unique_name("control")
    async with sdk_client(server_named(request.param).endpoint_url) as client:
        await create_table(client, TableName=name, **load_migrations()[0].steps[0].arguments)
        yield lambda pipeline: DynamoControlStore(client, name, pipeline)


@pytest.fixture
def store(store_for: StoreFor) -> ControlStore:
    return store_for("orders--orders-copy")


def lease_of(owner: str = "first", generation: int = 1) -> Lease:
    return Lease(owner, generation)


async def test_nobody_has_the_lease_of_a_new_pipeline(store):
    assert await store.read_lease() is None


async def test_the_first_owner_gets_generation_one(store):
    taken = await store.acquire_lease("first", None, 10.5, NOW)

    assert (taken.owner, taken.generation, taken.lease_seconds, taken.renewed_at) == ("first", 1, 10.5, NOW)
    assert (taken.is_released, taken.is_clean, taken.is_paused) == (False, False, False)
    assert await store.read_lease() == taken


async def test_a_lease_that_came_meanwhile_is_not_taken(store):
    first = await store.acquire_lease("first", None, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.acquire_lease("second", None, 10, NOW)

    assert await store.read_lease() == first


@pytest.mark.needs("conditions hold among many at once")
async def test_one_of_many_that_saw_the_same_lease_gets_it(store):
    seen = await store.acquire_lease("former", None, 10, NOW)

    answers = await asyncio.gather(
        *(store.acquire_lease(f"owner {number}", seen, 10, NOW) for number in range(8)), return_exceptions=True
    )

    (winner,) = (answer for answer in answers if not isinstance(answer, BaseException))
    assert winner.generation == 2
    assert all(isinstance(answer, LeaseLostError) for answer in answers if isinstance(answer, BaseException))
    assert await store.read_lease() == winner


async def test_a_lease_that_was_renewed_since_it_was_seen_is_not_taken(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.renew_lease(lease_of(), NOW + 1)

    with pytest.raises(LeaseLostError):
        await store.acquire_lease("second", seen, 10, NOW + 20)


async def test_each_renewal_shows_that_the_owner_is_alive(store):
    taken = await store.acquire_lease("first", None, 10, NOW)

    once = await store.renew_lease(lease_of(), NOW + 1)
    twice = await store.renew_lease(lease_of(), NOW + 2.5)

    assert len({taken.renewals, once.renewals, twice.renewals}) == 3
    assert twice.renewed_at == NOW + 2.5
    assert await store.read_lease() == twice


async def test_a_new_owner_never_looks_like_a_former_one_that_stands_still(store):
    seen = await store.acquire_lease("first", None, 10, NOW)

    renewals = []
    for owner in ("second", "third", "second"):
        seen = await store.acquire_lease(owner, seen, 10, NOW)
        renewals.append(seen.renewals)
    renewals.append((await store.renew_lease(Lease("second", 4), NOW)).renewals)

    assert renewals == sorted(set(renewals))


async def test_a_former_owner_can_neither_renew_nor_release(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    present = await store.acquire_lease("second", seen, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW)
    with pytest.raises(LeaseLostError):
        await store.release_lease(lease_of(), is_clean=True, now=NOW)

    assert await store.read_lease() == present


async def test_a_generation_of_the_same_owner_is_another_lease(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.acquire_lease("first", seen, 10, NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(generation=1), NOW)


async def test_a_lease_that_nobody_took_can_not_be_renewed(store):
    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW)


@pytest.mark.parametrize("is_clean", [True, False])
async def test_a_released_lease_tells_the_next_owner_how_it_ended(store, is_clean):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=is_clean, now=NOW + 3)

    seen = await store.read_lease()
    assert (seen.is_released, seen.is_clean, seen.renewed_at) == (True, is_clean, NOW + 3)
    taken = await store.acquire_lease("second", seen, 10, NOW + 4)
    assert (taken.generation, taken.is_released, taken.is_clean) == (2, False, False)


async def test_what_an_owner_tells_of_its_lag_outlives_it(store):
    taken = await store.acquire_lease("first", None, 10, NOW)
    assert taken.behind_since == 0.0

    assert (await store.renew_lease(lease_of(), NOW + 1, NOW - 5.25)).behind_since == NOW - 5.25
    assert (await store.renew_lease(lease_of(), NOW + 2)).behind_since == NOW - 5.25
    await store.release_lease(lease_of(), is_clean=True, now=NOW + 3, behind_since=NOW - 4.5)

    seen = await store.read_lease()
    assert seen.behind_since == NOW - 4.5
    assert (await store.acquire_lease("second", seen, 10, NOW + 4)).behind_since == NOW - 4.5


async def test_a_released_lease_is_not_renewed(store):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    with pytest.raises(LeaseLostError):
        await store.renew_lease(lease_of(), NOW + 1)


async def test_an_owner_sees_who_wants_its_lease_and_whoever_is_next_does_not(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    assert (seen.wanted_by, seen.asks) == ("", 0)
    await store.ask_for_lease("second", seen)
    renewed = await store.renew_lease(lease_of(), NOW + 1)
    assert (renewed.wanted_by, renewed.asks) == ("second", 1)
    await store.ask_for_lease("third", seen)
    assert (await store.read_lease()).wanted_by == "third"

    await store.release_lease(lease_of(), is_clean=True, now=NOW + 2, reserved_for="third")

    released = await store.read_lease()
    assert (released.is_released, released.reserved_for) == (True, "third")
    taken = await store.acquire_lease("third", released, 10, NOW + 3)
    assert (taken.wanted_by, taken.reserved_for, taken.asks) == ("", "", 2)


async def test_a_lease_that_has_another_owner_or_none_is_not_asked_for(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)
    with pytest.raises(LeaseLostError):
        await store.ask_for_lease("third", seen)
    await store.acquire_lease("second", await store.read_lease(), 10, NOW)
    with pytest.raises(LeaseLostError):
        await store.ask_for_lease("third", seen)


async def test_releasing_twice_is_releasing_once(store):
    await store.acquire_lease("first", None, 10, NOW)
    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    await store.release_lease(lease_of(), is_clean=True, now=NOW)

    assert (await store.read_lease()).is_released


async def test_a_pause_before_the_first_owner_is_kept_for_it(store):
    await store.set_paused(True)

    assert await store.read_lease() is None
    assert (await store.acquire_lease("first", None, 10, NOW)).is_paused


async def test_the_owner_sees_a_pause_in_its_next_renewal(store):
    await store.acquire_lease("first", None, 10, NOW)

    await store.set_paused(True)
    assert (await store.renew_lease(lease_of(), NOW + 1)).is_paused
    await store.set_paused(False)
    assert not (await store.renew_lease(lease_of(), NOW + 2)).is_paused


async def test_a_pause_knows_since_when(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    assert seen.paused_since == 0

    assert await store.set_paused(True, NOW + 1) == NOW + 1
    assert await store.set_paused(True, NOW + 5) == NOW + 1, "it was paused already"
    assert (await store.read_lease()).paused_since == NOW + 1
    assert (await store.renew_lease(lease_of(), NOW + 6)).paused_since == NOW + 1
    assert (await store.acquire_lease("second", await store.read_lease(), 10, NOW)).paused_since == NOW + 1

    assert await store.set_paused(False, NOW + 7) == 0
    assert (await store.read_lease()).paused_since == 0
    assert await store.set_paused(True, NOW + 8) == NOW + 8


async def test_a_pause_whose_beginning_nobody_told_gets_one_when_it_is_asked_for_again(store):
    await store.set_paused(True)
    assert await store.set_paused(True, NOW + 1) == NOW + 1


async def test_a_pause_outlives_its_owner(store):
    seen = await store.acquire_lease("first", None, 10, NOW)
    await store.set_paused(True)

    assert (await store.acquire_lease("second", seen, 10, NOW)).is_paused


async def test_a_pause_does_not_look_like_a_renewal(store):
    seen = await store.acquire_lease("first", None, 10, NOW)

    await store.set_paused(True)

    assert await store.read_lease() == replace(seen, is_paused=True)


async def test_a_new_pipeline_has_no_progress(store):
    assert await store.read_progress() is None
    assert await store.adopt_progress(lease_of()) is None
    assert await store.read_progress() is None
    assert await store.adopt_progress(lease_of("second", 2)) is None


def shard(name: str, position: Position, parent: str | None = None, is_closed: bool = False) -> Checkpoint:
    known = (NOW - 600.5, NOW - 3600) if is_closed else (0.0, 0.0)
    return Checkpoint(ShardId(name), position, None if parent is None else ShardId(parent), is_closed, *known)


EVERYTHING = PipelineRecord(
    stream_arn="arn:aws:dynamodb:us-west-2:123456789012:table/orders/stream/2026-11-23T10:15:00.123",
    checkpoints={
        checkpoint.shard_id: checkpoint
        for checkpoint in (
            shard("shardId-1", Position(after=SequenceNumber(7)), is_closed=True),
            shard("shardId-2", Position(after=SequenceNumber("9" * 40)), parent="shardId-1"),
            shard("shardId-3", Position(start=StartAt.LATEST, since=NOW), parent="shardId-1"),
            shard("shardId-4", Position(after=SequenceNumber(1), start=StartAt.LATEST, since=0.1)),
            shard("shardId-5", Position()),
        )
    },
    guarded_until=NOW + 1 / 3,
    snapshot_id="20261123T101500-3f9c",
    replica_id="0a1b2c3d-0000-4000-8000-000000000001",
    shape_fingerprint="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    gaps=(
        Gap(ShardId("shardId-0"), SequenceNumber("1" * 21), NOW, "24 hours went by: \N{SNOWMAN}"),
        Gap(None, None, NOW + 1, ""),
    ),
    in_doubt=KeysInDoubt((ItemKey(b'{"key":{"S":"a"}}'), ItemKey(b'{"key":{"B":"AA=="}}')), NOW + 60, left_out=3),
    needs_snapshot=True,
)


@pytest.mark.parametrize("record", [EVERYTHING, PipelineRecord("arn")], ids=["everything", "almost nothing"])
async def test_the_next_owner_finds_exactly_what_was_saved(store, record):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), record)

    assert await store.read_progress() == record
    assert await store.adopt_progress(lease_of("second", 2)) == record


async def test_the_gaps_alone_are_told_too(store):
    assert await store.read_gaps() == ()
    await store.adopt_progress(lease_of())
    assert await store.read_gaps() == ()
    await store.save_progress(lease_of(), EVERYTHING)
    assert await store.read_gaps() == EVERYTHING.gaps


async def test_saving_replaces_all_that_was_saved(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)

    await store.save_progress(lease_of(), PipelineRecord("another arn"))

    assert await store.read_progress() == PipelineRecord("another arn")


async def test_what_is_done_to_a_record_after_saving_it_is_not_saved(store):
    record = replace(EVERYTHING, checkpoints=dict(EVERYTHING.checkpoints))
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), record)

    record.checkpoints.clear()
    (await store.read_progress()).checkpoints.clear()

    assert await store.read_progress() == EVERYTHING


async def test_shards_come_move_on_close_and_go_between_saves(store):
    """Three hundred of them, so that most of them lie beside those that changed lately."""
    dice = random.Random(5)
    saved: dict[ShardId, Checkpoint] = {}
    await store.adopt_progress(lease_of())
    for number in range(12):
        names = [f"shardId-{index:020d}-abcdef01" for index in range(25 * number, 300 + 25 * number)]
        busy = names if number == 0 else dice.sample(names, 12) + names[-25:]
        saved |= {
            ShardId(name): shard(name, Position(after=SequenceNumber(10**24 + number)), names[0], dice.random() < 0.3)
            for name in busy
        }
        saved = {shard_id: found for shard_id, found in saved.items() if shard_id in names}
        await store.save_progress(lease_of(), PipelineRecord("arn", dict(saved)))

    assert await store.read_progress() == PipelineRecord("arn", saved)
    assert await store.adopt_progress(lease_of()) == PipelineRecord("arn", saved)
    assert await store.adopt_progress(lease_of("second", 2)) == PipelineRecord("arn", saved)


async def test_another_process_finds_what_many_shards_were_saved_as(store_for):
    names = [f"shardId-{number:020d}-abcdef01" for number in range(700)]
    position = Position(after=SequenceNumber("4" * 30))
    saved = {ShardId(name): shard(name, position, parent=names[0], is_closed=True) for name in names}
    first, second = store_for("orders"), store_for("orders")
    await first.adopt_progress(lease_of())
    await first.save_progress(lease_of(), PipelineRecord("arn", saved))

    assert await second.adopt_progress(lease_of("second", 2)) == PipelineRecord("arn", saved)
    newer = saved | {ShardId(names[0]): shard(names[0], Position())}
    await second.save_progress(lease_of("second", 2), PipelineRecord("arn", newer))
    with pytest.raises(LeaseLostError):
        await first.save_progress(lease_of(), PipelineRecord("arn", {}))

    assert await first.read_progress() == PipelineRecord("arn", newer)


async def test_a_former_owner_saves_nothing(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)
    await store.adopt_progress(lease_of("second", 2))

    with pytest.raises(LeaseLostError):
        await store.save_progress(lease_of(), PipelineRecord("stale"))

    assert await store.read_progress() == EVERYTHING


async def test_progress_that_a_later_owner_adopted_is_not_adopted_again(store):
    await store.adopt_progress(lease_of("second", 2))

    with pytest.raises(LeaseLostError):
        await store.adopt_progress(lease_of())


async def test_adopting_twice_is_adopting_once(store):
    await store.adopt_progress(lease_of())
    await store.save_progress(lease_of(), EVERYTHING)

    assert await store.adopt_progress(lease_of()) == EVERYTHING
    await store.save_progress(lease_of(), PipelineRecord("next"))


async def test_nothing_is_saved_before_it_was_adopted(store):
    with pytest.raises(LeaseLostError):
        await store.save_progress(lease_of(), EVERYTHING)

    assert await store.read_progress() is None


async def test_a_time_that_is_no_number_is_refused(store):
    await store.adopt_progress(lease_of())

    with pytest.raises(ValueError, match="no number inf"):
        await store.save_progress(lease_of(), PipelineRecord("arn", guarded_until=float("inf")))


async def test_what_a_job_is_made_of_comes_back_whole_whatever_its_size(store):
    for size in (0, 10, 1_000_000):
        await store.put_fixed("replay", f"job {size}", NOISE[:size])
    await store.put_fixed("replay", "job 10", NOISE[:10])

    for size in (0, 10, 1_000_000):
        assert await store.get_fixed("replay", f"job {size}") == NOISE[:size]
    assert await store.get_fixed("replay", "job 1") is None
    assert await store.list_jobs("replay", 10) == []


async def test_what_older_jobs_are_made_of_is_forgotten(store):
    for job_id in ("20261123", "20261124", "20261125"):
        await store.put_fixed("replay", job_id, NOISE[:400_000])
    await store.put_fixed("other", "20261123", b"x")

    await store.forget_fixed_before("replay", "20261124")
    await store.forget_fixed_before("replay", "20261124")

    assert await store.get_fixed("replay", "20261123") is None
    assert await store.get_fixed("replay", "20261124") == NOISE[:400_000]
    assert await store.get_fixed("replay", "20261125") == NOISE[:400_000]
    assert await store.get_fixed("other", "20261123") == b"x"


def letter(letter_id: str = "1", record: bytes = b'{"Keys": {}}', version: str = "a") -> DeadLetter:
    return DeadLetter(
        id=letter_id,
        shard_id=ShardId("shardId-1"),
        sequence=SequenceNumber("800000000003126276362"),
        event_name="INSERT",
        key=ItemKey('{"key":{"S":"käse \\u0000 #1"}}'.encode()),
        error="the item is too large",
        attempts=10,
        failed_at=NOW,
        record=record,
        identity=f"of {letter_id}",
        created_at=NOW - 1,
        state="9hX_",
        version=version,
    )


NOISE = random.Random(7).randbytes(1_000_000)
"""Can't be compressed, and is over the 800 KB of two images."""


async def counted(store: ControlStore) -> int | None:
    """As after a start, which finds no letter that is not counted yet."""
    await store.finish_adopting()
    return await store.count_dead_letters()


@pytest.mark.parametrize("record", [b"", b"{}", b"a" * 1_000_000, NOISE[:100_000], NOISE], ids=len)
async def test_a_dead_letter_comes_back_whole(store, record):
    await store.put_dead_letters([letter(record=record)])

    assert await store.get_dead_letter("1") == letter(record=record)


async def test_a_letter_without_sequence_number_and_key_comes_back_so(store):
    bare = replace(letter(), sequence=None, key=None, event_name="", error="")
    await store.put_dead_letters([bare])

    assert await store.get_dead_letter("1") == bare


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"small", NOISE), (NOISE, b"small"), (NOISE, NOISE[:400_000]), (NOISE, NOISE)],
    ids=["small by large", "large by small", "large by less large", "large by the same"],
)
async def test_a_letter_replaces_the_one_of_its_identity(store, before, after):
    await store.put_dead_letters([letter(record=before)])

    await store.put_dead_letters([letter(record=after, version="b")])

    assert await store.get_dead_letter("1") == replace(letter(record=after, version="b"), attempts=20)
    assert await counted(store) == 1


async def test_letters_are_listed_oldest_first_and_without_their_records(store):
    for letter_id in ("3", "1", "2"):
        await store.put_dead_letters([letter(letter_id, NOISE[:50_000])])

    listed, cursor = await store.list_dead_letters(10, None)

    assert listed == [letter("1", b""), letter("2", b""), letter("3", b"")]
    assert cursor is None


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
async def test_pages_of_letters_lead_through_all_of_them(store, limit):
    ids = [f"2026-{number}#x" for number in range(6)]
    for letter_id in ids:
        await store.put_dead_letters([letter(letter_id)])

    pages = []
    cursor = None
    while True:
        page, cursor = await store.list_dead_letters(limit, cursor)
        pages.append([found.id for found in page])
        if cursor is None:
            break

    assert sum(pages, []) == ids
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


async def test_letters_of_more_than_one_megabyte_are_listed_and_counted(store):
    for number in range(45):
        await store.put_dead_letters([letter(f"{number:02d}", NOISE[number : number + 30_000])])

    listed, cursor = await store.list_dead_letters(44, None)

    assert [found.id for found in listed] == [f"{number:02d}" for number in range(44)]
    assert [found.id for found in (await store.list_dead_letters(44, cursor))[0]] == ["44"]
    assert await counted(store) == 45


async def test_a_cursor_holds_when_its_letter_is_gone(store):
    for letter_id in ("1", "2", "3"):
        await store.put_dead_letters([letter(letter_id)])
    _, cursor = await store.list_dead_letters(1, None)

    await store.delete_dead_letter("1", NOW)

    listed, _ = await store.list_dead_letters(10, cursor)
    assert [found.id for found in listed] == ["2", "3"]


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "\N{SNOWMAN}", base64.b64encode(b"lease").decode(), "/w=="])
async def test_a_text_that_is_no_cursor_is_refused(store, cursor):
    with pytest.raises(ValueError, match="not a cursor"):
        await store.list_dead_letters(10, cursor)


@pytest.mark.parametrize("record", [b"{}", NOISE], ids=["small", "large"])
async def test_a_deleted_letter_is_gone(store, record):
    await store.put_dead_letters([letter("1", record)])
    await store.put_dead_letters([letter("2", record)])

    assert await store.delete_dead_letter("1", NOW)

    assert await store.get_dead_letter("1") is None
    assert await store.get_dead_letter("2") == letter("2", record)
    assert await counted(store) == 1
    assert not await store.delete_dead_letter("1", NOW)


async def test_there_are_no_letters_at_first(store):
    assert await store.list_dead_letters(10, None) == ([], None)
    assert await counted(store) == 0
    assert await store.get_dead_letter("1") is None


async def test_letters_that_are_put_together_are_stored_together(store):
    letters = [letter(f"{number:02d}") for number in range(25)]

    assert await store.put_dead_letters(letters) == [each.id for each in letters]
    assert await store.put_dead_letters([letter("99"), letter("03", version="b")]) == ["99", "03"]

    assert await counted(store) == 26


async def test_a_letter_is_kept_under_the_id_of_the_first_of_its_identity(store):
    first, second = letter("1"), replace(letter("2", b"newer", "b"), identity="of 1")
    await store.put_dead_letters([first])

    assert await store.put_dead_letters([second]) == ["1"]

    assert await store.get_dead_letter("1") == replace(second, id="1", attempts=20)
    assert await store.get_dead_letter("2") is None
    assert await counted(store) == 1


async def test_an_older_record_is_a_try_more_and_takes_no_place(store):
    newest = letter(record=NOISE)
    older = replace(
        letter(record=b"older", version="b"), created_at=NOW - 2, attempts=1, error="again", failed_at=NOW + 1
    )
    await store.put_dead_letters([newest])

    assert await store.put_dead_letters([older]) == ["1"]

    assert await store.get_dead_letter("1") == replace(newest, attempts=11, error="again", failed_at=NOW + 1)


@pytest.mark.parametrize("is_older", [False, True])
async def test_a_letter_whose_answer_was_lost_counts_once(store, is_older):
    again = replace(letter(version="b"), created_at=NOW - 2) if is_older else letter(version="b")
    for each in (letter(), letter(), again, again):
        assert await store.put_dead_letters([each]) == ["1"]

    assert (await store.get_dead_letter("1")).attempts == 20
    assert await counted(store) == 1


@pytest.mark.needs("conditions hold among many at once")
async def test_many_at_once_count_exactly(store_for):
    stores = [store_for("orders--orders-copy") for _ in range(6)]

    async def park_and_discard(number: int, each: ControlStore) -> None:
        await each.put_dead_letters([letter("shared", version=f"v{number}"), letter(f"own {number}")])
        await each.delete_dead_letter("own 0", NOW)
        await each.put_dead_letters([letter(f"more {number}")])

    await asyncio.gather(*(park_and_discard(number, each) for number, each in enumerate(stores)))

    listed, _ = await stores[0].list_dead_letters(100, None)
    assert len(listed) == 12
    assert next(each for each in listed if each.id == "shared").attempts == 60
    assert await counted(stores[0]) == 12


async def test_what_is_told_of_a_letter_is_told_of_the_record_that_was_tried(store):
    await store.put_dead_letters([letter()])
    tried = replace(letter(), attempts=11, error="still", failed_at=NOW + 5)

    assert await store.note_dead_letter(tried)
    assert await store.get_dead_letter("1") == tried
    assert not await store.note_dead_letter(replace(tried, version="another"))
    assert not await store.note_dead_letter(letter("2"))
    assert await store.get_dead_letter("1") == tried
    assert await counted(store) == 1


async def test_a_letter_that_got_a_newer_record_is_not_deleted_for_the_older_one(store):
    await store.put_dead_letters([letter()])
    await store.put_dead_letters([letter(version="b")])

    assert not await store.delete_dead_letter("1", NOW, "a")
    assert await counted(store) == 1
    assert await store.delete_dead_letter("1", NOW, "b")
    assert await counted(store) == 0


async def test_a_letter_that_was_discarded_is_a_new_one_when_it_fails_again(store):
    await store.put_dead_letters([letter()])
    await store.delete_dead_letter("1", NOW)

    assert await store.put_dead_letters([letter(version="b")]) == ["1"]
    assert await store.get_dead_letter("1") == letter(version="b")


async def test_a_discarded_record_without_a_sequence_number_stays_discarded_for_two_days(store):
    nameless = replace(letter(), sequence=None, key=None, event_name="EXPLODE")
    await store.put_dead_letters([nameless, letter("2")])
    await store.delete_dead_letter("1", NOW + 10)

    again = replace(nameless, version="b", failed_at=NOW + 36 * 3600)
    assert await store.put_dead_letters([again, letter("2", version="b")]) == [None, "2"]
    assert await counted(store) == 1
    late = replace(nameless, version="c", failed_at=NOW + 49 * 3600)
    assert await store.put_dead_letters([late]) == ["1"]
    assert await store.delete_dead_letter("1", NOW + 50 * 3600)


async def test_the_number_of_letters_is_not_known_before_those_of_a_former_version_are_counted(store):
    await store.put_dead_letters([letter()])

    assert await store.count_dead_letters() is None


DOCUMENT = {"id": "1", "nested": [{"deeper": [[], {}, None, True, 1.5, "", "\N{SNOWMAN}\x00"]}], "large": 2**53}


async def test_a_job_comes_back_as_it_was(store):
    await store.put_job("replay", "1", DOCUMENT)

    assert await store.get_job("replay", "1") == DOCUMENT


async def test_a_job_replaces_the_one_with_its_id(store):
    await store.put_job("replay", "1", DOCUMENT)
    await store.put_job("replay", "1", {"state": "done"})

    assert await store.list_jobs("replay", 10) == [{"state": "done"}]


async def test_kinds_of_jobs_are_apart(store):
    await store.put_job("replay", "1", DOCUMENT)

    assert await store.get_job("snapshot", "1") is None
    assert await store.list_jobs("snapshot", 10) == []


async def test_the_longest_id_that_the_api_takes_can_be_asked_for(store):
    longest = "\N{GRINNING FACE}" * MAX_ID

    for kind in ("replay", "snapshot", "verification"):
        assert await store.get_job(kind, longest) is None
    assert await store.get_dead_letter(longest) is None
    assert not await store.delete_dead_letter(longest, NOW)


async def test_jobs_are_listed_newest_first_up_to_the_limit(store):
    for number in range(5):
        await store.put_job("replay", str(number), {"number": number})

    assert await store.list_jobs("replay", 3) == [{"number": 4}, {"number": 3}, {"number": 2}]
    assert len(await store.list_jobs("replay", 5)) == 5
    assert len(await store.list_jobs("replay", 50)) == 5


async def test_jobs_of_more_than_one_megabyte_are_listed(store):
    for number in range(5):
        await store.put_job("verification", str(number), {"keys": "x" * 300_000})

    assert len(await store.list_jobs("verification", 5)) == 5


ENDED = {"state": "done"}


async def test_of_two_jobs_of_a_kind_one_begins_and_the_other_is_told_its_id(store):
    assert await store.read_slot("replay") is None
    assert await store.begin_job("replay", "1", 1, DOCUMENT) is None

    assert await store.begin_job("replay", "2", 1, ENDED) == "1"
    assert await store.begin_job("replay", "1", 1, DOCUMENT) == "1", "again, after a lost answer"

    assert await store.read_slot("replay") == JobSlot(1, "1", DOCUMENT)
    assert await store.begin_job("snapshot", "3", 1, ENDED) is None


async def test_of_jobs_that_begin_at_the_same_moment_one_does(store):
    answers = await asyncio.gather(*[store.begin_job("replay", str(each), 1, DOCUMENT) for each in range(8)])

    assert answers.count(None) == 1
    assert {answer for answer in answers if answer is not None} == {str(answers.index(None))}


async def test_a_job_goes_on_in_its_slot_and_is_filed_when_it_has_ended(store):
    await store.begin_job("replay", "1", 1, {"state": "running"})
    await store.save_job("replay", "1", 1, DOCUMENT)
    assert await store.adopt_slot("replay", 2) == JobSlot(2, "1", DOCUMENT)
    assert await store.list_jobs("replay", 10) == []

    for _ in range(2):  # again, after a lost answer
        await store.file_job("replay", "1", 2, ENDED)

    assert await store.read_slot("replay") == JobSlot(2)
    assert await store.list_jobs("replay", 10) == [ENDED]
    assert await store.begin_job("replay", "2", 2, DOCUMENT) is None


async def test_a_former_owner_s_jobs_are_turned_away(store):
    await store.begin_job("replay", "1", 1, DOCUMENT)
    await store.adopt_slot("replay", 2)
    await store.adopt_slot("snapshot", 2)

    for late in (
        store.adopt_slot("replay", 1),
        store.save_job("replay", "1", 1, ENDED),
        store.file_job("replay", "1", 1, ENDED),
        store.begin_job("snapshot", "1", 1, DOCUMENT),
        store.save_job("replay", "another", 2, ENDED),
    ):
        with pytest.raises(LeaseLostError):
            await late
    assert await store.read_slot("replay") == JobSlot(2, "1", DOCUMENT)
    assert await store.read_slot("snapshot") == JobSlot(2)


async def test_pipelines_do_not_see_each_other(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.acquire_lease("first", None, 10, NOW)
    await mine.set_paused(True)
    await mine.adopt_progress(lease_of())
    await mine.save_progress(lease_of(), EVERYTHING)
    await mine.put_dead_letters([letter()])
    await mine.put_job("replay", "1", DOCUMENT)

    assert await other.read_lease() is None
    assert await other.read_progress() is None
    assert await other.count_dead_letters() is None
    assert await other.get_dead_letter("1") is None
    assert await other.list_jobs("replay", 10) == []
    assert not (await other.acquire_lease("first", None, 10, NOW)).is_paused


def table_of(name: str, table_id: str = "1") -> TableDescription:
    return TableDescription(
        name, f"arn:aws:dynamodb:us-west-2:123456789012:table/{name}", "us-west-2", (), table_id=table_id
    )


REPLICA, SOURCE, OTHER_SOURCE = table_of("orders-copy"), table_of("orders"), table_of("sales")
CLAIMED = ReplicaClaim("mine", SOURCE.arn, "1", NOW)


async def test_a_claimed_replica_is_refused_to_another_pipeline_which_is_told_whose_it_is(store_for):
    mine, other = store_for("mine"), store_for("other")

    assert await mine.claim_replica(REPLICA, SOURCE, NOW) is None
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW + 1) == CLAIMED
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW + 2) == CLAIMED
    assert await other.claim_replica(table_of("sales-copy"), OTHER_SOURCE, NOW) is None


async def test_a_pipeline_claims_its_replica_as_often_as_it_starts(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(REPLICA, SOURCE, NOW)

    assert await mine.claim_replica(REPLICA, SOURCE, NOW + 5) is None

    assert await mine.read_claim(REPLICA) == replace(CLAIMED, claimed_at=NOW + 5)
    assert await other.read_claim(REPLICA) is None
    assert await mine.read_claim(table_of("sales-copy")) is None
    assert await other.claim_replica(REPLICA, OTHER_SOURCE, NOW) == replace(CLAIMED, claimed_at=NOW + 5)


@pytest.mark.needs("conditions hold among many at once")
async def test_one_of_many_pipelines_gets_the_replica(store_for):
    names = [f"pipeline-{number}" for number in range(8)]

    answers = await asyncio.gather(*(store_for(name).claim_replica(REPLICA, SOURCE, NOW) for name in names))

    assert answers.count(None) == 1
    winner = names[answers.index(None)]
    assert {answer.claimed_by for answer in answers if answer is not None} == {winner}


async def test_the_claim_on_a_replica_that_was_created_anew_is_void(store_for):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(REPLICA, SOURCE, NOW)
    anew = replace(REPLICA, table_id="2")

    assert await other.claim_replica(anew, OTHER_SOURCE, NOW + 1) is None

    assert await mine.claim_replica(anew, SOURCE, NOW + 2) == ReplicaClaim("other", OTHER_SOURCE.arn, "2", NOW + 1)


@pytest.mark.parametrize(("claimed", "present"), [("", "2"), ("1", ""), ("", "")])
async def test_a_replica_whose_id_is_not_known_counts_as_the_same(store_for, claimed, present):
    mine, other = store_for("mine"), store_for("other")
    await mine.claim_replica(replace(REPLICA, table_id=claimed), SOURCE, NOW)

    assert await other.claim_replica(replace(REPLICA, table_id=present), OTHER_SOURCE, NOW) is not None
    assert await mine.claim_replica(replace(REPLICA, table_id=present), SOURCE, NOW) is None
