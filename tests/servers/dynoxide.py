"""dynoxide, a DynamoDB server in Rust (the crate `dynoxide-rs`), built by cargo into `.cache/dynoxide/`.

`python -m tests.servers fetch` builds it ahead of the tests, once: that takes some minutes. No test waits for it.
"""

import fcntl
import os
import shutil
import subprocess

from tests.servers.debian import CACHE
from tests.servers.process import Launch, ServerError

_CRATE = "dynoxide-rs"
_VERSION = "3.2.0"
_FEATURES = "native-sqlite,http-server,cli"
_HOME = CACHE / "dynoxide"
_BINARY = _HOME / "bin" / "dynoxide"
_BUILD_SECONDS = 3600
# The tests ask it for little: a build that is over sooner is worth more than a server that is faster.
_QUICK_BUILD = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
}


def launch(port: int) -> Launch:
    """How to run it on a port. Raises ServerError if it is not built."""
    if not is_built():
        raise ServerError(
            f"there is no {_CRATE} {_VERSION} in {_HOME}: `python -m tests.servers fetch` builds it with cargo, "
            "and SERVERS=moto,ministack runs the tests without it"
        )
    return Launch([str(_BINARY), "serve", "--host", "127.0.0.1", "--port", str(port)], {})


def is_built() -> bool:
    """In the version that the tests know."""
    installed = _HOME / ".crates.toml"
    return _BINARY.exists() and installed.exists() and f'"{_CRATE} {_VERSION} ' in installed.read_text()


def can_be_built() -> bool:
    return shutil.which("cargo") is not None


def fetch() -> None:
    """Build it unless it is there; several processes may call it at once. Raises ServerError."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "dynoxide.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built():
            _build()


def _build() -> None:
    if not can_be_built():
        raise ServerError(f"{_CRATE} is built by cargo, and there is none: https://rustup.rs")
    print(f"building {_CRATE} {_VERSION} into {_HOME}, once; this takes some minutes", flush=True)
    command = ["cargo", "install", _CRATE, "--version", _VERSION, "--locked", "--force", "--root", str(_HOME)]
    done = subprocess.run(
        [*command, "--no-default-features", "--features", _FEATURES],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILD_SECONDS,
        env=os.environ | _QUICK_BUILD,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"can't build {_CRATE}: {' '.join(command)}: {done.stdout[-2000:]}")
