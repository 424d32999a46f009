"""What service.ports.ControlStore promises of dead letters: on the fake, and on the real servers."""

import asyncio
import base64
from dataclasses import replace

import pytest

from service.ports import ControlStore
from tests.support.stored_records import NOISE, NOW, letter


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
