"""`python -m tests.servers NAME` runs one server by hand until Ctrl-C; `fetch` gets what a first start would."""

import signal
import sys
from contextlib import suppress

from tests.servers import browser, dynamodb_local
from tests.servers.process import ServerError
from tests.servers.start import NAMES, running

if len(sys.argv) != 2 or sys.argv[1] not in (*NAMES, "fetch"):
    sys.exit(f"usage: python -m tests.servers {{{','.join([*NAMES, 'fetch'])}}}")
if sys.argv[1] == "fetch":
    dynamodb_local.fetch()
    try:
        browser.fetch()
    except ServerError as error:  # the dashboard's tests will fail with it; the others need no browser
        print(error, file=sys.stderr)
    sys.exit()
with suppress(KeyboardInterrupt), running(sys.argv[1]) as server:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"{server.name} answers at {server.endpoint_url} (process {server.process_id})", flush=True)
    signal.pause()
