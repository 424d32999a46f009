"""A wire to a server's tables, as the service makes it for the control table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.aws.http.client import DirectEndpoint
from service.aws.http.signing import Signer
from service.aws.http.transport import tls_context
from service.aws.http.wire import Wire
from tests.servers import REGION, sdk_client
from tests.support.patience import PATIENCE_SECONDS


@asynccontextmanager
async def open_wire(endpoint_url: str | None, request_timeout_seconds: float = PATIENCE_SECONDS) -> AsyncIterator[Wire]:
    """With the credentials that the tests' SDK clients have."""
    async with sdk_client(endpoint_url) as client:
        url = client.meta.endpoint_url.rstrip("/") + "/"
        credentials = client._request_signer._credentials
        endpoint = DirectEndpoint(url, tls_context(None), request_timeout_seconds)
        try:
            yield Wire(endpoint, Signer(url, REGION), credentials)
        finally:
            await endpoint.close()
