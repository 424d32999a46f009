"""A newer version of the product: a second installation in a folder of its own, with one migration more."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import orjson

from service.migrations import load_migrations
from tests.servers import Server
from tests.support.installed.product import Product

HOME = Path(__file__).resolve().parents[3]
SHIPPED = [str(migration) for migration in load_migrations()]
MIGRATION = f"{len(SHIPPED) + 1:04d}_forget_what_expired"
STEP = {"update_time_to_live": {"AttributeName": "expires_at", "Enabled": True}}
PROGRAM = (sys.executable, "-m", "service")
"""Run in the installation's folder: what lies beside the working directory comes before what is installed."""


def install(folder: Path) -> Path:
    """The code as it is, and what a next release may do to the control table."""
    for part in ("service", "api", "schemas"):
        shutil.copytree(HOME / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    migration = {"why": "Old jobs need not be kept for ever.", "steps": [STEP]}
    (folder / "schemas" / f"{MIGRATION}.json").write_bytes(orjson.dumps(migration))
    return folder


class Newer(Product):
    """One `run` of the installation in this folder."""

    program = PROGRAM

    def __init__(self, folder: Path, server: Server, tables: tuple[str, str], **settings: object) -> None:
        super().__init__(server, tables, **settings)
        self.folder = str(folder)
