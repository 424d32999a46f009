"""One HTTP/1.1 answer after the other out of a connection's bytes, however they are cut. Pure: no sockets, no clock.

httptools (llhttp) reads them. Here is what it leaves open: a body is never guessed, and nothing grows without bound.
"""

from __future__ import annotations

import httptools

from service.aws.answers import CHECKSUM_HEADER
from service.aws.http.transport import HttpAnswer

_MAX_QUIET_BYTES = 64 * 1024
"""Of a head, or of trailers: bytes that bring no body."""
_CHECKSUM, _DATE, _LENGTH, _CODING = CHECKSUM_HEADER.encode(), b"date", b"content-length", b"transfer-encoding"
_WITHOUT_BODY = (204, 304)
_NEEDED = frozenset({_CHECKSUM, _DATE, _LENGTH, _CODING})


class GarbageError(Exception):
    """What came is no HTTP answer, or one that has no certain end."""


class AnswerParser:
    """Fed with one connection's bytes; `answer` is there when one is whole, until `take` has it."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.answer: HttpAnswer | None = None
        self._keeps = True
        self._is_followed = False
        """Somebody answers what was not asked."""
        self._fields: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._is_in_head = True
        """What comes as a header field is one, and no trailer, which says nothing about the answer here."""
        self._quiet_bytes = 0
        self._ends_with_connection = False

    def feed(self, data: bytes) -> None:
        """More bytes of the connection. Raises GarbageError."""
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.answer is not None:
                self._is_followed = True
                return
            raise GarbageError(f"the answer is no HTTP that is understood here ({type(error).__name__})") from None
        if self._quiet_bytes > _MAX_QUIET_BYTES and self.answer is None:
            raise GarbageError("the answer's head is too long")

    def end(self) -> None:
        """The connection is closed in order: the end of a body that has no length. Raises GarbageError."""
        if not self._ends_with_connection:
            raise GarbageError("the connection was closed before the whole answer had come")
        self.on_message_complete()
        self._keeps = False

    def take(self) -> HttpAnswer | None:
        """The answer, which may have a megabyte, and is forgotten here."""
        answer, self.answer = self.answer, None
        return answer

    @property
    def keeps_connection(self) -> bool:
        """The connection can carry another request. Known with the answer."""
        return self._keeps and not self._is_followed

    # httptools calls these, by these names.

    def on_message_begin(self) -> None:
        self._is_followed = self.answer is not None
        self._fields, self._parts = {}, []
        self._is_in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in _NEEDED and self._is_in_head:
            before = self._fields.get(name)
            # A repeated field is one list (RFC 9110, section 5.3).
            self._fields[name] = value.strip() if before is None else b"%b, %b" % (before, value.strip())

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        coding, length = self._fields.get(_CODING), self._fields.get(_LENGTH)
        if coding is not None and (coding.lower() != b"chunked" or length is not None):
            raise GarbageError("the answer's body has no certain end")
        status = self._parser.get_status_code()
        has_body = status >= 200 and status not in _WITHOUT_BODY
        self._ends_with_connection = has_body and coding is None and length is None
        self._quiet_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._quiet_bytes = 0

    def on_message_complete(self) -> None:
        if self.answer is not None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return  # 100 Continue and its like: the answer is still to come
        self._ends_with_connection = False
        self._keeps = self._parser.should_keep_alive()
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self.answer = HttpAnswer(status, body, _text(self._fields.get(_CHECKSUM)), _text(self._fields.get(_DATE)))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
