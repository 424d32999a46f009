"""The error tree: a class stands for a reaction, and only for that.

    DynamirrorError
    ├── RetryableError            wait, then do the same again, without end
    │   ├── ThrottledError        … more slowly: the service asks for less
    │   ├── UnavailableError      … the service or the network failed, and nothing was done
    │   ├── AmbiguousError        … the answer was lost: the write may or may not have happened
    │   └── RefusedError          … a whole table refuses us (missing, no permission, expired credentials)
    ├── ChangeError               this one change can't be written: it becomes a dead letter
    │   ├── TransientChangeError  … unless one of a few more tries succeeds
    │   ├── ItemTooLargeError     … unless it fits without its metadata attributes
    │   └── BatchRefusedError     … one of a batch; nothing of the batch was written; take it apart
    ├── PositionError             a place in a shard can't be read from
    │   ├── IteratorExpiredError  … with this iterator: ask for a new one
    │   ├── TrimmedError          … ever again: history is lost, a gap
    │   └── ShardGoneError        … the shard (or the stream) is not there: a gap, unless it was finished
    ├── LeaseLostError            another process owns the pipeline: stop writing, save nothing, stand by
    └── HaltError                 a person must act; the message says what, where and what to do
        ├── ConfigurationError    … before the start: exit code 2
        ├── SchemaError           … and run another version: this process ends, so that another may go on
        ├── ReplicaTakenError     … and nothing is tried again by itself, not even a heal
        └── GapError              … unless DYNAMIRROR_ON_GAP says that a snapshot mends it

Errors of the SDK and of the wire are translated once, at the border, by the one table in service.aws.faults.
"""


class DynamirrorError(Exception):
    """Whatever dynamirror raises on purpose. Its text is one sentence for a person, without item values."""


class RetryableError(DynamirrorError):
    """Wait, then do the same again. `cause` is a short code for metrics, such as `ThrottlingException`."""

    def __init__(self, message: str, cause: str = "Unknown") -> None:
        super().__init__(message)
        self.cause = cause


class ThrottledError(RetryableError):
    """The service asks for fewer requests. Nothing was done."""


class UnavailableError(RetryableError):
    """The service or the network failed before the request could take effect."""


class AmbiguousError(RetryableError):
    """The answer was lost (time-out, reset, 5xx): a write may or may not have happened, once."""


class RefusedError(RetryableError):
    """A whole table refuses: it is missing, or access is denied, or the credentials ran out. No item is at fault."""


class ChangeError(DynamirrorError):
    """The replica will never take this change as it is; others are not concerned."""


class TransientChangeError(ChangeError):
    """The replica refuses this change for a cause that may pass, such as a transaction on the same item."""


class ItemTooLargeError(ChangeError):
    """The item is over DynamoDB's limit of 400 KB (Developer Guide, "Service quotas": item size)."""


class BatchRefusedError(ChangeError):
    """The service refused a whole batch as invalid: nothing of it was written, and it does not say which one."""


class PositionError(DynamirrorError):
    """A place in a shard can't be read from."""


class IteratorExpiredError(PositionError):
    """The iterator is older than 15 minutes (API reference, GetShardIterator), or otherwise no longer valid."""


class TrimmedError(PositionError):
    """The position is older than the stream's retention of 24 hours: what follows it may be lost."""


class ShardGoneError(PositionError):
    """The shard, or its whole stream, does not exist (any more)."""


class LeaseLostError(DynamirrorError):
    """Another process owns the pipeline now, or may: stop writing at once, save nothing, stand by."""


class HaltError(DynamirrorError):
    """Nothing goes on by itself: a person must act. The message says what is wrong, where, and what mends it."""


class ConfigurationError(HaltError):
    """The settings can't work. The message lists every problem, one a line."""


class SchemaError(HaltError):
    """The control table is not of a form that this version may write to: it must not be the one that replicates."""


class ReplicaTakenError(HaltError):
    """The replica belongs to another pipeline: two of them would delete each other's items."""


class GapError(HaltError):
    """History was lost before it was read. `shard_id` and `after` tell where, as far as that is known."""

    def __init__(self, message: str, shard_id: str | None = None, after: str | None = None) -> None:
        super().__init__(message)
        self.shard_id = shard_id
        self.after = after


def first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that counts when several tasks fell together: a lost lease before all others."""
    leaves = leaves_of(errors)
    for kind in (LeaseLostError, HaltError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def leaves_of(error: BaseException) -> list[BaseException]:
    """The errors of a group, and of groups within it; an error by itself is the only one."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves_of(inner)]
    return [error]
