"""What service.ports.ControlStore promises of jobs: on the fake, and on the real servers."""

import asyncio

import pytest

from api.payloads import MAX_ID
from service.errors import LeaseLostError
from service.pipeline_state import JobSlot
from tests.support.stored_records import DOCUMENT, NOISE, NOW


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
