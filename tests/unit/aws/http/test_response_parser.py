"""service.aws.http.response_parser: an answer is the same however its bytes are cut, and garbage is never a body."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.aws.http.response_parser import AnswerParser, GarbageError
from service.aws.http.transport import HttpAnswer

PLAIN = b"HTTP/1.1 200 OK\r\nX-Amz-Crc32: 7\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN


def fed(*pieces: bytes) -> AnswerParser:
    parser = AnswerParser()
    for piece in pieces:
        parser.feed(piece)
    return parser


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a time on a busy machine proves nothing
@given(st.sampled_from([PLAIN, CHUNKED, CONTINUED]), st.lists(st.integers(0, 140), max_size=8))
def test_an_answer_is_the_same_however_it_is_cut(whole, cuts):
    places = sorted({0, len(whole), *[min(cut, len(whole)) for cut in cuts]})
    pieces = [whole[start:end] for start, end in zip(places, places[1:], strict=False)]
    parser = fed(*pieces[:-1])

    assert parser.answer is None
    parser.feed(pieces[-1])
    assert parser.answer is not None
    assert (parser.answer.status, parser.answer.body, parser.keeps_connection) == (200, b"hello", True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a time on a busy machine proves nothing
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_garbage(noise):
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            parser = fed(start + noise)
            if parser.answer is None:
                parser.end()
        except GarbageError:
            pass


@pytest.mark.parametrize(
    ("fields", "checksum"),
    [
        (b"X-Amz-Crc32:  7 \r\n", "7"),
        (b"x-amz-crc32:7\r\nServer: x\r\n", "7"),
        (b"X-Amz-Crc32: 7\r\nX-AMZ-CRC32: 8\r\n", "7, 8"),
        (b"Not-X-Amz-Crc32: 7\r\n", None),
        (b"Server: x-amz-crc32: 7\r\n", None),
        (b"", None),
    ],
)
def test_the_checksum_is_found_however_its_name_is_spelled(fields, checksum):
    parser = fed(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")

    assert parser.answer is not None
    assert parser.answer.checksum == checksum


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 0", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x\r\nContent-Length: 0\r\nConnection: close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0", True),
    ],
)
def test_whether_the_connection_is_kept(head, keeps):
    parser = fed(head + b"\r\n\r\n")

    assert parser.answer is not None
    assert parser.keeps_connection is keeps


@pytest.mark.parametrize(
    "more", [b"H", b"garbage\r\n\r\n", b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"]
)
def test_more_than_the_answer_ends_the_connection(more):
    parser = fed(PLAIN + more)

    assert not parser.keeps_connection
    assert parser.take() == HttpAnswer(200, b"hello", "7")


def test_a_trailer_is_no_header():
    parser = fed(CHUNKED.replace(b"Trailer: x", b"x-amz-crc32: 7"))

    assert parser.take() == HttpAnswer(200, b"hello")


def test_a_body_without_a_length_ends_with_the_connection():
    parser = fed(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"<html>", b"</html>")

    assert parser.answer is None
    parser.end()
    assert parser.answer is not None
    assert (parser.answer.body, parser.keeps_connection) == (b"<html></html>", False)


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED, CONTINUED])
def test_a_connection_that_ends_early_brings_no_answer(whole):
    for cut in range(len(whole)):
        parser = fed(whole[:cut])
        with pytest.raises(GarbageError):
            parser.end()


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"1" * 100_000,
        b"HTTP/1.1 200 OK\r\nA: " + b"1" * 100_000,
    ],
)
def test_garbage_is_told(garbage):
    with pytest.raises(GarbageError):
        fed(*[garbage[at : at + 16_384] for at in range(0, len(garbage), 16_384)])
