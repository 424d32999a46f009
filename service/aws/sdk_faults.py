"""Errors of the SDK in the words of service.errors: `with translated(Call(...)): await client.describe_table(...)`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions as sdk

from service.aws.faults import Call, answer_lost, fault, not_sent
from service.errors import DynamirrorError, HaltError, RefusedError

_NOT_SENT = (sdk.ConnectTimeoutError, sdk.ProxyConnectionError, sdk.SSLError, sdk.EndpointConnectionError)
_LOST = (
    sdk.ReadTimeoutError,
    sdk.ConnectionClosedError,
    sdk.HTTPClientError,
    sdk.IncompleteReadError,
    TimeoutError,
    aiohttp.ClientError,
)
_NO_CREDENTIALS = (sdk.NoCredentialsError, sdk.PartialCredentialsError)
_CREDENTIALS_FAIL = (
    sdk.CredentialRetrievalError,
    sdk.MetadataRetrievalError,
    sdk.NoAuthTokenError,
    sdk.SSOError,
    sdk.TokenRetrievalError,
)


@contextmanager
def translated(call: Call) -> Iterator[None]:
    """Whatever the SDK raises inside becomes a DynamirrorError; other exceptions pass."""
    try:
        yield
    except (sdk.ClientError, sdk.BotoCoreError, aiohttp.ClientError, TimeoutError) as error:
        raise sdk_fault(call, error) from error


def sdk_fault(call: Call, error: Exception) -> DynamirrorError:
    """The error that an exception of the SDK stands for."""
    if isinstance(error, sdk.ClientError):
        return _answered(call, error)
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
    return HaltError(f"{call.operation} on {call.resource} can't be made: {cause}: {error}")


def _answered(call: Call, error: sdk.ClientError) -> DynamirrorError:
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name == "AssumeRole" != call.operation:  # to sign the call, a role had to be assumed first
        call = Call("AssumeRole", f"the role for {call.resource}")
    fault_ = fault(call, told.get("Code", ""), told.get("Message", ""), status)
    if isinstance(fault_, RefusedError) and call.operation == "AssumeRole":
        return RefusedError(str(fault_).replace("dynamodb:AssumeRole", "sts:AssumeRole"), fault_.cause)
    return fault_


def _never_left(error: Exception) -> bool:
    """aiobotocore reports a connection that broke in the middle of a request as EndpointConnectionError too."""
    if not isinstance(error, sdk.EndpointConnectionError):
        return True
    return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)
