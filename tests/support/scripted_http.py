"""An HTTP that answers from a script, and a wire on it."""

from collections.abc import Mapping

from botocore.credentials import ReadOnlyCredentials

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


def wire_on(http: ScriptedHttp) -> Wire:
    return Wire(http, Signer("http://localhost:8000/", "us-west-2"), StaticCredentials())
