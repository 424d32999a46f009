"""A connection to the API: its deadlines, and its place among the others.

uvicorn bounds neither how many connections there are nor how long a request's head may take, and a client that does
not fetch its answer keeps its connection. Each open one is a file descriptor that the flow may need, so: the oldest
connection that has no request under way gives way to a new one, and every state but "at work" has a deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.hardening import Limits
from api.problems import problem


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1 with deadlines. `bounded` makes the class for given limits."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._opened_at = self.loop.time()

    @property
    def is_waiting(self) -> bool:
        """No request is under way."""
        cycle: RequestResponseCycle | None = self.cycle  # None until the first request, whatever uvicorn declares
        return cycle is None or cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._make_room()
        self._abort_in(self.limits.head_seconds)

    def _make_room(self) -> None:
        """End the oldest connection that waits for a request; this new one itself, if all others are at work."""
        others = [each for each in self.connections if isinstance(each, Connection) and each is not self]
        waiting = [each for each in others if each.is_waiting]
        oldest = min(waiting, key=lambda each: each._opened_at, default=self)
        self.connections.discard(oldest)
        oldest.transport.abort()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.is_waiting:
            self._set_deadline(None)

    def on_response_complete(self) -> None:
        self._abort_in(self.limits.answer_seconds)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_deadline(None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP at all is answered with a problem too."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # an answer has begun already
            return
        answer = problem(400, "This is not a valid HTTP request.", {"connection": "close"})
        event = h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request")
        for part in (event, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _abort_in(self, seconds: float) -> None:
        self._set_deadline(self.loop.call_later(seconds, self.transport.abort))

    def _set_deadline(self, deadline: asyncio.TimerHandle | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = deadline


def bounded(limits: Limits) -> type[Connection]:
    """The connection class with these limits: uvicorn makes the instances itself, and takes only a class."""
    return type("BoundedConnection", (Connection,), {"limits": limits})
