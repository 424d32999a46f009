"""An endpoint of one's own in place of the servers: TEST_ENDPOINT names it; `python -m tests.on_endpoint` sets that.

`https://dynamodb.REGION.amazonaws.com` is AWS itself. Any other URL is a server that speaks DynamoDB.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.session import get_session

from tests.servers.process import ServerError

VARIABLE = "TEST_ENDPOINT"
PREFIX_VARIABLE = "TEST_PREFIX"
DUMMY_REGION = "us-west-2"
# letters and digits alone, as DynamoDB Local wants them; moto and ministack keep an account's tables per access key
DUMMY_CREDENTIALS = {"aws_access_key_id": "dynamirror", "aws_secret_access_key": "dynamirror"}
_AWS = re.compile(r"https://dynamodb\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?/?")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Endpoint:
    """`url` is None for AWS, whose tables and streams have hosts of their own: the SDK finds them by the region."""

    url: str | None
    region: str

    @property
    def name(self) -> str:
        return "aws" if self.url is None else "endpoint"

    @property
    def is_here(self) -> bool:
        """On this machine."""
        return self.url is not None and urlsplit(self.url).hostname in _LOOPBACK


def endpoint_of(environment: Mapping[str, str]) -> Endpoint | None:
    """What TEST_ENDPOINT names. Raises ServerError when that is no URL."""
    given = environment.get(VARIABLE, "").strip()
    if not given:
        return None
    if found := _AWS.fullmatch(given):
        return Endpoint(None, found[1])
    if urlsplit(given).scheme not in ("http", "https") or not urlsplit(given).hostname:
        raise ServerError(
            f"{given}: not a URL, such as http://localhost:8000 or https://dynamodb.us-east-1.amazonaws.com"
        )
    return Endpoint(given.rstrip("/"), environment.get("AWS_REGION") or DUMMY_REGION)


def credentials_for(endpoint: Endpoint | None) -> dict[str, str]:
    """This machine's own for AWS, as the SDK finds them; others' endpoints get them too, unless they are right here."""
    if endpoint is None or endpoint.is_here:
        return DUMMY_CREDENTIALS
    found = get_session().get_credentials()
    if found is None:
        if endpoint.url is None:
            raise ServerError("no credentials for AWS: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        return DUMMY_CREDENTIALS
    frozen = found.get_frozen_credentials()
    own = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
    return own | ({"aws_session_token": frozen.token} if frozen.token else {})


ENDPOINT = endpoint_of(os.environ)
PREFIX = os.environ.get(PREFIX_VARIABLE, "")
"""What the names of all tables of this run begin with."""
