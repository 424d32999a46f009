"""Ports for what is started later: none that the kernel gives to others meanwhile, nor another process of this run."""

from __future__ import annotations

import os
import random
import socket

FIRST, PER_PROCESS = 15_000, 1_000
"""Below those that the kernel chooses from: a free port stays free until it is listened on, and over a restart."""
_OF_THE_RUN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 15
_given: set[int] = set()


def free_port() -> int:
    """On loopback; given once."""
    while True:
        port = FIRST + PER_PROCESS * _OF_THE_RUN + random.SystemRandom().randrange(PER_PROCESS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
