"""A client of the admin API: what the commands of the shell say to a service that runs elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Self, get_args
from urllib.parse import quote

import httpx

from service.cli.advised import Advised
from service.configuration.hosts import address, is_loopback, reached
from service.configuration.values import sendable
from service.errors import ConfigurationError, DynamirrorError
from service.operations.documents.jobs import JobKind

Document = dict[str, Any]

# A pause answers when the last write is done, and the API interrupts a call after a minute.
_TIMEOUT = httpx.Timeout(75, connect=5)
_OVERVIEW_TIMEOUT = httpx.Timeout(10, connect=5)
"""The service tells its status from memory."""
_PROBLEM = "urn:dynamirror:problem:"
_MAX_PORT = 65535
_SHOWN = 200
"""Characters of what a foreign server says."""
_OTHER_PLACE = "name the service's own address with --url"
JOB_LISTS = {kind: f"/{kind}s" for kind in get_args(JobKind)}


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
    """What was asked for makes no sense to the service, its address is none, or none of its pipelines was named."""


class AdminClient:
    """One pipeline of a service: the named one, or its only one.

    Every call raises AdminError; none is repeated by itself. Redirects are not followed.
    """

    def __init__(
        self, url: str, token: str | None, pipeline: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self.advised = Advised(pipeline=pipeline)
        self._place: str | None = None
        """Of the job that the last answer told of."""
        self._pipeline = pipeline
        self._prefix = f"/pipelines/{segment(pipeline)}" if pipeline else ""
        headers = {b"authorization": b"Bearer " + token.encode()} if token else {}
        parsed = _parsed(url)
        # A proxy of the environment can't reach this machine's loopback, and would see the token.
        is_local = is_loopback(parsed.host)
        try:
            self._client = httpx.Client(
                base_url=parsed,
                headers=headers,
                timeout=_TIMEOUT,
                transport=transport,
                trust_env=not is_local,
                verify=not (is_local and parsed.scheme == "http"),  # then no certificates are read, for some 30 ms
            )
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
            raise UsageError(
                f"The environment's proxy or certificates can't be used ({type(error).__name__}): correct HTTP_PROXY, "
                "HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE, or name the service's host in NO_PROXY."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def overview(self) -> Document:
        """The status; of several pipelines, where none was named, their list, which has `items`."""
        try:
            return self._answered("GET", f"{self._prefix}/status", "pipeline", timeout=_OVERVIEW_TIMEOUT)
        except AdminError as error:
            if error.status != 404 or self._pipeline is not None:
                raise
            return self._answered("GET", "/pipelines", "items", timeout=_OVERVIEW_TIMEOUT)

    def redrive(self, ids: list[str] | None) -> Document:
        """None means all. What takes long answers with the job, which has a `state`. `failures` tells which and why."""
        body = {"all": True} if ids is None else {"ids": ids}
        outcome = self.ask("POST", "/dead-letters/redrive", "redriven", json=body)
        if outcome["failed"] and "failures" not in outcome and self._place is not None:
            outcome["failures"] = self._answered("GET", self._place, "failures")["failures"]
        return outcome

    def job(self, kind: str, job_id: str) -> Document:
        return self.ask("GET", f"{JOB_LISTS[kind]}/{segment(job_id)}", "id")

    def jobs(self) -> list[Document]:
        """Each with its `kind`, those that run first, then the newest."""
        found = [
            {"kind": kind, **job} for kind, path in JOB_LISTS.items() for job in self.ask("GET", path, "items")["items"]
        ]
        found.sort(key=lambda job: str(job.get("started_at")), reverse=True)
        return sorted(found, key=lambda job: job.get("state") != "running")

    def cancel(self, job_id: str) -> Document:
        """A job of any kind, by its id."""
        for path in JOB_LISTS.values():
            try:
                return self.ask("DELETE", f"{path}/{segment(job_id)}", "id")
            except AdminError as error:
                if error.status != 404:
                    raise
        raise AdminError(f"there is no job {job_id!r} at {self._url}: {self.advised.command('jobs')} lists them")

    def ask(self, method: str, path: str, member: str | None, **options: Any) -> Document:
        """The answer of a call of the pipeline's, which has this member; None: it is empty."""
        try:
            return self._answered(method, self._prefix + path, member, **options)
        except AdminError as error:
            if error.status == 404 and self._pipeline is None:
                self._refuse_without_name()
            raise

    def _refuse_without_name(self) -> None:
        """Raises UsageError where the service has several pipelines."""
        try:
            found = [str(each["name"]) for each in self._answered("GET", "/pipelines", "items")["items"]]
        except (AdminError, LookupError):
            return
        if len(found) > 1:
            raise UsageError(
                f"The service at {self._url} runs {len(found)} pipelines; name one with --pipeline or "
                f"DYNAMIRROR_PIPELINE: {', '.join(found)}"
            )

    def _answered(self, method: str, path: str, member: str | None, **options: Any) -> Document:
        try:
            response = self._client.request(method, path, **options)
        except httpx.ConnectError as error:
            raise AdminError(self._not_connected(error)) from error
        except httpx.TimeoutException as error:
            raise AdminError(f"{self._url} does not answer in time; try again, or look at its log.") from error
        except (httpx.RemoteProtocolError, httpx.ReadError) as error:
            raise AdminError(
                f"What answers at {self._url} broke off, or speaks no HTTP: if it speaks TLS, its address begins with "
                f"https://; if it is another program, {_OTHER_PLACE}."
            ) from error
        except httpx.HTTPError as error:
            raise AdminError(f"{self._url} can't be asked: {type(error).__name__}; {_OTHER_PLACE}.") from error
        document = _document(response)
        if response.is_success:
            if member is None and not response.content:
                return {}
            if member is not None and document is not None and member in document:
                self._place = response.headers.get("location")
                return document
        elif document is not None and str(document.get("type")).startswith(_PROBLEM):
            raise self._refused(response.status_code, document)
        told = f"HTTP {response.status_code}{_onward(response)}"
        raise AdminError(f"What answers at {self._url} is not dynamirror's admin API ({told}): {_OTHER_PLACE}.")

    def _not_connected(self, error: BaseException) -> str:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {self._url} is not one that this machine trusts ({cause.verify_message}): "
                "SSL_CERT_FILE names others."
            )
        if cause is not None:
            return f"What answers at {self._url} speaks no TLS: try the address with http://."
        return f"Nothing answers at {self._url}: is the service running there? Name another place with --url."

    def _refused(self, status: int, problem: Document) -> AdminError:
        if status == 401:
            return AdminError(
                f"The service at {self._url} wants a token, and not the one that was sent, if any: "
                "set DYNAMIRROR_ADMIN_TOKEN to the service's."
            )
        kind = UsageError if status == 422 else AdminError
        return kind(str(problem.get("detail") or f"{self._url} answers HTTP {status}."), status)


def segment(name: str) -> str:
    """Of a path, whatever the name holds."""
    return quote(name, safe="")


def _parsed(url: str) -> httpx.URL:
    """Raises UsageError."""
    try:
        parsed = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 0) > _MAX_PORT:
        raise UsageError(f"{url!r} is not a URL; expected one such as http://127.0.0.1:8080")
    return parsed


def _document(response: httpx.Response) -> Document | None:
    """None where there is none."""
    try:
        found = response.json()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _onward(response: httpx.Response) -> str:
    place = response.headers.get("location", "")[:_SHOWN]
    return f", and sends on to {place}" if place else ""
