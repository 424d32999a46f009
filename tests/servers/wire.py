"""One call as it goes over the wire, for what the SDK hides: raw bodies, headers, error answers."""

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.access import CREDENTIALS, REGION

_TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "dynamodbstreams": "DynamoDBStreams_20120810",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with its untouched body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


async def post(
    endpoint_url: str,
    operation: str,
    payload: dict[str, Any] | bytes,
    *,
    service: str = "dynamodb",
    http: aiohttp.ClientSession | None = None,
) -> Answer:
    """Send one signed request; never retries, and returns error answers. Header names are lower case.

    Without `http`, which keeps connections, it goes over one of its own.
    """
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"{_TARGETS[service]}.{operation}",
    }
    request = AWSRequest("POST", endpoint_url + "/", data=body, headers=headers)
    credentials = Credentials(CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"])
    SigV4Auth(credentials, "dynamodb", REGION).add_auth(request)
    async with (
        contextlib.nullcontext(http) if http is not None else aiohttp.ClientSession() as session,
        session.post(endpoint_url + "/", data=body, headers=dict(request.headers)) as answer,
    ):
        raw = await answer.read()
        return Answer(answer.status, {key.lower(): value for key, value in answer.headers.items()}, raw)
