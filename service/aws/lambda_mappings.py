"""The event source mappings that read a stream, as the Lambda API shows them and switches them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiobotocore.config import AioConfig

from service.aws.calls import ask_sdk
from service.aws.error_codes import Call
from service.aws.sessions import open_client, open_session
from service.configuration.environment import PREFIX
from service.configuration.settings import Settings
from service.ports import SourceMapping

_RESOURCE = "the event source mappings of the stream"
_REQUEST_SECONDS = 10.0


class LambdaMappings:
    """Implements ports.SourceMappings. Each call is a request, or a few."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def of_stream(self, stream_arn: str) -> list[SourceMapping]:
        found: list[SourceMapping] = []
        start: dict[str, str] = {}
        about = Call("ListEventSourceMappings", _RESOURCE)
        while True:
            mappings, marker = await ask_sdk(
                self._client, "list_event_source_mappings", about, _page, EventSourceArn=stream_arn, **start
            )
            found += mappings
            if not marker:
                return found
            start = {"Marker": marker}

    async def switch(self, mapping_id: str, *, is_on: bool) -> None:
        about = Call("UpdateEventSourceMapping", _RESOURCE)
        request = {"UUID": mapping_id, "Enabled": is_on}
        await ask_sdk(self._client, "update_event_source_mapping", about, lambda answer: answer["UUID"], **request)


def _page(answer: dict[str, Any]) -> tuple[list[SourceMapping], str | None]:
    return [_mapping(entry) for entry in answer["EventSourceMappings"]], answer.get("NextMarker")


def _mapping(entry: dict[str, Any]) -> SourceMapping:
    return SourceMapping(
        id=entry["UUID"],
        function_arn=entry.get("FunctionArn", ""),
        state=entry.get("State", ""),
        last_result=entry.get("LastProcessingResult", ""),
        reports_failures="ReportBatchItemFailures" in entry.get("FunctionResponseTypes", []),
        changed_at=entry["LastModified"].timestamp(),
    )


@asynccontextmanager
async def open_lambda_mappings(settings: Settings) -> AsyncIterator[LambdaMappings]:
    """The Lambda API where the source lives: a mapping is in the region of its stream. Raises ConfigurationError."""
    config = AioConfig(read_timeout=_REQUEST_SECONDS, retries={"total_max_attempts": 1})
    access = replace(settings.side("source").access, role_arn=None)  # the role is for the table
    session = await open_session(f"{PREFIX}SOURCE", access, config)
    async with open_client(session, "lambda", endpoint_url=_endpoint(settings), config=config) as client:
        yield LambdaMappings(client)


def _endpoint(settings: Settings) -> str | None:
    """The SDK's own, unless the source is on an emulator: that one serves Lambda at the same address."""
    if os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_LAMBDA"):
        return None
    url = settings.source_endpoint_url
    return None if url is None or "amazonaws.com" in url else url
