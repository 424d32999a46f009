"""The one table: AWS's error codes → service.errors. service.aws.faults applies it to the SDK's and the wire's answers.

An unknown code is a HaltError, loudly: guessing whether something may be tried again is how records get lost.
No message carries an item's values: the parts of AWS's messages that quote a request are cut out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.errors import (
    AmbiguousError,
    BatchRefusedError,
    ChangeError,
    DynamirrorError,
    HaltError,
    ItemTooLargeError,
    IteratorExpiredError,
    PositionError,
    RefusedError,
    ShardGoneError,
    ThrottledError,
    TransientChangeError,
    TrimmedError,
    UnavailableError,
)
from service.model import Image

_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked, of what: `Call("PutItem", "the replica table orders")`.

    `carries_change`: what the service finds invalid in it is the fault of a change, not of this program.
    """

    operation: str
    resource: str
    carries_change: bool = False

    @property
    def is_write(self) -> bool:
        """An answer that was lost leaves it open whether it took effect."""
        return self.operation not in _READS


_STREAM_READS = frozenset({"DescribeStream", "GetShardIterator", "GetRecords"})
_READS = _STREAM_READS | {
    "GetItem", "BatchGetItem", "Query", "Scan", "DescribeTable", "DescribeTimeToLive", "ListTables", "AssumeRole",
    "ListEventSourceMappings", "ListTagsOfResource",
}  # fmt: skip
_BATCH = "BatchWriteItem"


class ConditionFailedError(DynamirrorError):
    """A conditional write found something else: `item`, None if there is none. Its caller answers it, always."""

    def __init__(self, item: Image | None) -> None:
        super().__init__("the condition of a write does not hold")
        self.item = item


# botocore: the errors that dynamodb 2012-08-10 and dynamodbstreams 2012-08-10 list for the calls used here, and what
# retries/standard.py takes for throttling (_THROTTLED_ERROR_CODES).
_THROTTLED = frozenset({
    "BandwidthLimitExceeded", "KMSThrottlingException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "SlowDown", "ThrottledException", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
# With these of the common errors of the API reference, too: a request that was cut on its way.
_UNAVAILABLE = frozenset({
    "InternalFailure", "InternalServerError", "InternalServerErrorException", "MalformedHttpRequestException",
    "RequestAbortedException", "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
    "ServiceUnavailableException",
})  # fmt: skip
_NOT_DYNAMODBS = (
    "an answer without an error code is not DynamoDB's: look at the endpoint, and at the proxy or firewall before it"
)
_CONFLICTS = frozenset({"ReplicatedWriteConflictException", "TransactionConflictException"})
_CANCELLED = "TransactionCanceledException"
# botocore, dynamodb 2012-08-10, shape TransactionCanceledException: the codes of cancellation reasons that pass.
_CANCELLED_BY_OTHERS = ("TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError")
_INVALID = frozenset({"ValidationException", "SerializationException"})
_PERMISSION = "allow dynamodb:{operation} on it to the credentials in use"
# IAM User Guide, "Troubleshoot access denied error messages": "… with an explicit deny in a service control policy".
_DENY = "explicit deny"
_DENIED = (
    "no right outweighs an explicit deny: ask who administers the policies of that kind (of a service control policy: "
    "the organization) to lift the deny of dynamodb:{operation} for these credentials and this table"
)
_CREDENTIALS = "give this process valid AWS credentials"
_SIGNATURE = "check the secret access key, the session token and this machine's clock"
_MISSING = "create it, or correct its name, its region and the account of the credentials"
# No error of DynamoDB's model is about a table's key. What is seen of it: AccessDeniedException "KMS key access denied
# error: …" (aws/aws-cdk, issue 18616), and other services' names (botocore, kinesis and lambda: KMSDisabledException,
# KMSInvalidStateException, KMSAccessDeniedException, KMSNotFoundException, KMSOptInRequired, KMSThrottlingException).
# A table's status is INACCESSIBLE_ENCRYPTION_CREDENTIALS then (dynamodb 2012-08-10, TableStatus).
_KEY_CODE = re.compile(r"KMS|EncryptionCredentials", re.IGNORECASE)
_KEY_DENIED = re.compile(r"\bKMS\b")
_KEY = (
    "make the table's KMS key usable again: enable it, cancel its deletion, allow its use to DynamoDB and to the "
    "credentials in use; it goes on by itself then"
)
# The common errors of the API reference, as DynamoDB and STS spell them; each with what mends it.
_REFUSED = {
    code: remedy
    for remedy, codes in {
        _PERMISSION: ("AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"),
        _CREDENTIALS: (
            "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "MissingAuthenticationToken",
            "MissingAuthenticationTokenException", "OptInRequired", "UnrecognizedClientException",
        ),
        _SIGNATURE: (
            "IncompleteSignature", "IncompleteSignatureException", "InvalidSignatureException", "RequestExpired",
            "RequestTimeTooSkewed", "SignatureDoesNotMatch",
        ),
        "wait until the table is active": ("ResourceInUseException",),
        _MISSING: ("ResourceNotFoundException", "TableNotFoundException"),
    }.items()
    for code in codes
}  # fmt: skip
# The common errors of the API reference.
_NOT_THERE = frozenset({"InvalidAction", "UnknownOperationException"})
_POSITIONS: dict[str, type[PositionError]] = {
    "ExpiredIteratorException": IteratorExpiredError,
    "ResourceNotFoundException": ShardGoneError,
    "TrimmedDataAccessException": TrimmedError,
}


def fault(call: Call, code: str, message: str, status: int, item: Image | None = None) -> DynamirrorError:
    """The error that AWS's code stands for; `item` is what a failed condition returned."""
    if code == "ConditionalCheckFailedException":
        return ConditionFailedError(item)
    text = sentence(call, code or f"HTTP status {status}", message)
    if code == _CANCELLED:
        return _cancelled(text, message)
    if code in _THROTTLED or (status == 429 and code not in _REFUSED):
        return ThrottledError(text, code or "429")
    if code in _UNAVAILABLE or status >= 500:
        return lost(call, text, code or str(status))
    if _has_no_code(code, status):
        return lost(call, f"{text}; {_NOT_DYNAMODBS}", str(status))
    if call.operation in _STREAM_READS:
        position = _position_fault(call, code, text)
        if position is not None:
            return position
    if _KEY_CODE.search(code) or (code in _REFUSED and _KEY_DENIED.search(message)):
        return RefusedError(f"{text}; {_KEY}", code)
    if code in _REFUSED:
        step = _DENIED if _REFUSED[code] is _PERMISSION and _DENY in message else _REFUSED[code]
        return RefusedError(f"{text}; {step.format(operation=call.operation)}", code)
    if code in _NOT_THERE:
        return HaltError(f"{text}; {_wrong_endpoint(call)}")
    return _item_fault(call, code, message, status, text) or HaltError(
        f"{text}. dynamirror does not know this error and stops rather than guess; nothing is lost"
    )


def _cancelled(text: str, message: str) -> DynamirrorError:
    """Nothing of the transaction was done; the message lists a reason for each of its writes."""
    if "ConditionalCheckFailed" in message:
        return ConditionFailedError(None)
    if any(reason in message for reason in _CANCELLED_BY_OTHERS):
        return ThrottledError(text, "TransactionConflict")
    return HaltError(f"{text}; nothing of it was done")


def _has_no_code(code: str, status: int) -> bool:
    """DynamoDB gives each of its own errors a code: an answer without one was cut, or made on its way by another.

    The SDK's parser has the status for a code then. 413 is about the size of what was sent, whoever says it.
    """
    return code in ("", str(status)) and 400 <= status < 500 and status != 413


def _wrong_endpoint(call: Call) -> str:
    """What serves the address does not serve the operation."""
    if call.operation in _STREAM_READS:
        return (
            "its endpoint does not serve DynamoDB Streams: set DYNAMIRROR_STREAMS_ENDPOINT_URL to one that does "
            "(DYNAMIRROR_SOURCE_ENDPOINT_URL counts without it)"
        )
    side = "SOURCE" if "the source table" in call.resource else "REPLICA"
    return f"its endpoint does not serve DynamoDB's tables: correct DYNAMIRROR_{side}_ENDPOINT_URL"


def lost(call: Call, text: str, cause: str) -> UnavailableError | AmbiguousError:
    """The answer is lost: nothing happened to a read, but a write may have taken effect."""
    return AmbiguousError(text, cause) if call.is_write else UnavailableError(text, cause)


def _position_fault(call: Call, code: str, text: str) -> PositionError | None:
    if code in _POSITIONS:
        return _POSITIONS[code](text)
    if code == "ValidationException":
        # Only an iterator or a sequence number can be invalid here: the flow builds nothing else itself.
        return IteratorExpiredError(text) if call.operation == "GetRecords" else PositionError(text)
    return None


def _item_fault(call: Call, code: str, message: str, status: int, text: str) -> DynamirrorError | None:
    if not call.carries_change:
        return UnavailableError(text, code) if code in _CONFLICTS else None
    is_invalid = code in _INVALID or status == 413
    if call.operation == _BATCH:
        singled_out = is_invalid or code in _CONFLICTS or code == "ItemCollectionSizeLimitExceededException"
        return BatchRefusedError(text) if singled_out else None
    if code in _CONFLICTS:
        return TransientChangeError(text)
    if is_invalid:
        return ItemTooLargeError(text) if status == 413 or "item size" in message.lower() else ChangeError(text)
    return ChangeError(text) if code == "ItemCollectionSizeLimitExceededException" else None


# Where AWS quotes what was sent: "Value '…' at 'item' failed", "Input collection [a, a] contains duplicates",
# "The parameter cannot be converted to a numeric value: 1x".
_QUOTED = re.compile(r"\[.*\]|(?<=[Vv]alue )'.*'(?= at )|(?<=numeric value: ).*", re.DOTALL)


def sentence(call: Call, code: str, message: str) -> str:
    """What failed, for a person; `message` without the parts that quote item values, and not at any length."""
    told = _QUOTED.sub("…", message)
    if len(told) > _LONGEST_MESSAGE:
        told = told[:_LONGEST_MESSAGE] + "…"
    return f"{call.operation} on {call.resource} failed: {code}" + (f": {told.rstrip('.')}" if told else "")
