"""A program in a container: as `buildah run` starts it, or as the first process on a disk that can only be read."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.container.buildah import ISOLATION, buildah, program, settings_of
from tests.support.installed.command import Command

# What a runtime does for a container with a process space of its own and a read-only root; `$0` is the root.
_AS_RUNTIMES_DO = """
set -e
mount --bind "$0" "$0"
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
$MOUNTS
mount -o remount,bind,ro "$0"
exec env -i "${@:2}" chroot --userspec="$1" "$0" /usr/bin/env -C "$WORKDIR" $COMMAND
"""


class Contained(Command):
    """`buildah run`, with the image's user and environment. Its signals go to the program, not to buildah."""

    def __init__(self, box: str, *arguments: str, mounts: Mapping[Path, str] | None = None, **environment: str):
        """`mounts`: what is to be seen where, for reading only."""
        given = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        given += [part for here, there in (mounts or {}).items() for part in ("--volume", f"{here}:{there}:ro")]
        super().__init__("run", *ISOLATION, *given, box, "--", *arguments, program=program())

    async def __aexit__(self, *_: object) -> None:
        for process_id in self._inside():
            os.kill(process_id, signal.SIGKILL)  # killing buildah alone would leave it
        await super().__aexit__(*_)

    def send(self, number: signal.Signals) -> None:
        *_, innermost = self._inside()
        os.kill(innermost, number)

    def _inside(self) -> list[int]:
        """The processes that this one started, the innermost last; none when it has ended."""
        found = []
        generation = [self._process.pid]
        while generation := [child for parent in generation for child in _children(parent)]:
            found += generation
        return found


def _children(process_id: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{process_id}/task").glob("*/children"):
        try:
            yield from map(int, tasks.read_text().split())
        except OSError:  # it has ended
            continue


class FirstProcess(Contained):
    """The program is process 1, and nothing on its disk can be written, but for /dev."""

    def __init__(
        self, box: str, image: str, *arguments: str, mounts: Mapping[Path, str] | None = None, **environment: str
    ):
        settings = settings_of(image)
        root = buildah("mount", box)
        variables = [*settings["Env"], *(f"{name}={value}" for name, value in environment.items())]
        shown = [
            f'install -D /dev/null "$0{there}"\nmount --bind "{here}" "$0{there}"'
            for here, there in (mounts or {}).items()
        ]
        script = _AS_RUNTIMES_DO.replace("$COMMAND", shlex.join(arguments)).replace("$WORKDIR", settings["WorkingDir"])
        script = script.replace("$MOUNTS", "\n".join(shown))
        spaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        Command.__init__(self, "-c", script, root, settings["User"], *variables, program=(*spaces, "bash"))
