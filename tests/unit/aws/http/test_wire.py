"""service.aws.http.wire on a scripted HTTP."""

import asyncio
import contextlib
import zlib

import pytest
from botocore.credentials import ReadOnlyCredentials

from service.aws.answers import read_one_item_answer
from service.aws.error_codes import Call
from service.aws.http.server_time import ServerTime
from service.aws.http.signing import Signer
from service.aws.http.transport import AnswerLostError, HttpAnswer, NotSentError
from service.aws.http.wire import STREAMS, Wire
from service.errors import AmbiguousError, DynamirrorError, RefusedError, ThrottledError, UnavailableError
from tests.support.scripted_http import ScriptedHttp, StaticCredentials, wire_on

PUT = Call("PutItem", "the replica table orders", carries_change=True)
GET = Call("GetItem", "the source table orders")


async def test_a_call_is_one_signed_post_and_its_body_comes_back():
    http = ScriptedHttp(b'{"Item":{}}')

    assert await wire_on(http).ask(GET, b'{"Key":1}', bytes) == b'{"Item":{}}'

    ((body, headers, is_write),) = http.requests
    assert body == b'{"Key":1}'
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.GetItem"
    assert "Signature=" in headers["Authorization"]
    assert not is_write


async def test_streams_have_a_target_of_their_own():
    http = ScriptedHttp(b"{}")
    wire = Wire(http, Signer("http://h/", "us-west-2"), StaticCredentials(), STREAMS)

    await wire.ask(Call("GetRecords", "the shard s"), b"{}", bytes)

    assert http.requests[0][1]["X-Amz-Target"] == "DynamoDBStreams_20120810.GetRecords"


async def test_the_checksum_of_an_answer_is_checked():
    good = HttpAnswer(200, b"{}", str(zlib.crc32(b"{}")))
    bad = HttpAnswer(200, b"{}", "1")

    assert await wire_on(ScriptedHttp(good)).ask(PUT, b"", bytes) == b"{}"
    with pytest.raises(AmbiguousError, match="checksum"):
        await wire_on(ScriptedHttp(bad)).ask(PUT, b"", bytes)
    with pytest.raises(UnavailableError, match="checksum"):
        await wire_on(ScriptedHttp(bad)).ask(GET, b"", bytes)


async def test_what_was_not_sent_is_not_in_doubt():
    with pytest.raises(UnavailableError):
        await wire_on(ScriptedHttp(NotSentError("refused"))).ask(PUT, b"", bytes)


async def test_a_lost_answer_leaves_a_write_in_doubt_but_no_read():
    with pytest.raises(AmbiguousError):
        await wire_on(ScriptedHttp(AnswerLostError("reset"))).ask(PUT, b"", bytes)
    with pytest.raises(UnavailableError):
        await wire_on(ScriptedHttp(AnswerLostError("reset"))).ask(GET, b"", bytes)


async def test_an_error_is_never_tried_again_here():
    http = ScriptedHttp(HttpAnswer(400, b'{"__type":"x#ThrottlingException","message":"slower"}'), b"{}")

    with pytest.raises(ThrottledError):
        await wire_on(http).ask(PUT, b"", bytes)

    assert len(http.requests) == 1


async def test_an_answer_that_can_not_be_read_counts_as_lost():
    def read(body: bytes) -> None:
        raise ValueError("not JSON")

    with pytest.raises(AmbiguousError):
        await wire_on(ScriptedHttp(b"<html>")).ask(PUT, b"", read)
    with pytest.raises(UnavailableError):
        await wire_on(ScriptedHttp(b"<html>")).ask(GET, b"", read)


class SlowCredentials:
    """They take two seconds of a refresh to come."""

    def __init__(self) -> None:
        self.time = 0.0

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        await asyncio.sleep(0)
        self.time += 2.0
        return ReadOnlyCredentials("id", "secret", "token")


async def test_a_refresh_of_credentials_does_not_make_a_write_late():
    credentials = SlowCredentials()
    http = ScriptedHttp(b"{}", b"{}")
    wire = Wire(http, Signer("http://h/", "us-west-2"), credentials, endpoint=ServerTime(lambda: credentials.time))

    with pytest.raises(UnavailableError):
        await wire.ask(PUT, b"", bytes)
    assert http.requests == []

    await wire.ask(GET, b"", bytes)
    assert len(http.requests) == 1


class ExpiredCredentials:
    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        raise RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")


async def test_credentials_that_stay_expired_refuse():
    wire = Wire(ScriptedHttp(), Signer("http://h/", "us-west-2"), ExpiredCredentials())

    with pytest.raises(RefusedError, match="still expired"):
        await wire.ask(PUT, b"", bytes)


@pytest.mark.parametrize("status", [204, 301, 302, 307])
async def test_a_status_that_no_service_sends_is_a_lost_answer(status):
    with pytest.raises(AmbiguousError, match=str(status)):
        await wire_on(ScriptedHttp(HttpAnswer(status, b"{}"))).ask(PUT, b"", bytes)
    with pytest.raises(UnavailableError, match=str(status)):
        await wire_on(ScriptedHttp(HttpAnswer(status, b"{}"))).ask(GET, b"", bytes)


class GarbledCredentials:
    """What the SDK's own fetchers do with an answer that lacks its members."""

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return {}["Credentials"]


async def test_credentials_that_come_garbled_leave_no_write_in_doubt():
    wire = Wire(ScriptedHttp(), Signer("http://h/", "us-west-2"), GarbledCredentials())

    with pytest.raises(UnavailableError, match="credentials"):
        await wire.ask(PUT, b"", bytes)


DATED = "Fri, 27 Nov 2026 11:12:58 GMT"
REFUSED = b'{"__type":"x#InvalidSignatureException","message":"Signature expired"}'


async def dated(answer: HttpAnswer) -> ServerTime:
    endpoint = ServerTime()
    signer, credentials = Signer("http://h/", "us-west-2"), StaticCredentials()
    wire = Wire(ScriptedHttp(answer), signer, credentials, endpoint=endpoint)
    with contextlib.suppress(DynamirrorError):
        await wire.ask(PUT, b"", read_one_item_answer)
    return endpoint


async def test_each_answer_of_the_service_tells_its_time_a_refusal_too():
    for answer in (HttpAnswer(200, b"{}", date=DATED), HttpAnswer(400, REFUSED, date=DATED.lower())):
        endpoint = await dated(answer)
        assert abs(endpoint.steady() + endpoint.ahead - 1795777978) < 2


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(200, b"<html>", date=DATED),
        HttpAnswer(200, b"{}", "1", date=DATED),
        HttpAnswer(302, b"{}", date=DATED),
        HttpAnswer(400, b"<html>", date=DATED),
        HttpAnswer(503, b"", date=DATED),
        HttpAnswer(200, b"{}"),
    ],
)
async def test_an_answer_that_is_not_the_services_tells_no_time(answer):
    assert (await dated(answer)).ahead is None


async def test_a_request_is_signed_at_the_time_that_the_service_tells():
    http = ScriptedHttp(b"{}")
    wire = Wire(http, Signer("http://h/", "us-west-2"), StaticCredentials(), now=lambda: 1795777978.7)

    await wire.ask(GET, b"", bytes)

    assert http.requests[0][1]["X-Amz-Date"] == "20261127T111258Z"
