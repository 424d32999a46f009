"""One HTTP/1.1 answer out of a connection's bytes, however they are cut (RFC 9112). Pure: no sockets, no clock.

It understands what an endpoint of DynamoDB, a load balancer or an emulator answers to a POST, and takes everything
else for garbage: a body is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.aws.http import Answer

_MAX_HEAD_BYTES = 64 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?")
_MAX_CHUNK_LINE_BYTES = 4 * 1024
_WITHOUT_BODY = frozenset({204, 304})
_Headers = dict[str, str]


class GarbageError(Exception):
    """What came is no HTTP answer, or one that has no certain end."""


class AnswerParser:
    """Fed until `answer` is there; one for each answer."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.keeps_connection = False
        """The connection can carry another request. Known with the answer."""
        self._received = bytearray()
        self._at = 0
        self._status = 0
        self._headers: _Headers | None = None
        self._length: int | None = None
        self._is_chunked = False
        self._chunks: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """More bytes of the connection. Raises GarbageError."""
        self._received += data
        while self._headers is None:
            if not self._read_head():
                return
            if self._status >= 200:
                break
            self._headers = None  # 100 Continue and its like: the answer is still to come
        if self._is_chunked:
            self._read_chunks()
        elif self._length is not None:
            self._read_length(self._length)

    def end(self) -> None:
        """The connection is closed in order: the end of a body that has no length. Raises GarbageError."""
        if self._headers is None or self._is_chunked or self._length is not None:
            raise GarbageError("the connection was closed before the whole answer had come")
        self.keeps_connection = False
        self._finish(bytes(self._received[self._at :]))

    def _read_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n", self._at)
        if end < 0:
            if len(self._received) - self._at > _MAX_HEAD_BYTES:
                raise GarbageError("the answer's head is too long")
            return False
        status_line, *lines = bytes(self._received[self._at : end]).split(b"\r\n")
        self._at = end + 4
        found = _STATUS_LINE.fullmatch(status_line)
        if found is None:
            raise GarbageError("the answer is no HTTP")
        self._status = int(found[2])
        headers = self._headers = _headers(lines)
        self._is_chunked, self._length = _framing(self._status, headers)
        options = [option.strip() for option in headers.get("connection", "").lower().split(",")]
        self.keeps_connection = "close" not in options and (found[1] == b"1" or "keep-alive" in options)
        return True

    def _read_length(self, length: int) -> None:
        end = self._at + length
        if len(self._received) < end:
            return
        with memoryview(self._received) as received:
            body = bytes(received[self._at : end])
        self._at = end
        self._finish(body)

    def _read_chunks(self) -> None:
        received = self._received
        while (line_end := received.find(b"\r\n", self._at)) >= 0:
            size = _chunk_size(bytes(received[self._at : line_end]))
            start = line_end + 2
            if size == 0:
                self._read_trailers(start)
                return
            if len(received) < start + size + 2:
                return
            if received[start + size : start + size + 2] != b"\r\n":
                raise GarbageError("a chunk is longer than it says")
            self._chunks.append(bytes(received[start : start + size]))
            self._at = start + size + 2
        if len(received) - self._at > _MAX_CHUNK_LINE_BYTES:
            raise GarbageError("a chunk has no size")

    def _read_trailers(self, start: int) -> None:
        """After the last chunk: fields that nobody needs, and an empty line."""
        at = start
        while (line_end := self._received.find(b"\r\n", at)) >= 0:
            if line_end == at:
                self._at = at + 2
                self._finish(b"".join(self._chunks))
                return
            at = line_end + 2
        if len(self._received) - start > _MAX_HEAD_BYTES:
            raise GarbageError("the answer's trailers are too long")

    def _finish(self, body: bytes) -> None:
        assert self._headers is not None
        is_framed = self._is_chunked or self._length is not None
        if is_framed and len(self._received) > self._at:
            self.keeps_connection = False  # somebody answers what was not asked
        self.answer = Answer(self._status, self._headers, body)


def _headers(lines: list[bytes]) -> _Headers:
    headers: _Headers = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip():
            raise GarbageError("a header can't be read")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers


def _framing(status: int, headers: Mapping[str, str]) -> tuple[bool, int | None]:
    """Whether the body is chunked, or how long it is; False and None: it ends with the connection."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if status in _WITHOUT_BODY or status < 200:
        return False, 0
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise GarbageError("the answer's body has no certain end")
        return True, None
    if length is None:
        return False, None
    if not (length.isascii() and length.isdigit()):
        raise GarbageError("the answer's length is no number")
    return False, int(length)


def _chunk_size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
        raise GarbageError("a chunk's size is no number")
    return int(found[1], 16)
