"""`python -m tests.servers NAME`: runs one server by hand until Ctrl-C."""

import signal
import sys
from contextlib import suppress

from tests.servers.start import NAMES, running

if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: python -m tests.servers {{{','.join(NAMES)}}}")
with suppress(KeyboardInterrupt), running(sys.argv[1]) as server:
    print(f"{server.name} answers at {server.endpoint_url} (process {server.process_id})", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.pause()
