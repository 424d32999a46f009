"""service.aws.http.signing against botocore's own signer."""

import random
import string
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from service.aws.http.signing import CONTENT_TYPE, Signer

URLS = [
    "https://dynamodb.us-west-2.amazonaws.com/",
    "https://streams.dynamodb.eu-central-1.amazonaws.com/",
    "http://localhost:8000/",
    "http://127.0.0.1:4566/",
    "https://vpce-0a1b2c-dynamodb.us-east-1.vpce.amazonaws.com:443/",
    "http://proxy.example:80/some/path/",
    "http://[::1]:8000/",
]


def signed_by_botocore(url, target, body, credentials, region):
    """Its headers, of now: it asks no one else for the time."""
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": CONTENT_TYPE, "X-Amz-Target": target})
    SigV4Auth(Credentials(*credentials[:3]), "dynamodb", region).add_auth(request)
    return dict(request.headers)


@pytest.mark.parametrize("url", URLS)
def test_random_requests_are_signed_as_botocore_signs_them(url):
    random_ = random.Random(url)
    text = string.ascii_letters + string.digits + "/+="
    for _ in range(40):
        region = random_.choice(["us-west-2", "eu-central-1", "cn-north-1"])
        signer = Signer(url, region)
        token = "".join(random_.choices(text, k=300)) if random_.random() < 0.5 else None
        credentials = ReadOnlyCredentials("AKID", "".join(random_.choices(text, k=40)), token)
        for _ in range(3):  # the second and third with the key that was kept
            body = random_.randbytes(random_.randrange(3000))
            target = random_.choice(["DynamoDB_20120810.PutItem", "DynamoDBStreams_20120810.GetRecords"])

            theirs = signed_by_botocore(url, target, body, credentials, region)
            moment = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            ours = signer.headers(target, body, credentials, moment.timestamp() + 0.999)

            assert ours["Authorization"] == theirs["Authorization"]
            assert ours["X-Amz-Date"] == theirs["X-Amz-Date"]
            assert ours.get("X-Amz-Security-Token") == theirs.get("X-Amz-Security-Token")


def test_a_new_day_gets_a_new_key():
    credentials = ReadOnlyCredentials("a", "secret", None)
    kept = Signer(URLS[0], "us-west-2")
    for now in (0.0, 86_399.0, 86_400.0, 86_401.0, 1.0):
        fresh = Signer(URLS[0], "us-west-2").headers("T.Get", b"{}", credentials, now)
        assert kept.headers("T.Get", b"{}", credentials, now) == fresh


def test_new_credentials_are_used_at_once():
    signer = Signer("http://localhost:8000/", "us-west-2")
    first = signer.headers("T.Get", b"{}", ReadOnlyCredentials("a", "one", None), 1.0)
    second = signer.headers("T.Get", b"{}", ReadOnlyCredentials("a", "two", None), 1.0)

    assert first["Authorization"] != second["Authorization"]


def test_the_host_carries_no_port_that_goes_without_saying():
    credentials = ReadOnlyCredentials("a", "b", None)
    assert Signer("https://h.example:443/", "r").headers("T", b"", credentials, 0)["Host"] == "h.example"
    assert Signer("http://h.example:443/", "r").headers("T", b"", credentials, 0)["Host"] == "h.example:443"
