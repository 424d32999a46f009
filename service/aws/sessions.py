"""An SDK session for one side: its region, and credentials that the SDK's own chain, a profile or a role gives.

A role is assumed with the first request that needs it, and again by itself before its credentials run out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentialResolver,
    AioDeferredRefreshableCredentials,
)
from aiobotocore.session import AioSession, get_session
from botocore.credentials import CredentialProvider
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.loaders import Loader, create_loader

from service.aws.error_codes import Call
from service.aws.faults import translated
from service.configuration.sides import Access
from service.errors import ConfigurationError, HaltError

_SESSION_NAME = "dynamirror"  # what CloudTrail shows of an assumed role
_NO_CREDENTIALS = (
    "no AWS credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with an IAM role"
)


async def open_session(variable: str, access: Access, config: AioConfig) -> AioSession:
    """A session that surely has a region and credentials. `variable` names the side: `DYNAMIRROR_SOURCE`.

    A region that `access` does not name is the profile's or the SDK's. With a profile, only that gives credentials,
    or assumes the role. `config` is for the calls to STS. Raises ConfigurationError.
    """
    try:
        session = _session_of_profile(access.profile)
        session.get_scoped_config()  # raises for a profile that does not exist
        region = access.region or session.get_config_variable("region")
    except ProfileNotFound as error:
        name = f"{variable}_PROFILE" if access.profile else f"AWS_PROFILE, for {variable}_TABLE"
        raise ConfigurationError(f"{name}: the SDK's configuration has no such profile: {error}") from error
    except BotoCoreError as error:
        raise ConfigurationError(f"{variable}_TABLE: the SDK's settings can't be used: {error}") from error
    if not region:
        raise ConfigurationError(f"{variable}_REGION: no region for {variable}_TABLE; set it, or AWS_DEFAULT_REGION")
    session.set_config_variable("region", region)
    try:
        with translated(Call("AssumeRole", f"the credentials for {variable}_TABLE")):
            credentials = await session.get_credentials()
    except HaltError as error:  # such as a key without its secret
        raise ConfigurationError(str(error)) from error
    if credentials is None and access.profile:
        raise ConfigurationError(f"{variable}_PROFILE: the profile {access.profile} has no credentials")
    if credentials is None:
        raise ConfigurationError(f"{variable}_TABLE: {_NO_CREDENTIALS}")
    return session if access.role_arn is None else _session_of_role(session, credentials, access, config)


@asynccontextmanager
async def open_client(session: AioSession, service: str, **options: Any) -> AsyncIterator[Any]:
    """The SDK's own client of a service, until the block ends. Raises ConfigurationError."""
    async with AsyncExitStack() as stack:
        try:
            making = aioboto3.Session(botocore_session=session).client(service, **options)
            client = await stack.enter_async_context(making)
        except (BotoCoreError, ValueError) as error:  # ValueError: "Invalid endpoint: …"
            raise ConfigurationError(f"no client for {service} can be made: {error}") from error
        yield client


def _session_of_profile(profile: str | None) -> AioSession:
    """Without a profile, the SDK's own: `AWS_PROFILE`, or the default one."""
    session = get_session()
    if profile is not None:
        session.set_config_variable("profile", profile)
    session.register_component("data_loader", shared_descriptions(session.get_config_variable("data_path")))
    return session


@cache
def shared_descriptions(search_path: str | None) -> Loader:
    """What the SDK knows of AWS's services, parsed once a process: 10 MiB less for each further session."""
    return create_loader(search_path)


def _session_of_role(asking: AioSession, credentials: Any, access: Access, config: AioConfig) -> AioSession:
    """A second session, whose whole credential chain is the role; STS is asked by the first."""
    assert access.role_arn is not None
    fetcher = AioAssumeRoleCredentialFetcher(
        client_creator=partial(aioboto3.Session(botocore_session=asking).client, config=config),
        source_credentials=credentials,
        role_arn=access.role_arn,
        extra_args={"RoleSessionName": _SESSION_NAME},
    )
    session = _session_of_profile(access.profile)
    session.set_config_variable("region", asking.get_config_variable("region"))
    session.register_component("credential_provider", AioCredentialResolver(providers=[_Role(fetcher)]))
    return session


class _Role(CredentialProvider):
    """A provider for the SDK's credential chain."""

    METHOD = "assume-role"
    CANONICAL_NAME = None

    def __init__(self, fetcher: AioAssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._credentials = AioDeferredRefreshableCredentials(
            refresh_using=fetcher.fetch_credentials, method=self.METHOD
        )

    async def load(self) -> AioDeferredRefreshableCredentials:
        return self._credentials
