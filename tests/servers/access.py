"""How a client reaches a server: dummy credentials, one region, nothing of the machine's own AWS settings.

An endpoint of one's own (`endpoint.py`) may bring its region and its credentials.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import aioboto3
from botocore.config import Config

from tests.servers.endpoint import DUMMY_REGION, ENDPOINT, credentials_for

REGION = DUMMY_REGION if ENDPOINT is None else ENDPOINT.region
CREDENTIALS = credentials_for(ENDPOINT)


def environment(*, region: str = REGION) -> dict[str, str]:
    """The environment for a child process: its SDK finds these credentials and nothing of this machine's.

    It may keep its bytecode: otherwise each of the many processes compiles all modules again, a third of its start.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if key != "PYTHONDONTWRITEBYTECODE"
        and not key.startswith(("AWS_", "DYNAMIRROR_"))
        and not key.lower().endswith("_proxy")
    }
    own = {name.upper(): value for name, value in CREDENTIALS.items()}
    return kept | {
        **own,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SSL_CERT_FILE": os.devnull,  # where a test needs certificates, it names its own
    }


def profiles_file(folder: Path, *profiles: str) -> str:
    """A file for AWS_SHARED_CREDENTIALS_FILE; each profile's access key is `KEY` and the profile's name."""
    file = folder / "credentials"
    keys = [f"[{name}]\naws_access_key_id = KEY{name}\naws_secret_access_key = secret\n" for name in profiles]
    file.write_text("\n".join(keys))
    return str(file)


def sdk_client(
    endpoint_url: str | None,
    service: str = "dynamodb",
    *,
    region: str = REGION,
    attempts: int = 1,
    credentials: Mapping[str, str] = CREDENTIALS,
) -> Any:
    """An aioboto3 client, used as `async with sdk_client(url, "dynamodbstreams") as streams`.

    It never retries unless asked to, so that a test sees what the server answered.
    """
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"}, proxies={})
    is_plain = endpoint_url is not None and endpoint_url.startswith("http:")
    # Without TLS no certificates are read: that would take longer than most of the tests.
    verify = False if is_plain else None
    return _session(region, **credentials).client(service, endpoint_url=endpoint_url, config=config, verify=verify)


@cache
def _session(region: str, **credentials: str) -> Any:
    """Shared by all clients of a process: a session of its own would read the SDK's descriptions for each of them."""
    return aioboto3.Session(region_name=region, **credentials)
