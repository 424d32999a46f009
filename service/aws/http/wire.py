"""The thin path to DynamoDB: bytes in, bytes out, one signed POST each, for what every record and lease asks.

The SDK's own path costs some 800 µs of CPU a record, nine tenths of it in validating, serializing and parsing what
nobody here looks at. Everything that a user sets up for the SDK holds here too: endpoint, region, credentials, TLS.
It never retries; a crash here costs nothing that the checkpoints do not know.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from botocore.credentials import ReadOnlyCredentials

from service.aws.answers import is_whole
from service.aws.error_codes import Call
from service.aws.faults import answer_lost, fault_of_answer, has_code, not_sent, translated
from service.aws.http.reading_turns import LONG_BYTES, ReadingTurns
from service.aws.http.server_time import ServerTime
from service.aws.http.signing import Signer
from service.aws.http.transport import AnswerLostError, Http, HttpAnswer, NotSentError
from service.errors import DynamirrorError

# botocore, dynamodb 2012-08-10 and dynamodbstreams 2012-08-10: metadata.targetPrefix
TABLES = "DynamoDB_20120810"
STREAMS = "DynamoDBStreams_20120810"

_LONGEST_WRITE_DELAY_SECONDS = 1.0
T = TypeVar("T")


class Credentials(Protocol):
    """aiobotocore's credentials: static ones, or ones that refresh themselves when asked."""

    def get_frozen_credentials(self) -> Awaitable[ReadOnlyCredentials]: ...


class Wire:
    """Calls one endpoint of one service (`TABLES` or `STREAMS`)."""

    def __init__(
        self,
        http: Http,
        signer: Signer,
        credentials: Credentials,
        service: str = TABLES,
        endpoint: ServerTime | None = None,
        now: Callable[[], float] = time.time,
        turns: ReadingTurns | None = None,
    ) -> None:
        """`endpoint` learns the time by the answers; `now` tells it, for the signatures. All wires share `turns`."""
        self._http = http
        self._signer = signer
        self._credentials = credentials
        self._service = service
        self.region = signer.region
        self._endpoint = endpoint or ServerTime()
        self._now = now
        self._turns = turns or ReadingTurns()

    async def ask(self, call: Call, body: bytes, read: Callable[[bytes], T]) -> T:
        """The answer as `read` understands it; one that it raises ValueError for is not the service's, and so is lost.

        Raises what service.aws.faults makes of anything else; a write may have happened then.
        """
        sent = self._endpoint.steady()
        credentials = await self._frozen_credentials(call)
        headers = self._signer.headers(f"{self._service}.{call.operation}", body, credentials, self._now())
        try:
            answer = await self._http.post(body, headers, is_write=call.is_write)
        except NotSentError as error:
            raise not_sent(call, str(error), "NotSent") from error
        except AnswerLostError as error:
            raise answer_lost(call, str(error), "AnswerLost") from error
        if not is_whole(answer.body, answer.checksum):
            raise answer_lost(call, "the answer's checksum is wrong", "Checksum")
        if answer.status != 200:
            raise self._fault(call, answer, sent)
        if len(answer.body) > LONG_BYTES:
            await self._turns.next()
        try:
            understood = read(answer.body)
        except ValueError as error:
            raise answer_lost(call, "the answer can't be read", "Malformed") from error
        if self._endpoint.is_due(sent):
            self._endpoint.heard(answer.date, sent)
        return understood

    def _fault(self, call: Call, answer: HttpAnswer, sent: float) -> DynamirrorError:
        if answer.status < 400:  # a redirect, for example: the services send none
            return answer_lost(call, f"HTTP status {answer.status}, which the service never sends", "Foreign")
        if has_code(answer.body):
            self._endpoint.heard(answer.date, sent)
        return fault_of_answer(call, answer.status, answer.body)

    async def _frozen_credentials(self, call: Call) -> ReadOnlyCredentials:
        asked_at = self._endpoint.steady()
        with translated(Call("AssumeRole", f"the credentials for {call.resource}")):  # the call itself is not in doubt
            credentials = await self._credentials.get_frozen_credentials()
        if call.is_write and self._endpoint.steady() - asked_at > _LONGEST_WRITE_DELAY_SECONDS:
            # The caller made sure that it may write, then: the time that a refresh takes must not add to a request's.
            raise not_sent(call, "refreshing the credentials took too long; it is done now", "CredentialRefresh")
        return credentials
