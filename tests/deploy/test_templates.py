"""The templates and policies of deploy/ by themselves: valid, and of one mind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cfnlint
import pytest
from cfnlint.decode import cfn_yaml

from service.aws.lambda_mappings import LambdaMappings
from tests.support.markdown import Document

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TEMPLATE = DEPLOY / "lambda" / "template.yaml"
POLICIES = sorted((DEPLOY / "iam").glob("*.json"))


def resources() -> dict[str, Any]:
    template: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
    found: dict[str, Any] = template["Resources"]
    return found


def test_the_template_is_valid_cloudformation():
    problems = cfnlint.lint_file(TEMPLATE)
    assert [str(problem) for problem in problems] == []


def test_the_functions_role_in_the_template_is_the_published_policy():
    (policy,) = resources()["Role"]["Properties"]["Policies"]
    in_template = {each["Sid"]: each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    published = json.loads((DEPLOY / "iam" / "lambda.json").read_text())["Statement"]
    assert in_template == {each["Sid"]: each["Action"] for each in published}


def test_the_mapping_loses_nothing_by_its_settings():
    template = cfn_yaml.load(str(TEMPLATE))
    mapping = template["Resources"]["Mapping"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"]["OnFailure"]
    assert template["Parameters"]["RetryAttempts"]["Default"] == -1
    assert template["Parameters"]["RecordAgeSeconds"]["Default"] == -1


def test_the_settings_of_the_template_are_settings_of_the_contract():
    from service.configuration.settings import load_settings

    variables = resources()["Function"]["Properties"]["Environment"]["Variables"]
    given = {name: value if isinstance(value, str) else "some-table" for name, value in variables.items()}
    load_settings(given | {"DYNAMIRROR_REPLICA_TABLE": "another-table"})


def test_the_document_deploys_with_parameters_that_the_template_has():
    document = Document(DEPLOY.parent / "docs" / "lambda-or-container.md")
    (command,) = [line for block in document.blocks() for line in block.commands if "cloudformation deploy" in line]
    given = {word.partition("=")[0] for word in command.partition("--parameter-overrides")[2].split()}
    parameters = cfn_yaml.load(str(TEMPLATE))["Parameters"]
    assert given <= parameters.keys()
    assert {name for name, parameter in parameters.items() if "Default" not in parameter} <= given


async def test_the_pause_of_a_mapping_needs_what_its_policy_allows_and_no_more():
    asked = set()

    class Client:
        """The SDK's, as far as names go."""

        def __getattr__(self, method: str) -> Any:
            async def call(**request: Any) -> dict[str, Any]:
                asked.add("lambda:" + "".join(word.capitalize() for word in method.split("_")))
                return {"EventSourceMappings": []}

            return call

    mappings = LambdaMappings(Client())
    await mappings.of_stream("arn:stream")
    await mappings.switch("id", is_on=False)
    policy = json.loads((DEPLOY / "iam" / "optional-pause-lambda.json").read_text())
    assert asked == {action for statement in policy["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_names_its_actions_and_its_resources(path):
    policy = json.loads(path.read_text())
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        assert all("*" not in action for action in statement["Action"])
        # ListEventSourceMappings knows no resources; a mapping's ARN is known only once it is made.
        assert statement["Resource"] != "*" or statement["Sid"] in ("FindMappings", "ListTables", "SwitchMapping")
