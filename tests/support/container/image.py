"""Builds the Dockerfile, once for all workers, on a base that debootstrap makes: a Debian 12 with its Python 3.11.

pip reaches in the build what it reaches here: its settings and its certificate authority go in as the Dockerfile's
secrets. Both images stay in `.cache/`; what did not change since is not built again.
"""

from __future__ import annotations

import ast
import configparser
import fcntl
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import ServerError
from tests.support.container.buildah import ISOLATION, STORAGE, buildah, container, exists, program

ROOT = Path(__file__).resolve().parents[3]
SUITE = "bookworm"
BASE = f"localhost/debian-python:{SUITE}"
IMAGE = "localhost/dynamirror"
SECONDS = 1200.0
_CA_IN_BUILD = "/run/secrets/ca.pem"
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
_DPKG_SETTINGS = """\
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
"""


def built() -> str:
    """The image's name. Raises ServerError with the build's last lines."""
    program()
    with (STORAGE.parent / "containers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = f"{IMAGE}:{_digest()}"
        if not exists(image):
            if not exists(BASE):
                _make_base()
            with tempfile.TemporaryDirectory(prefix="dynamirror-build-") as folder:
                _build(image, Path(folder))
    return image


def _digest() -> str:
    """Of everything that the build may see: .dockerignore names it."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    seen = ["Dockerfile", ".dockerignore", *(line[1:] for line in ignored if line.startswith("!"))]
    digest = hashlib.sha256()
    for path in sorted(found for name in seen for found in (ROOT / name, *(ROOT / name).rglob("*"))):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make_base() -> None:
    with container("scratch") as name:
        root = Path(buildah("mount", name))
        settings = root / "etc/dpkg/dpkg.cfg.d/quick"
        settings.parent.mkdir(parents=True)
        settings.write_text(_DPKG_SETTINGS)
        command = ["debootstrap", "--variant=minbase", "--include=python3-venv", SUITE, str(root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise ServerError(f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        settings.unlink()
        for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / folder)
        buildah("umount", name)
        buildah("commit", "--quiet", name, BASE)


def _build(image: str, folder: Path) -> None:
    given = {"pip.conf": folder / "pip.conf", "ca.pem": folder / "ca.pem"}
    certificates = _certificates()
    shutil.copyfile(certificates, given["ca.pem"]) if certificates else given["ca.pem"].touch()
    _write_pip_settings(given["pip.conf"], {"cert": _CA_IN_BUILD} if certificates else {})
    secrets = [part for name, path in given.items() for part in ("--secret", f"id={name},src={path}")]
    # --format docker: the OCI format knows no health check.
    options = ["--layers", "--format", "docker", "--pull-never", "--build-arg", f"BASE={BASE}", "--tag", image]
    buildah("bud", *ISOLATION, *options, *secrets, str(ROOT), seconds=SECONDS)


def _pip_settings() -> dict[str, str]:
    """pip's own, from its files and its environment variables, without the dash and the section."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found = [line.partition("=")[::2] for line in listed.splitlines()]
    by_weight = sorted(found, key=lambda pair: pair[0].startswith(":env:"))
    return {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, value in by_weight}


def _certificates() -> str | None:
    """The file of those whom pip trusts here; None if it brings its own."""
    named = [_pip_settings().get("cert"), os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("SSL_CERT_FILE")]
    return next(
        (name for name in (*named, ssl.get_default_verify_paths().cafile) if name and Path(name).is_file()), None
    )


def _write_pip_settings(path: Path, more: Mapping[str, str]) -> None:
    taken = {name: value for name, value in _pip_settings().items() if name in _PIP_SETTINGS}
    settings = configparser.RawConfigParser()
    settings["global"] = taken | dict(more)
    with path.open("w") as file:
        settings.write(file)
