"""The container at work, with the image's own user, entry point and health check."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.test_demo import ADMIN_API, CONVERGED, END
from tests.support.container.buildah import settings_of
from tests.support.container.contained import Contained, FirstProcess
from tests.support.container.image import SECONDS
from tests.support.installed.product import asking
from tests.support.thoroughness import played

pytestmark = pytest.mark.timeout(SECONDS)


async def health_in(box: str, image: str, **environment: str) -> tuple[int, str]:
    kind, *command = settings_of(image)["Healthcheck"]["Test"]
    assert kind == "CMD"
    async with Contained(box, *command, **environment) as check:
        ended = await check.ended()
    return ended.code, ended.out + ended.err


@pytest.mark.parametrize("number", played([signal.SIGTERM, signal.SIGINT], every=2))
async def test_the_demo_runs_in_it_and_ends_settled(box: str, image_name: str, number: signal.Signals) -> None:
    (entry,) = settings_of(image_name)["Entrypoint"]
    async with (
        Contained(box, entry, "demo") as demo,
        asking() as client,
    ):
        url = (await demo.said(ADMIN_API))[1]
        await demo.said(CONVERGED)
        status = (await client.get(f"{url}/status")).json()
        label = settings_of(image_name)["Labels"]["org.opencontainers.image.version"]
        assert (status["state"], status["version"]) == ("running", label)
        assert (await client.get(f"{url}/readyz")).status_code == 200
        port = url.rpartition(":")[2]
        assert await health_in(box, image_name, DYNAMIRROR_ADMIN_PORT=port) == (0, '{"ready":true}\n')
        demo.send(number)
        ended = await demo.ended()

    assert (ended.code, ended.err) == (0, "")
    assert re.search(END, ended.out)
    code, said = await health_in(box, image_name, DYNAMIRROR_ADMIN_PORT=port)
    assert (code, "does not answer" in said) == (1, True)


async def test_a_first_process_of_these_tests_finds_no_place_to_write(box: str, image_name: str) -> None:
    script = "echo $$; id -u; for place in /tmp /var/tmp /home/dynamirror; do touch $place/mine; done"
    async with FirstProcess(box, image_name, "sh", "-c", script) as process:
        ended = await process.ended()

    assert ended.out == "1\n10001\n"
    assert ended.err.count("Read-only file system") == 3


async def test_a_transform_may_be_mounted_from_anywhere(box: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text("def shrink(item):\n    return item\n")
    tables = {"DYNAMIRROR_SOURCE_TABLE": "master-table", "DYNAMIRROR_REPLICA_TABLE": "replica-table"}
    given = tables | {"PYTHONPATH": "/mine", "DYNAMIRROR_ADMIN_PORT": "none"}
    told = {}
    for transform in ("mine:shrink", "mine:grow"):
        async with Contained(
            box, "dynamirror", "run", mounts={folder: "/mine"}, **given, DYNAMIRROR_TRANSFORM=transform
        ) as command:
            told[transform] = (await command.ended()).err

    assert "DYNAMIRROR_ADMIN_PORT" in told["mine:shrink"]
    assert "DYNAMIRROR_TRANSFORM" not in told["mine:shrink"]
    assert "the module 'mine' has no 'grow'" in told["mine:grow"]
