"""What the tests take from Debian: packages that apt-get installs where this process may, or unpacks into `.cache/`."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.servers.process import ServerError

CACHE = Path(__file__).resolve().parents[2] / ".cache"
_LOCK = Path(tempfile.gettempdir()) / "dynamirror-tests-apt.lock"
_SECONDS = 900


def install(packages: Sequence[str], commands: Sequence[str], purpose: str) -> None:
    """Make sure that the commands are there; several processes may call it at once. Raises ServerError."""
    if _are_there(commands):
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _are_there(commands):
            return
        wanted = ", ".join(packages)
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise ServerError(f"{purpose} needs {wanted} (so Debian calls them); apt-get and root could install that")
        _apt_get("update")
        _apt_get("install", "-y", "--no-install-recommends", *packages)
    if not _are_there(commands):
        raise ServerError(f"{wanted} are installed, and there is still no {' or no '.join(commands)} on the PATH")


def unpacked(package: str) -> Path:
    """A folder of the package's files, without what it would bring along or start. Raises ServerError."""
    folder = CACHE / f"debian-{package}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"debian-{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                with _LOCK.open("w") as apt:
                    fcntl.flock(apt, fcntl.LOCK_EX)
                    _apt_get("update")
                    _apt_get("download", package, folder=scratch)
                (archive,) = Path(scratch).glob("*.deb")
                _run("dpkg-deb", "-x", str(archive), f"{scratch}/files")
                Path(scratch, "files").rename(folder)
    return folder


def _are_there(commands: Sequence[str]) -> bool:
    return all(shutil.which(command) for command in commands)


def _apt_get(*arguments: str, folder: str | None = None) -> None:
    # APT::Sandbox::User: the folder of a download is root's.
    _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", *arguments, folder=folder)


def _run(*command: str, folder: str | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"{' '.join(command)}: {done.stdout[-2000:]}")
