"""A client of the admin API: what the commands of the shell say to a service that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from service.configuration.hosts import address, is_loopback, reached
from service.configuration.values import sendable
from service.errors import ConfigurationError, DynamirrorError

Document = dict[str, Any]

# A pause answers when the last write is done, and the API interrupts a call after a minute.
_TIMEOUT = httpx.Timeout(75, connect=5)
JOB_LISTS = {
    "replay": "/replays",
    "snapshot": "/snapshots",
    "verification": "/verifications",
    "redrive": "/redrives",
}


class AdminError(DynamirrorError):
    """The service could not be asked, or refused; one line for a person. `status` is the answer's, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def default_url(given: Mapping[str, str]) -> str:
    """Where a service with these settings is reached from this machine."""
    host = reached(given.get("DYNAMIRROR_ADMIN_HOST", "127.0.0.1"))
    return address(host, given.get("DYNAMIRROR_ADMIN_PORT", "8080").strip())


def default_token(given: Mapping[str, str]) -> str | None:
    """The admin token, or the read token where there is no other. Raises ConfigurationError."""
    name = next((name for name in ("DYNAMIRROR_ADMIN_TOKEN", "DYNAMIRROR_READ_TOKEN") if name in given), None)
    if name is None:
        return None
    try:
        return sendable(given[name])
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


class UsageError(AdminError):
    """What was named as the service's address is none, or the service has several pipelines and none was named."""


class AdminClient:
    """One pipeline of a service: the named one, or its only one.

    Every call raises AdminError; none is repeated by itself. Redirects are not followed.
    """

    def __init__(
        self, url: str, token: str | None, pipeline: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._pipeline = pipeline
        self._prefix = f"/pipelines/{quote(pipeline, safe='')}" if pipeline else ""
        headers = {b"authorization": b"Bearer " + token.encode()} if token else {}
        try:
            parsed = httpx.URL(self._url)
        except httpx.InvalidURL as error:
            raise UsageError(f"{url!r} is not a URL; expected one such as http://127.0.0.1:8080") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise UsageError(f"{url!r} is not a URL; expected one such as http://127.0.0.1:8080")
        # A proxy of the environment can't reach this machine's loopback, and would see the token.
        self._client = httpx.Client(
            base_url=parsed,
            headers=headers,
            timeout=_TIMEOUT,
            transport=transport,
            trust_env=not is_loopback(parsed.host),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def status(self) -> Document:
        return self._ask("GET", "/status")

    def pause(self) -> Document:
        return self._ask("POST", "/pause")

    def resume(self) -> Document:
        return self._ask("POST", "/resume")

    def replay(
        self,
        *,
        sequence_number: str | None = None,
        shard_id: str | None = None,
        from_time: datetime | None = None,
        from_: str | None = None,
        dry_run: bool = False,
    ) -> Document:
        body = {
            "sequence_number": sequence_number,
            "shard_id": shard_id,
            "from_time": from_time.isoformat() if from_time else None,
            "from": from_,
            "dry_run": dry_run,
        }
        return self._ask("POST", "/replay", json={name: value for name, value in body.items() if value is not None})

    def find_replay(self, replay_id: str) -> Document:
        return self._ask("GET", f"/replays/{quote(replay_id, safe='')}")

    def replays(self) -> Document:
        return self._ask("GET", "/replays")

    def snapshot(self) -> Document:
        return self._ask("POST", "/snapshot")

    def find_snapshot(self, snapshot_id: str) -> Document:
        return self._ask("GET", f"/snapshots/{quote(snapshot_id, safe='')}")

    def verify(self, *, repair: bool, sample: float | None) -> Document:
        body: Document = {"repair": repair} | ({"sample": sample} if sample is not None else {})
        return self._ask("POST", "/verify", json=body)

    def find_verification(self, verification_id: str) -> Document:
        return self._ask("GET", f"/verifications/{quote(verification_id, safe='')}")

    def dead_letters(self, limit: int, cursor: str | None) -> Document:
        return self._ask("GET", "/dead-letters", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))

    def find_dead_letter(self, letter_id: str) -> Document:
        return self._ask("GET", f"/dead-letters/{quote(letter_id, safe='')}")

    def redrive(self, ids: list[str] | None) -> Document:
        """None means all. What takes long answers with the job, which has a `state`."""
        body = {"all": True} if ids is None else {"ids": ids}
        return self._ask("POST", "/dead-letters/redrive", json=body)

    def find_redrive(self, redrive_id: str) -> Document:
        return self._ask("GET", f"/redrives/{quote(redrive_id, safe='')}")

    def jobs(self) -> list[Document]:
        """Each with its `kind`, those that run first, then the newest."""
        found = [{"kind": kind, **job} for kind, path in JOB_LISTS.items() for job in self._ask("GET", path)["items"]]
        found.sort(key=lambda job: str(job.get("started_at")), reverse=True)
        return sorted(found, key=lambda job: job.get("state") != "running")

    def cancel(self, job_id: str) -> Document:
        """A job of any kind, by its id."""
        for path in JOB_LISTS.values():
            try:
                return self._ask("DELETE", f"{path}/{quote(job_id, safe='')}")
            except AdminError as error:
                if error.status != 404:
                    raise
        raise AdminError(f"there is no job {job_id!r} at {self._url}: `dynamirror jobs` lists them")

    def discard(self, letter_id: str) -> None:
        self._ask("DELETE", f"/dead-letters/{quote(letter_id, safe='')}")

    def _ask(self, method: str, path: str, **options: Any) -> Document:
        try:
            return self._answered(method, self._prefix + path, **options)
        except AdminError as error:
            if error.status == 404 and self._pipeline is None:
                self._refuse_without_name()
            raise

    def _refuse_without_name(self) -> None:
        """Raises UsageError where the service has several pipelines."""
        try:
            found = [str(each["name"]) for each in self._answered("GET", "/pipelines")["items"]]
        except (AdminError, LookupError):
            return
        if len(found) > 1:
            raise UsageError(
                f"The service at {self._url} runs {len(found)} pipelines; name one with --pipeline or "
                f"DYNAMIRROR_PIPELINE: {', '.join(found)}"
            )

    def _answered(self, method: str, path: str, **options: Any) -> Document:
        try:
            response = self._client.request(method, path, **options)
        except httpx.ConnectError as error:
            raise AdminError(
                f"Nothing answers at {self._url}: is the service running there? Name another place with --url."
            ) from error
        except httpx.TimeoutException as error:
            raise AdminError(f"{self._url} does not answer in time; try again, or look at its log.") from error
        except httpx.HTTPError as error:
            raise AdminError(f"{self._url} can't be asked: {type(error).__name__}") from error
        return self._understood(response)

    def _understood(self, response: httpx.Response) -> Document:
        try:
            document = response.json() if response.content else {}
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise AdminError(
                f"What answers at {self._url} is not dynamirror's admin API (HTTP {response.status_code})."
            )
        if response.is_success:
            return document
        if response.status_code == 401:
            raise AdminError(
                f"The service at {self._url} wants a token, and not the one that was sent, if any: "
                "set DYNAMIRROR_ADMIN_TOKEN to the service's."
            )
        text = str(document.get("detail") or f"{self._url} answers HTTP {response.status_code}.")
        raise AdminError(text, response.status_code)
