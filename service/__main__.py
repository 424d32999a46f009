"""Where `dynamirror COMMAND` begins, and `python -m service COMMAND`: signals have an answer before the rest loads.

The first process of a container gets no signal that it has no handler for. What is needed takes half a second to load:
a stop in that time would be lost, and the platform would wait for the end of its patience and kill.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_SERVING = {"run", "demo"}


def main() -> None:
    """The installed command; ends the process."""
    signal.signal(signal.SIGTERM, _end)
    if _is_serving():
        signal.signal(signal.SIGINT, _end)  # for the others Ctrl-C stays what it is to Python: KeyboardInterrupt

    from service.loading import loading

    with loading():
        from service.cli.commands import main as command
        from service.defects import hide_texts

    hide_texts()
    command()


def _is_serving() -> bool:
    return bool(_SERVING & set(sys.argv[1:2]))


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun, or it would have taken the signals over: there is nothing to leave in order."""
    os._exit(0 if _is_serving() else 1)


if __name__ == "__main__":
    main()
