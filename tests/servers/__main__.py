"""`python -m tests.servers NAME` runs one server by hand until Ctrl-C; `fetch` gets what the tests would miss."""

import argparse
import signal
import sys
from contextlib import suppress

from tests.servers import browser, dynoxide
from tests.servers.process import ServerError
from tests.servers.start import ALL, NAMES, running


def fetch() -> None:
    if "dynoxide" in NAMES:
        dynoxide.fetch()
    try:
        browser.fetch()
    except ServerError as error:  # the dashboard's tests will fail with it; the others need no browser
        print(error, file=sys.stderr)


def run(name: str, port: int | None) -> None:
    with suppress(KeyboardInterrupt), running(name, port) as server:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        print(f"{server.name} answers at {server.endpoint_url} (process {server.process_id})", flush=True)
        signal.pause()


arguments = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
arguments.add_argument("name", choices=[*ALL, "fetch"])
arguments.add_argument("--port", type=int, help="where it listens; any free one unless given")
given = arguments.parse_args()
try:
    if given.name == "fetch":
        fetch()
    else:
        run(given.name, given.port)
except ServerError as error:
    sys.exit(str(error))
