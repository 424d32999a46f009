"""Builds dist/dynamirror-lambda.zip: what service.lambda_handler imports, and no more. The same inputs, the same bytes.

    python deploy/lambda/build.py [--python 3.13] [--architecture arm64]

Without options the zip is for the Python and the architecture that run this. Bytecode goes in where it is for the same
Python: Lambda's disk is read-only, so that otherwise each cold start would compile everything.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "dist" / "dynamirror-lambda.zip"
HANDLER = "service.lambda_handler"
MAX_ZIPPED = 50 * 1024 * 1024
MAX_UNZIPPED = 250 * 1024 * 1024
"""Lambda's quotas (Developer Guide of Lambda, "Lambda quotas": deployment package)."""
SERVICES = {"dynamodb", "dynamodbstreams", "sts"}
"""What of the SDK's models is used; those of all services are twenty times as much."""
OLDEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
_UNUSED = ("**/__pycache__", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.c", "**/*.h", "bin", "boto3/examples")
_UNUSED_METADATA = (
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
)


@dataclass(frozen=True)
class Runtime:
    """What the zip is for."""

    python: str
    machine: str

    @property
    def is_this(self) -> bool:
        return self == this_runtime()

    @property
    def parameters(self) -> str:
        """For deploy/lambda/template.yaml."""
        return f"Runtime=python{self.python} Architecture={'arm64' if self.machine == 'aarch64' else 'x86_64'}"


def this_runtime() -> Runtime:
    return Runtime(f"{sys.version_info.major}.{sys.version_info.minor}", _MACHINES[platform.machine().lower()])


def build(target: Path = TARGET, runtime: Runtime | None = None) -> Path:
    """Write the zip; returns its path. Raises SystemExit with what went wrong."""
    runtime = runtime or this_runtime()
    with tempfile.TemporaryDirectory(prefix="dynamirror-lambda-") as folder:
        tree = Path(folder)
        install(tree, runtime)
        prune(tree)
        copy_own(tree)
        if runtime.is_this:
            compile_all(tree)
        if (unzipped := sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())) > MAX_UNZIPPED:
            raise SystemExit(f"{unzipped} bytes unzipped, and Lambda takes {MAX_UNZIPPED}")
        target.parent.mkdir(parents=True, exist_ok=True)
        pack(tree, target)
    if (size := target.stat().st_size) > MAX_ZIPPED:
        raise SystemExit(f"{target.name} has {size} bytes, and Lambda takes {MAX_ZIPPED} in a direct upload")
    shown = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
    print(f"{shown}: {size / 1e6:.1f} MB, {unzipped / 1e6:.1f} MB unzipped; deploy with {runtime.parameters}")
    return target


def install(tree: Path, runtime: Runtime) -> None:
    """The dependencies, as wheels, at the versions that the tests ran with."""
    # glibc 2.26 is that of the oldest of Lambda's Pythons here (3.11, Amazon Linux 2): manylinux up to 2.17 fits all.
    wheels = ["--platform", f"manylinux2014_{runtime.machine}", "--platform", f"manylinux_2_17_{runtime.machine}"]
    options = ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:", "--target", str(tree)]
    for_other = [*wheels, "--implementation", "cp", "--python-version", runtime.python]
    named = ["-c", str(ROOT / "constraints.txt"), "-r", str(Path(__file__).with_name("requirements.txt"))]
    done = subprocess.run([sys.executable, "-m", "pip", "install", *options, *for_other, *named], check=False)
    if done.returncode:
        raise SystemExit("the dependencies could not be installed")


def prune(tree: Path) -> None:
    for pattern in (*_UNUSED, *_UNUSED_METADATA):
        for path in sorted(tree.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for models in (tree / "botocore" / "data", tree / "boto3" / "data"):
        for folder in [path for path in models.iterdir() if path.is_dir() and path.name not in SERVICES]:
            shutil.rmtree(folder)


def copy_own(tree: Path) -> None:
    """The modules that the handler's import brings, found out by importing it; and the migrations."""
    asked = (
        f"import {HANDLER}, sys; print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'service'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise SystemExit(f"{HANDLER} can't be imported: {found.stderr}")
    for module in map(Path, found.stdout.split()):
        place = tree / module.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, place)
    shutil.copytree(ROOT / "schemas", tree / "schemas", ignore=shutil.ignore_patterns("__pycache__"))


def compile_all(tree: Path) -> None:
    """Bytecode that is never checked against its source, since nobody edits it in Lambda."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(tree, quiet=2, stripdir=str(tree), prependdir="/var/task", invalidation_mode=unchecked)


def pack(tree: Path, target: Path) -> None:
    """Names in order, one time for all, one mode: nothing of this machine."""
    with zipfile.ZipFile(target, "w") as archive:
        for name in sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(name, OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever this is
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, (tree / name).read_bytes())


def main(arguments: Sequence[str] | None = None) -> None:
    here = this_runtime()
    parser = argparse.ArgumentParser(description="Build the zip for AWS Lambda.")
    parser.add_argument("--python", default=here.python, help="the function's Python, such as 3.13")
    parser.add_argument("--architecture", default=here.machine, choices=sorted(_MACHINES))
    parser.add_argument("--target", type=Path, default=TARGET)
    given = parser.parse_args(arguments)
    build(given.target, Runtime(given.python, _MACHINES[given.architecture]))


if __name__ == "__main__":
    main()
