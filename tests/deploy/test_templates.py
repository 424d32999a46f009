"""The templates and policies of deploy/ by themselves: valid, and of one mind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cfnlint
import pytest
from cfnlint.decode import cfn_yaml

from service.aws.lambda_mappings import LambdaMappings
from service.configuration.settings import load_settings
from service.lambda_mode.dead_letter_metric import METRIC, NAMESPACE
from tests.support.markdown import Document

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TEMPLATE = DEPLOY / "lambda" / "template.yaml"
POLICIES = sorted((DEPLOY / "iam").glob("*.json"))


def resources() -> dict[str, Any]:
    template: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
    found: dict[str, Any] = template["Resources"]
    return found


@pytest.mark.parametrize("template", sorted(TEMPLATE.parent.glob("*.yaml")), ids=lambda path: path.name)
def test_the_template_is_valid_cloudformation(template):
    problems = cfnlint.lint_file(template)
    assert [str(problem) for problem in problems] == []


def alarms():
    found = resources().items()
    return {name: each["Properties"] for name, each in found if each["Type"] == "AWS::CloudWatch::Alarm"}


def test_an_alarm_sounds_where_missing_data_is_the_fault_and_only_there():
    missing = {name: each["TreatMissingData"] for name, each in alarms().items()}
    silent = {name for name, treated in missing.items() if treated == "breaching"}
    # Nobody polls, nobody invokes. The others count what happens in invocations, which those two watch.
    assert silent == {"MappingAlarm", "QuietAlarm"}
    assert set(missing.values()) == {"breaching", "notBreaching"}
    assert resources()["Mapping"]["Properties"]["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_every_alarm_tells_the_topic_and_says_what_it_is():
    for name, each in alarms().items():
        assert each["AlarmActions"]["Fn::If"][0] == "HasTopic", name
        assert each["AlarmDescription"].endswith("."), name


def test_the_alarm_on_dead_letters_watches_what_the_function_writes():
    alarm = alarms()["DeadLetterAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, METRIC)
    (pipeline,) = alarm["Dimensions"]
    assert pipeline["Name"] == "pipeline"
    assert pipeline["Value"] == resources()["Function"]["Properties"]["Environment"]["Variables"]["DYNAMIRROR_PIPELINE"]
    condition, named, unnamed = pipeline["Value"]["Fn::If"]
    assert (condition, named) == ("IsNamed", {"Ref": "Pipeline"})
    settings = load_settings({"DYNAMIRROR_SOURCE_TABLE": "master", "DYNAMIRROR_REPLICA_TABLE": "replica"})
    name = unnamed["Fn::Sub"].replace("${SourceTable}", "master").replace("${ReplicaTable}", "replica")
    assert name == settings.pipeline_name, "the name that the function had before it was given one"


def test_the_alarms_on_the_mapping_and_the_function_watch_those_of_this_stack():
    dimensions = {
        name: [(each["Name"], each["Value"]) for each in alarm["Dimensions"]] for name, alarm in alarms().items()
    }
    assert dimensions["MappingAlarm"] == [("EventSourceMappingUUID", {"Ref": "Mapping"})]
    assert dimensions["QuietAlarm"] == [("FunctionName", {"Ref": "Function"})]


def test_the_troubleshooting_page_explains_each_alarm():
    rows = Document(DEPLOY.parent / "docs" / "troubleshooting.md").table("Alarms of the Lambda function")
    assert {row["symptom"].strip("`") for row in rows} == alarms().keys()


def test_the_mapping_loses_nothing_by_its_settings():
    template = cfn_yaml.load(str(TEMPLATE))
    mapping = template["Resources"]["Mapping"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["DestinationConfig"]["OnFailure"]
    assert template["Parameters"]["RetryAttempts"]["Default"] == -1
    assert template["Parameters"]["RecordAgeSeconds"]["Default"] == -1


def test_the_settings_of_the_template_are_settings_of_the_contract():
    variables = resources()["Function"]["Properties"]["Environment"]["Variables"]
    given = {name: value if isinstance(value, str) else "some-table" for name, value in variables.items()}
    given["DYNAMIRROR_REPLICA_ROLE_ARN"] = "arn:aws:iam::222233334444:role/dynamirror-replica"
    load_settings(given | {"DYNAMIRROR_REPLICA_TABLE": "another-table"})


def test_the_document_deploys_with_parameters_that_the_template_has():
    document = Document(DEPLOY.parent / "docs" / "lambda-or-container.md")
    commands = [line for block in document.blocks() for line in block.commands if "cloudformation deploy" in line]
    named = []
    for command in commands:
        (template,) = re.findall(r"--template-file (\S+)", command)
        given = {word.partition("=")[0] for word in command.partition("--parameter-overrides")[2].split()}
        parameters = cfn_yaml.load(str(DEPLOY.parent / template))["Parameters"]
        assert given <= parameters.keys()
        assert {name for name, parameter in parameters.items() if "Default" not in parameter} <= given
        named.append(Path(template).name)
    assert set(named) == {path.name for path in TEMPLATE.parent.glob("*.yaml")}


async def test_the_pause_of_a_mapping_needs_what_its_policy_allows_and_no_more():
    asked = set()

    class Client:
        """The SDK's, as far as names go."""

        def __getattr__(self, method: str) -> Any:
            async def call(**request: Any) -> dict[str, Any]:
                asked.add("lambda:" + "".join(word.capitalize() for word in method.split("_")))
                return {"EventSourceMappings": [], "UUID": "id"}

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
        # Lists and logins know no resources; a mapping's ARN is known only once it is made.
        assert statement["Resource"] != "*" or statement["Sid"] in (
            "FindMappings",
            "ListTables",
            "PullLogin",
            "SwitchMapping",
        )
