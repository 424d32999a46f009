"""One HTTP/1.1 answer out of a connection's bytes, however they are cut (RFC 9112). Pure: no sockets, no clock.

It understands what an endpoint of DynamoDB, a load balancer or an emulator answers to a POST, and takes everything
else for garbage: a body is never guessed.
"""

from __future__ import annotations

import re

from service.aws.answers import CHECKSUM_HEADER
from service.aws.http.transport import Answer

_MAX_HEAD_BYTES = 64 * 1024
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5]\d\d)(?= |\r|\Z)")
# Searched for, rather than the whole head matched: that takes a tenth of the time.
_NO_FIELD = re.compile(r"\r\n(?![^\s:]+:)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?")
_MAX_CHUNK_LINE_BYTES = 4 * 1024
_WITHOUT_BODY = frozenset({204, 304})
_LENGTH, _CODING, _CONNECTION = "content-length", "transfer-encoding", "connection"
_NEEDED_FIELDS = re.compile(rf"\r\n({_LENGTH}|{_CODING}|{_CONNECTION}|{CHECKSUM_HEADER}):([^\r]*)")


class GarbageError(Exception):
    """What came is no HTTP answer, or one that has no certain end."""


class AnswerParser:
    """Fed until `answer` is there; one for each answer."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.keeps_connection = False
        """The connection can carry another request. Known with the answer."""
        self._head = b""
        self._status = 0
        """0 until the head has come."""
        self._checksum: str | None = None
        self._whole_head = ""
        self._length: int | None = None
        self._parts: list[bytes] = []
        """Of the body: the pieces as they came, or its chunks."""
        self._came = 0
        self._is_chunked = False
        self._chunked = bytearray()

    def feed(self, data: bytes) -> None:
        """More bytes of the connection. Raises GarbageError."""
        while not self._status:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > _MAX_HEAD_BYTES:
                    raise GarbageError("the answer's head is too long")
                self._head = data
                return
            self._head = b""
            self._read_head(data[:end].decode("latin-1"))
            data = data[end + 4 :]
        if self._is_chunked:
            self._chunked += data
            self._read_chunks()
        else:
            self._parts.append(data)
            self._came += len(data)
            if self._length is not None and self._came >= self._length:
                self._finish(self._length)

    def end(self) -> None:
        """The connection is closed in order: the end of a body that has no length. Raises GarbageError."""
        if not self._status or self._is_chunked or self._length is not None:
            raise GarbageError("the connection was closed before the whole answer had come")
        self._finish(self._came)
        self.keeps_connection = False

    def _read_head(self, head: str) -> None:
        """Leaves everything as it is after 100 Continue and its like: the answer is still to come."""
        found = _STATUS_LINE.match(head)
        if found is None:
            raise GarbageError("the answer is no HTTP")
        lines = head.count("\r\n")
        if _NO_FIELD.search(head) or head.count("\n") != lines or head.count("\r") != lines:
            raise GarbageError("a header can't be read")
        status = int(found[2])
        if status < 200:
            return
        self._status = status
        fields = _needed_fields(head)
        self._is_chunked, self._length = _framing(status, fields.get(_CODING), fields.get(_LENGTH))
        self._checksum = fields.get(CHECKSUM_HEADER)
        self._whole_head = head
        self.keeps_connection = _keeps(fields.get(_CONNECTION), is_newer=found[1] == "1")

    def _read_chunks(self) -> None:
        received, at = self._chunked, 0
        while (line_end := received.find(b"\r\n", at)) >= 0:
            size = _chunk_size(bytes(received[at:line_end]))
            start = line_end + 2
            if size == 0:
                del received[:at]
                self._read_trailers(start - at)
                return
            if len(received) < start + size + 2:
                break
            if received[start + size : start + size + 2] != b"\r\n":
                raise GarbageError("a chunk is longer than it says")
            self._parts.append(bytes(received[start : start + size]))
            self._came += size
            at = start + size + 2
        else:
            if len(received) - at > _MAX_CHUNK_LINE_BYTES:
                raise GarbageError("a chunk has no size")
        del received[:at]

    def _read_trailers(self, start: int) -> None:
        """After the last chunk: fields that nobody needs, and an empty line."""
        at = start
        while (line_end := self._chunked.find(b"\r\n", at)) >= 0:
            if line_end == at:
                self._finish(self._came, is_followed=len(self._chunked) > at + 2)
                return
            at = line_end + 2
        if len(self._chunked) - start > _MAX_HEAD_BYTES:
            raise GarbageError("the answer's trailers are too long")

    def _finish(self, length: int, *, is_followed: bool = False) -> None:
        if is_followed or self._came > length:
            self.keeps_connection = False  # somebody answers what was not asked
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self.answer = Answer(self._status, body[:length], self._checksum, self._whole_head)


def _needed_fields(head: str) -> dict[str, str]:
    """Names and values in lower case; the values of a repeated field are joined (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, spaced in _NEEDED_FIELDS.findall(head.lower()):
        value = spaced.strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _keeps(options: str | None, *, is_newer: bool) -> bool:
    """Whether the connection stays, by its field and the version of HTTP (RFC 9112, section 9.3)."""
    if options is None:
        return is_newer
    named = [option.strip() for option in options.split(",")]
    return "close" not in named and (is_newer or "keep-alive" in named)


def _framing(status: int, coding: str | None, length: str | None) -> tuple[bool, int | None]:
    """Whether the body is chunked, or how long it is; False and None: it ends with the connection."""
    if status in _WITHOUT_BODY:
        return False, 0
    if coding is not None:
        if coding != "chunked" or length is not None:
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
