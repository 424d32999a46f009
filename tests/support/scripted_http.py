"""An HTTP that answers from a script, and a wire on it."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from service.aws.error_codes import Call
from service.aws.faults import answer_lost
from service.aws.http.reading_turns import ReadingTurns
from service.aws.http.signing import Signer
from service.aws.http.transport import HttpAnswer
from service.aws.http.wire import Wire


class ScriptedHttp:
    """Gives one answer a request, in order: a body, a whole answer, or an exception."""

    def __init__(self, *script: bytes | HttpAnswer | Exception) -> None:
        self.requests: list[tuple[bytes, Mapping[str, str], bool]] = []
        self._script = list(script)

    async def post(self, body: bytes, headers: Mapping[str, str], *, is_write: bool) -> HttpAnswer:
        self.requests.append((body, headers, is_write))
        answer = self._script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpAnswer) else HttpAnswer(200, answer)


class StaticCredentials:
    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials("id", "secret", None)


def wire_on(http: ScriptedHttp, turns: ReadingTurns | None = None) -> Wire:
    return Wire(http, Signer("http://localhost:8000/", "us-west-2"), StaticCredentials(), turns=turns)


class WireTo:
    """A wire to somebody who answers the operations that it has methods for; the others go to `http`."""

    region = "us-west-2"

    def __init__(self, service: Any, http: ScriptedHttp | None = None) -> None:
        self._service = service
        self._others = wire_on(http or ScriptedHttp())

    async def ask(self, call: Call, body: bytes, read: Callable[[bytes], Any], *more: Any) -> Any:
        method = getattr(self._service, re.sub(r"(?<!^)(?=[A-Z])", "_", call.operation).lower(), None)
        if method is None:
            return await self._others.ask(call, body, read, *more)
        answer = json.dumps(await method(**json.loads(body))).encode()
        try:
            return read(answer)
        except ValueError as error:
            raise answer_lost(call, "the answer can't be read", "Malformed") from error
