"""The tests on an endpoint of one's own: what its URL means, whose credentials it gets, and what is asked first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.on_endpoint import split
from tests.servers.endpoint import DUMMY_CREDENTIALS, Endpoint, credentials_for, endpoint_of
from tests.servers.process import ServerError

HERE, ELSEWHERE, AWS = "http://localhost:8000", "http://dynamodb.example:8000", Endpoint(None, "eu-central-1")


def endpoint(url: str, **more: str) -> Endpoint | None:
    return endpoint_of({"TEST_ENDPOINT": url, **more})


def test_without_a_url_there_is_no_endpoint():
    assert endpoint_of({}) is None
    assert endpoint(" ") is None


def test_an_address_of_aws_is_aws_in_that_region():
    assert endpoint("https://dynamodb.eu-central-1.amazonaws.com/", AWS_REGION="us-east-1") == AWS
    assert AWS.name == "aws"
    assert not AWS.is_here


def test_any_other_url_is_a_server():
    found = endpoint(f"{ELSEWHERE}/", AWS_REGION="us-east-1")
    assert found == Endpoint(ELSEWHERE, "us-east-1")
    assert (found.name, found.is_here) == ("endpoint", False)
    assert endpoint(HERE).is_here


@pytest.mark.parametrize("url", ["localhost:8000", "aws", "ftp://localhost"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ServerError, match="not a URL"):
        endpoint(url)


@pytest.fixture
def own_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")


@pytest.mark.usefixtures("own_credentials")
def test_own_credentials_leave_this_machine_only_for_an_endpoint_elsewhere():
    own = {"aws_access_key_id": "own", "aws_secret_access_key": "secret", "aws_session_token": "token"}
    assert credentials_for(None) == credentials_for(endpoint(HERE)) == DUMMY_CREDENTIALS
    assert credentials_for(AWS) == credentials_for(endpoint(ELSEWHERE)) == own


def test_aws_without_credentials_is_refused(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(ServerError, match="no credentials for AWS"):
        credentials_for(AWS)
    assert credentials_for(endpoint(ELSEWHERE)) == DUMMY_CREDENTIALS


def test_what_follows_the_dashes_is_for_pytest():
    assert split(["url", "--yes", "--", "-k", "x"]) == (["url", "--yes"], ["-k", "x"])
    assert split(["url"]) == (["url"], [])


@pytest.mark.usefixtures("own_credentials")
def test_nothing_is_made_on_aws_before_its_cost_was_told_and_agreed_to():
    command = [
        sys.executable,
        "-m",
        "tests.on_endpoint",
        "https://dynamodb.eu-central-1.amazonaws.com",
        "--",
        "-k",
        "x",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "on AWS in eu-central-1" in ended.stdout
    assert "US dollar" in ended.stdout
    assert "agree with YES=1" in ended.stderr
