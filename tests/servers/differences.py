"""Where a server does not do what AWS does: the one table of it.

A test that needs such a thing says so, `@pytest.mark.needs("conditions hold among many at once")`. It does not run on a
server that has an entry here, and the end of the run's output says so.
"""

from collections.abc import Iterable, Sequence

DIFFERENCES: dict[str, dict[str, str]] = {
    "conditions hold among many at once": {
        "moto": "it answers in threads, and another write may come between its look at a condition and its write",
    },
    "a number that is no text compares": {
        "moto": "it answers 500 to a condition that compares a text with a number",
    },
    "a refused batch writes nothing": {
        "moto": "it writes what comes before the item that it refuses",
    },
    "index keys have types": {
        "moto": "it does not look at the types of an index's keys",
    },
    "binary values in records": {
        "moto": "its records hold binary values that are encoded twice",
    },
    "a write that changes nothing makes no record": {
        "moto": "it records writes that change nothing",
        "ministack": "it records writes that change nothing",
        "dynoxide": "it records writes that change nothing",
    },
    "a stream is switched on again": {
        "moto": 'it answers "Cannot enable stream"',
    },
    "streams have names": {
        "moto": "it answers for every stream of a table, whatever the rest of the ARN says",
        "dynoxide": "it answers for every stream of a table, whatever the rest of the ARN says",
    },
    "shards have names": {
        "moto": "it answers 500 for a shard that never was",
        "ministack": "it gives an iterator for a shard that never was",
        "dynoxide": "it gives an iterator for a shard that never was",
    },
    "iterators are checked": {
        "moto": "it answers 500 to an iterator that is none",
    },
    "requests may pass through another host": {
        "aws": "it refuses a signature that was made for another host",
    },
    "open shards have no end": {
        "dynoxide": "it shows an ending sequence number for its one shard, which never ends",
    },
}


def lacking(server: str, needs: Iterable[str]) -> str | None:
    """Why a test with these needs can't run on the server; None: it can. Raises KeyError for a need of no entry."""
    reasons = [DIFFERENCES[need].get(server) for need in needs]
    return next((reason for reason in reasons if reason is not None), None)


def strictest(servers: Sequence[str], needs: Sequence[str] = ()) -> str:
    """The server for a test that runs on one alone: dynoxide where it is among them and able to, else ministack.

    An endpoint of one's own is the only one of its run.
    """
    if servers[0] in ("endpoint", "aws"):
        return servers[0]
    return "dynoxide" if "dynoxide" in servers and lacking("dynoxide", needs) is None else "ministack"
