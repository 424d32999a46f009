"""Debian's buildah, which builds and starts images without a daemon; its images are under `.cache/`.

It needs root, for chroot and mounts. What can't be installed or run is an error that says why; nothing is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers.debian import CACHE, install
from tests.servers.process import ServerError
from tests.support.patience import PATIENCE_SECONDS

_PACKAGES = ("buildah", "debootstrap", "debian-archive-keyring")
_COMMANDS = ("buildah", "debootstrap")
STORAGE = CACHE / "containers"
# What is mounted must be forgotten with a restart of the machine, as all of /run is.
_STATE = Path("/run") / f"dynamirror-tests-{hashlib.sha256(str(STORAGE).encode()).hexdigest()[:8]}"
ISOLATION = ("--isolation", "chroot")  # the only one that works inside of a container too


@cache
def program() -> tuple[str, ...]:
    """buildah with its storage; installs it when it is missing. Raises ServerError."""
    install(_PACKAGES, _COMMANDS, "the image's test")
    if os.geteuid() != 0:
        raise ServerError("the image's test needs root: it mounts file systems")
    STORAGE.mkdir(parents=True, exist_ok=True)
    placed = ("buildah", "--root", str(STORAGE), "--runroot", str(_STATE), "--storage-driver")
    # Where the disk is an overlay itself, the kernel refuses another one on it; vfs copies, and always works.
    answers = subprocess.run([*placed, "overlay", "info"], capture_output=True, check=False).returncode == 0
    return (*placed, "overlay" if answers else "vfs")


def buildah(*arguments: str, seconds: float = 4 * PATIENCE_SECONDS) -> str:
    """What it prints. Raises ServerError."""
    done = subprocess.run([*program(), *arguments], capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise ServerError(f"buildah {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout.strip()


def exists(image: str) -> bool:
    return subprocess.run([*program(), "inspect", image], capture_output=True, check=False).returncode == 0


@contextmanager
def container(image: str) -> Iterator[str]:
    """The name of a container of the image, for the length of the block."""
    name = buildah("from", "--pull-never", image)
    try:
        yield name
    finally:
        buildah("rm", name)


def settings_of(image: str) -> dict[str, Any]:
    """What Docker would read in it: user, entry point, labels, health check."""
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    return found
