"""Whatever goes wrong between here and AWS, in the words of service.errors: what the wire sees, what the SDK raises.

with translated(Call("DescribeTable", "the source table orders")):
    await client.describe_table(TableName="orders")
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import msgspec
from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from service.aws.answers import is_absent
from service.aws.error_codes import Call, fault, lost, sentence
from service.errors import AmbiguousError, DynamirrorError, HaltError, RefusedError, UnavailableError
from service.model import Image


class _Body(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str | None = None
    Message: str | None = None  # DynamoDB Local's spelling
    Item: msgspec.Raw = msgspec.Raw()


_BODY = msgspec.json.Decoder(_Body)


def fault_of_answer(call: Call, status: int, body: bytes) -> DynamirrorError:
    """The error that an HTTP answer other than 200 stands for."""
    try:
        answer = _BODY.decode(body)
    except ValueError:  # a load balancer's page, or a body that was cut
        return fault(call, "", f"HTTP status {status} without an error that can be read", status)
    item = None if is_absent(answer.Item) else Image(bytes(answer.Item))
    return fault(call, answer.type.rpartition("#")[2], answer.message or answer.Message or "", status, item)


def has_code(body: bytes) -> bool:
    """Whether an error is DynamoDB's own: those have a code."""
    try:
        return bool(_BODY.decode(body).type)
    except ValueError:
        return False


def not_sent(call: Call, reason: str, cause: str) -> UnavailableError:
    """The request never reached the service."""
    return UnavailableError(sentence(call, cause, reason), cause)


def answer_lost(call: Call, reason: str, cause: str) -> UnavailableError | AmbiguousError:
    """The request was sent, but no whole answer came: a time-out, a reset, a body that was cut or damaged."""
    return lost(call, sentence(call, cause, reason), cause)


_NOT_SENT = (sdk.ConnectTimeoutError, sdk.ProxyConnectionError, sdk.SSLError, sdk.EndpointConnectionError)
_LOST = (
    sdk.ReadTimeoutError,
    sdk.ConnectionClosedError,
    sdk.HTTPClientError,
    sdk.IncompleteReadError,
    ResponseParserError,
    TimeoutError,
    aiohttp.ClientError,
)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading an answer raises that is none of the service's, in the SDK's parsers and credentials as here."""
_NO_CREDENTIALS = (sdk.NoCredentialsError, sdk.PartialCredentialsError)
# What the providers of the SDK's chain ask of other services (botocore, credentials.py and tokens.py).
_CREDENTIAL_CALLS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "CreateToken", "GetRoleCredentials"})
_CREDENTIALS_FAIL = (
    sdk.CredentialRetrievalError,
    sdk.MetadataRetrievalError,
    sdk.NoAuthTokenError,
    sdk.SSOError,
    sdk.TokenRetrievalError,
)


@contextmanager
def translated(call: Call) -> Iterator[None]:
    """Whatever the SDK raises inside, or trips over, becomes a DynamirrorError; other exceptions pass."""
    try:
        yield
    except sdk.ClientError as error:
        raise _answered(call, error) from error
    except (sdk.BotoCoreError, ResponseParserError, TimeoutError, aiohttp.ClientError) as error:
        raise _unanswered(call, error) from error
    except UNREADABLE as error:
        raise answer_lost(call, f"the answer can't be read ({type(error).__name__})", "Malformed") from error
    except RuntimeError as error:
        if "still expired" not in str(error):  # aiobotocore's own, of credentials that were refreshed in vain
            raise
        raise RefusedError(f"{call.operation} on {call.resource} can't be signed: {error}", "Expired") from error


def _unanswered(call: Call, error: Exception) -> DynamirrorError:
    cause = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return HaltError(f"{call.operation} on {call.resource} needs AWS credentials: {error}")
    if isinstance(error, _CREDENTIALS_FAIL):
        return RefusedError(
            f"{call.operation} on {call.resource} can't be signed: {error}; renew this process's AWS credentials", cause
        )
    if isinstance(error, _NOT_SENT) and _never_left(error):
        return not_sent(call, str(error), cause)
    if isinstance(error, (*_NOT_SENT, *_LOST)):
        return answer_lost(call, str(error), cause)
    told = "" if isinstance(error, sdk.ParamValidationError) else str(error)  # that one quotes the parameters
    return HaltError(sentence(call, cause, told))


def _answered(call: Call, error: sdk.ClientError) -> DynamirrorError:
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name in _CREDENTIAL_CALLS and call.operation != "AssumeRole":  # to sign the call
        call = Call("AssumeRole", f"the role for {call.resource}")
    fault_ = fault(call, told.get("Code", ""), told.get("Message", ""), status)
    if call.operation != "AssumeRole" or not isinstance(fault_, RefusedError | HaltError):
        return fault_
    text = str(fault_).replace("dynamodb:AssumeRole", "sts:AssumeRole")
    if isinstance(fault_, HaltError):  # whatever STS finds wrong, a person mends it elsewhere, and the next try sees it
        text = sentence(call, told.get("Code", ""), told.get("Message", "")) + "; renew this process's AWS credentials"
    return RefusedError(text, told.get("Code", "") or "AssumeRole")


def _never_left(error: Exception) -> bool:
    """aiobotocore reports a connection that broke in the middle of a request as EndpointConnectionError too."""
    if not isinstance(error, sdk.EndpointConnectionError):
        return True
    return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)
