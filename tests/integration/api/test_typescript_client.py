"""A TypeScript client that is generated from the served OpenAPI document is sound in its types, and asks the API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.fakes.api import ADMIN, FakeApi
from tests.fakes.consoles import FakeConsoles
from tests.fakes.served_api import Serve
from tests.support.generated_clients import documented, java, ran, tools

PROGRAM = Path(__file__).with_name("typescript_client.ts")
# What the generator writes needs the names of a browser, and hides a member of the language's own `Error`.
STRICT = {"strict": True, "lib": ["esnext", "dom", "deno.ns"], "noImplicitOverride": False}
LOCAL = ("--no-remote", "--no-npm", "--no-lock", "--config", "deno.json")


@pytest.mark.timeout(600)
@pytest.mark.thorough("its tools are installed first")
async def test_a_generated_typescript_client_asks_the_served_api(serve: Serve, tmp_path: Path) -> None:
    where = java()
    installed = tools("typescript-client-tools", "openapi-generator-cli>=7.26", "deno>=2.9")
    one, several = FakeApi(admin_token=ADMIN), FakeApi(consoles=FakeConsoles("orders", "users/eu"), admin_token=ADMIN)
    for letter_id in ("a", "b", "c"):
        one.console.add_letter(letter_id)
    of_one, of_several = await serve(one), await serve(several)

    generator = (where, "-jar", str(installed / "openapi_generator_cli" / "openapi-generator.jar"))
    for_deno = "--additional-properties=importFileExtension=.ts"
    await ran(*generator, *documented("openapi-generator-cli", of_one.url), for_deno, folder=tmp_path)
    shutil.copy(PROGRAM, tmp_path)
    (tmp_path / "deno.json").write_text(json.dumps({"compilerOptions": STRICT}))
    deno = str(installed / "bin" / "deno")
    alone = {"DENO_DIR": str(tmp_path / "deno"), "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
    await ran(deno, "check", *LOCAL, PROGRAM.name, folder=tmp_path, environment=alone)

    hosts = ",".join(server.url.removeprefix("http://") for server in (of_one, of_several))
    program = (f"--allow-net={hosts}", "--no-prompt", PROGRAM.name, of_one.url, of_several.url, ADMIN)
    told = await ran(deno, "run", *LOCAL, *program, folder=tmp_path, environment=alone)
    assert [json.loads(line) for line in told.splitlines()] == [
        ["running", "active", "2026-11-23T10:15:00.000Z", 1.5, None],
        ["paused", "running"],
        ["# TYPE dynamirror_lag_seconds gauge"],
        [["a", "b", "c"], None],
        ["written"],
        [1],
        [2],
        [
            ["1100000000017454423009", None, None, False],
            [None, "2026-11-23T10:15:00.000Z", None, False],
            [None, None, "trim_horizon", True],
        ],
        ["cancelled"],
        [404, "urn:dynamirror:problem:not-found", "There is no replay 'none'."],
        [422, ["body.sequence_number"]],
        ["urn:dynamirror:problem:token-needed"],
        [["orders", "users/eu"]],
        ["paused", "running"],
        [[True], []],
        ["This process runs 2 pipelines; ask /pipelines/NAME/status; the names are at /pipelines."],
    ]
    assert ("replicate", {"keys": {"key": {"S": "key1"}}}) in one.console.asked
    assert ("redrive", {"ids": ["a"]}) in one.console.asked
