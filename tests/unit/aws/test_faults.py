"""service.aws.error_codes and service.aws.faults: which reaction each failure asks for."""

import json
import socket

import aiohttp
import pytest
from botocore import exceptions as sdk

from service.aws.error_codes import Call, ConditionFailedError, fault
from service.aws.faults import fault_of_answer, translated
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
    RetryableError,
    ShardGoneError,
    ThrottledError,
    TransientChangeError,
    TrimmedError,
    UnavailableError,
)

PUT = Call("PutItem", "the replica table orders", carries_change=True)
BATCH = Call("BatchWriteItem", "the replica table orders", carries_change=True)
GET = Call("GetItem", "the source table orders")
RECORDS = Call("GetRecords", "the shard s")
ITERATOR = Call("GetShardIterator", "the shard s")
DESCRIBE_STREAM = Call("DescribeStream", "the stream s")
UPDATE_CONTROL = Call("UpdateItem", "the control table")


@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [
        (PUT, "ProvisionedThroughputExceededException", ThrottledError),
        (PUT, "ThrottlingException", ThrottledError),
        (BATCH, "RequestLimitExceeded", ThrottledError),
        (RECORDS, "LimitExceededException", ThrottledError),
        (GET, "InternalServerError", UnavailableError),
        (PUT, "InternalServerError", AmbiguousError),
        (BATCH, "ServiceUnavailable", AmbiguousError),
        (PUT, "ResourceNotFoundException", RefusedError),
        (GET, "AccessDeniedException", RefusedError),
        (RECORDS, "ExpiredTokenException", RefusedError),
        (PUT, "UnrecognizedClientException", RefusedError),
        (PUT, "InvalidSignatureException", RefusedError),
        (PUT, "MissingAuthenticationToken", RefusedError),
        (PUT, "IncompleteSignature", RefusedError),
        (PUT, "ValidationException", ChangeError),
        (BATCH, "ValidationException", BatchRefusedError),
        (GET, "ValidationException", HaltError),
        (PUT, "ItemCollectionSizeLimitExceededException", ChangeError),
        (BATCH, "ItemCollectionSizeLimitExceededException", BatchRefusedError),
        (PUT, "TransactionConflictException", TransientChangeError),
        (PUT, "ReplicatedWriteConflictException", TransientChangeError),
        (BATCH, "ReplicatedWriteConflictException", BatchRefusedError),
        (GET, "TransactionConflictException", UnavailableError),
        (UPDATE_CONTROL, "TransactionConflictException", UnavailableError),
        (UPDATE_CONTROL, "ValidationException", HaltError),
        (RECORDS, "ExpiredIteratorException", IteratorExpiredError),
        (RECORDS, "ValidationException", IteratorExpiredError),
        (RECORDS, "TrimmedDataAccessException", TrimmedError),
        (ITERATOR, "TrimmedDataAccessException", TrimmedError),
        (ITERATOR, "ValidationException", PositionError),
        (RECORDS, "ResourceNotFoundException", ShardGoneError),
        (DESCRIBE_STREAM, "ResourceNotFoundException", ShardGoneError),
        (PUT, "RequestAbortedException", AmbiguousError),
        (RECORDS, "MalformedHttpRequestException", UnavailableError),
        (RECORDS, "KMSThrottlingException", ThrottledError),
        (PUT, "SomethingNewException", HaltError),
        (RECORDS, "SomethingNewException", HaltError),
    ],
)
def test_a_code_asks_for_its_reaction(call, code, expected):
    found = fault(call, code, "Sorry.", 500 if "Server" in code else 400)

    assert type(found) is expected
    assert call.resource in str(found)
    if isinstance(found, RetryableError):
        assert found.cause == code


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_of_the_service_leaves_a_write_in_doubt_and_no_read(status):
    body = b"<html>sorry</html>"

    assert type(fault_of_answer(PUT, status, body)) is AmbiguousError
    assert type(fault_of_answer(GET, status, body)) is UnavailableError


@pytest.mark.parametrize("body", [b"", b"<html>sorry</html>", b'{"__type":"x#ConditionalCheckFailedEx', b"[]", b"{}"])
def test_a_refusal_that_was_cut_on_its_way_is_a_lost_answer(body):
    assert type(fault_of_answer(PUT, 400, body)) is AmbiguousError
    assert type(fault_of_answer(BATCH, 400, body)) is AmbiguousError
    assert type(fault_of_answer(RECORDS, 400, body)) is UnavailableError
    assert type(fault(UPDATE_CONTROL, "400", "", 400)) is AmbiguousError  # as the SDK's parser spells it


@pytest.mark.parametrize("status", [401, 403, 404, 407])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", b"{}", b'{"message": "no"}'])
def test_a_middleboxs_refusal_is_no_verdict_about_a_change_or_a_shard_and_is_asked_again(status, body):
    for call, expected in ((PUT, AmbiguousError), (BATCH, AmbiguousError), (RECORDS, UnavailableError)):
        found = fault_of_answer(call, status, body)
        assert type(found) is expected
        assert found.cause == str(status)
        assert "not DynamoDB's" in str(found)
        assert "proxy" in str(found)
    assert type(fault(ITERATOR, str(status), "", status)) is UnavailableError  # as the SDK's parser spells it


# botocore: kinesis 2013-12-02, and lambda 2015-03-31, which spell a key's trouble so; dynamodb's model has none.
@pytest.mark.parametrize(
    "code",
    [
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
        "KmsInvalidStateException",
        "InaccessibleEncryptionCredentialsException",
    ],
)
def test_a_key_that_can_not_be_used_is_waited_for_and_its_mending_is_told(code):
    for call in (PUT, BATCH, GET, RECORDS, DESCRIBE_STREAM, UPDATE_CONTROL):
        found = fault(call, code, "arn:aws:kms:… is disabled.", 400)
        assert type(found) is RefusedError
        assert "KMS key" in str(found)
        assert "goes on by itself" in str(found)


def test_a_key_that_may_not_be_used_is_told_from_a_table_that_may_not_be_used():
    denied = "KMS key access denied error: the ciphertext refers to a customer master key that does not exist"
    found = fault(PUT, "AccessDeniedException", denied, 400)

    assert type(found) is RefusedError
    assert "KMS key usable" in str(found)
    assert "allow dynamodb" not in str(found)


@pytest.mark.parametrize("code", ["UnknownOperationException", "InvalidAction"])
def test_an_endpoint_that_does_not_know_the_operation_names_the_setting(code):
    for call, setting in (
        (DESCRIBE_STREAM, "DYNAMIRROR_STREAMS_ENDPOINT_URL"),
        (RECORDS, "DYNAMIRROR_STREAMS_ENDPOINT_URL"),
        (PUT, "DYNAMIRROR_REPLICA_ENDPOINT_URL"),
        (UPDATE_CONTROL, "DYNAMIRROR_REPLICA_ENDPOINT_URL"),
        (Call("DescribeTable", "the source table orders"), "DYNAMIRROR_SOURCE_ENDPOINT_URL"),
    ):
        found = fault(call, code, "", 400)
        assert type(found) is HaltError
        assert setting in str(found)
        assert "\n" not in str(found)
        assert "rather than guess" not in str(found)


def told(error: Exception, call: Call) -> DynamirrorError:
    with pytest.raises(DynamirrorError) as raised, translated(call):
        raise error
    return raised.value


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"])
@pytest.mark.parametrize(
    "code", ["InvalidIdentityToken", "IDPRejectedClaim", "RegionDisabledException", "ExpiredTokenException", "New"]
)
def test_credentials_that_are_not_given_are_waited_for_whatever_the_reason(operation, code):
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    for call in (PUT, Call("AssumeRole", "the credentials for the replica table orders")):
        found = told(sdk.ClientError(response, operation), call)
        assert type(found) is RefusedError
        assert found.cause == code
        assert "credentials" in str(found)


def test_an_item_over_the_limit_is_told_from_other_invalid_items():
    message = "Item size has exceeded the maximum allowed size"

    assert type(fault(PUT, "ValidationException", message, 400)) is ItemTooLargeError
    assert type(fault(PUT, "", "", 413)) is ItemTooLargeError
    assert type(fault(BATCH, "ValidationException", message, 400)) is BatchRefusedError


def test_a_refusal_names_the_action_the_table_and_what_to_do():
    text = str(fault(PUT, "AccessDeniedException", "User: x is not authorized", 400))

    assert "the replica table orders" in text
    assert "allow dynamodb:PutItem" in text


def test_a_right_is_not_asked_for_where_a_deny_outweighs_it():
    message = "User: x is not authorized to perform: dynamodb:PutItem with an explicit deny in a service control policy"

    text = str(fault(PUT, "AccessDeniedException", message, 400))

    assert "allow dynamodb" not in text
    assert text.endswith(
        "no right outweighs an explicit deny: ask who administers the policies of that kind (of a service control "
        "policy: the organization) to lift the deny of dynamodb:PutItem for these credentials and this table"
    )


def test_a_failed_condition_brings_the_item_that_it_met():
    body = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Message": "no"}

    absent = fault_of_answer(PUT, 400, json.dumps(body).encode())
    present = fault_of_answer(PUT, 400, json.dumps(body | {"Item": {"k": {"S": "1"}}}).encode())

    assert isinstance(absent, ConditionFailedError)
    assert absent.item is None
    assert isinstance(present, ConditionFailedError)
    assert json.loads(present.item) == {"k": {"S": "1"}}


def test_both_spellings_of_a_message_are_read():
    for name in ("message", "Message"):
        body = json.dumps({"__type": "x#ValidationException", name: "One was wrong."}).encode()
        assert "ValidationException: One was wrong" in str(fault_of_answer(PUT, 400, body))


@pytest.mark.parametrize(
    "message",
    [
        "The parameter cannot be converted to a numeric value: secret",
        "Input collection [secret, secret] contains duplicates.",
        "1 validation error detected: Value 'a 'secret' b' at 'item' failed to satisfy constraint",
        "x" * 400 + "secret",
    ],
)
def test_a_message_never_carries_an_items_values(message):
    text = str(fault(PUT, "ValidationException", message, 400))

    assert "secret" not in text
    assert len(text) < 400


REQUEST = {"endpoint_url": "http://h"}


@pytest.mark.parametrize(
    ("error", "of_a_write", "of_a_read"),
    [
        (sdk.ConnectTimeoutError(**REQUEST), UnavailableError, UnavailableError),
        (sdk.SSLError(**REQUEST, error="x"), UnavailableError, UnavailableError),
        (sdk.ReadTimeoutError(**REQUEST), AmbiguousError, UnavailableError),
        (sdk.ConnectionClosedError(**REQUEST), AmbiguousError, UnavailableError),
        (sdk.HTTPClientError(error="x"), AmbiguousError, UnavailableError),
        (sdk.EndpointConnectionError(**REQUEST, error=socket.gaierror()), UnavailableError, UnavailableError),
        (
            sdk.EndpointConnectionError(**REQUEST, error=aiohttp.ClientOSError(104, "reset by peer")),
            AmbiguousError,
            UnavailableError,
        ),
        (TimeoutError(), AmbiguousError, UnavailableError),
        (sdk.NoCredentialsError(), HaltError, HaltError),
        (sdk.CredentialRetrievalError(provider="x", error_msg="y"), RefusedError, RefusedError),
        (sdk.ParamValidationError(report="Item: secret"), HaltError, HaltError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_what_the_sdk_raises_asks_for_the_same_reactions(error, of_a_write, of_a_read):
    for call, expected in ((UPDATE_CONTROL, of_a_write), (DESCRIBE_STREAM, of_a_read)):
        with pytest.raises(expected) as raised, translated(call):
            raise error
        assert type(raised.value) is expected
        assert raised.value.__cause__ is error
        assert "secret" not in str(raised.value)


def test_a_code_that_the_sdk_brings_is_looked_up_in_the_same_table():
    response = {"Error": {"Code": "ThrottlingException", "Message": "slower"}}

    assert isinstance(told(sdk.ClientError(response, "Query"), PUT), ThrottledError)


def test_a_role_that_may_not_be_assumed_is_told_as_such():
    response = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    error = sdk.ClientError(response, "AssumeRole")

    found = told(error, PUT)

    assert isinstance(found, RefusedError)
    assert "sts:AssumeRole" in str(found)


def test_what_is_not_of_the_sdk_passes_untouched():
    for error in (ZeroDivisionError("x"), RuntimeError("x")):
        with pytest.raises(type(error)), translated(PUT):
            raise error
