"""A call that a sentence advises can be made as it stands: of several pipelines, by the pipeline's own path."""

from __future__ import annotations

import pytest

from service.operations.console import ConflictError
from service.operations.documents.status import GapStatus, Status
from tests.fakes.api import FakeApi, problem_of
from tests.fakes.console import NOW, FakeConsole
from tests.fakes.consoles import FakeConsoles

MENDS = "a snapshot mends it: POST /snapshot, then GET /snapshots; see also GET /pipelines and POST /reload"
OF_ONE = MENDS.partition(": ")[2].replace("/snapshot", "/pipelines/users/eu/snapshot")


@pytest.fixture
def consoles() -> FakeConsoles:
    found = FakeConsoles("orders", "users/eu")
    console = found.consoles["users/eu"]
    console.reason = MENDS
    console.warnings = [MENDS]
    return found


@pytest.mark.parametrize("path", ["/pipelines/users/eu/status", "/pipelines", "/readyz", "/pipelines/users/eu/readyz"])
async def test_of_several_pipelines_each_sentence_names_the_pipeline_s_path(consoles: FakeConsoles, path: str) -> None:
    answer = await FakeApi(consoles=consoles).call("GET", path)
    assert OF_ONE in answer.text
    assert "POST /snapshot" not in answer.text


class WithGap(FakeConsole):
    def status(self) -> Status:
        gap = GapStatus(shard_id=None, after_sequence_number=None, detected_at=NOW, reason=MENDS)
        return super().status().model_copy(update={"gaps": [gap], "refused": {"replay": MENDS}})


async def test_the_sentences_of_gaps_and_of_what_would_be_refused_name_it_too(consoles: FakeConsoles) -> None:
    consoles.consoles["users/eu"] = WithGap()
    status = (await FakeApi(consoles=consoles).call("GET", "/pipelines/users/eu/status")).json()
    assert OF_ONE in status["gaps"][0]["reason"]
    assert OF_ONE in status["refused"]["replay"]


@pytest.mark.parametrize("path", ["/status", "/pipelines", "/readyz"])
async def test_of_one_pipeline_a_sentence_stays_as_it_is(api: FakeApi, path: str) -> None:
    api.console.reason = MENDS
    assert MENDS in (await api.call("GET", path)).text


@pytest.mark.parametrize("path", ["/pause", "/resume"])
async def test_what_a_change_answers_is_addressed_too(consoles: FakeConsoles, path: str) -> None:
    answer = await FakeApi(consoles=consoles).call("POST", f"/pipelines/users/eu{path}")
    assert OF_ONE in answer.json()["warnings"][0]


async def test_a_refusal_is_addressed_too(consoles: FakeConsoles) -> None:
    consoles.consoles["users/eu"].refusal = ConflictError(MENDS)
    answer = await FakeApi(consoles=consoles).call("POST", "/pipelines/users/eu/snapshot")
    assert problem_of(answer)["detail"].endswith(OF_ONE)
