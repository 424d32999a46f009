"""service.fleet.share: processes that ask and hand over come to rest, with shares that differ by at most one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from service.fleet.share import AT_ONCE, may_move, wanted

PROCESSES = ["a", "b", "c", "d", "e"]


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[list[str], dict[str, str]]:
    processes = PROCESSES[: draw(st.integers(1, 5))]
    owners = draw(st.lists(st.sampled_from(processes), max_size=20))
    return processes, {f"p{number}": owner for number, owner in enumerate(owners)}


@given(beginnings(), st.randoms(use_true_random=False))
def test_shares_come_to_rest_and_differ_by_at_most_one(beginning, random):
    processes, owners = beginning
    for _ in range(100):
        asks = [(me, name) for me in processes for name in wanted(me, owners, [], [])]
        if not asks:
            break
        random.shuffle(asks)
        for me, name in asks:  # each owner decides by what it has now, whatever the asker saw
            has = Counter(owners.values())
            if owners[name] != me and may_move(has[owners[name]], has[me]):
                owners[name] = me
    shares = [Counter(owners.values())[each] for each in processes]
    assert max(shares) - min(shares) <= 1


@given(beginnings(), st.data())
def test_no_process_asks_for_its_own_for_more_than_a_few_or_for_what_was_refused(beginning, data):
    processes, owners = beginning
    me = data.draw(st.sampled_from(processes))
    others = sorted(name for name, owner in owners.items() if owner != me)
    asked = set(data.draw(st.lists(st.sampled_from(others), max_size=AT_ONCE)) if others else [])
    refused = set(data.draw(st.lists(st.sampled_from(others), max_size=3)) if others else [])
    found = wanted(me, owners, asked, refused)
    assert len(found) == len(set(found))
    assert len(found) + len(asked) <= max(AT_ONCE, len(asked))
    assert not {*found} & {*asked, *refused}
    assert all(owners[name] != me for name in found)


@given(beginnings())
def test_what_is_even_is_left_alone(beginning):
    processes, owners = beginning
    has = Counter(owners.values())
    if max(has[each] for each in processes) - min(has[each] for each in processes) <= 1:
        assert all(wanted(me, owners, [], []) == [] for me in processes)
