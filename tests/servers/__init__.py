"""The real DynamoDB servers that the integration tests run on; nobody here wrote them.

    with running("ministack") as server:
        ...  # server.endpoint_url

Each is a child process on a free loopback port that keeps its tables in memory, and it is stopped by its
process id when the block ends. A server that can't start is an error that says why; nothing is ever skipped.
`differences.py` is the table of what they do otherwise than AWS.
`python -m tests.servers NAME` runs one by hand until Ctrl-C.
"""

from tests.servers.access import CREDENTIALS, REGION, environment, profiles_file, sdk_client
from tests.servers.endpoint import PREFIX
from tests.servers.process import Server, ServerError
from tests.servers.start import NAMES, running
from tests.servers.tables import (
    create_streamed_table,
    create_table,
    delete_table,
    read_stream,
    scan,
    set_stream,
    stream_arn_of,
)
from tests.servers.wire import Answer, post

__all__ = [
    "CREDENTIALS",
    "NAMES",
    "PREFIX",
    "REGION",
    "Answer",
    "Server",
    "ServerError",
    "create_streamed_table",
    "create_table",
    "delete_table",
    "environment",
    "post",
    "profiles_file",
    "read_stream",
    "running",
    "scan",
    "sdk_client",
    "set_stream",
    "stream_arn_of",
]
