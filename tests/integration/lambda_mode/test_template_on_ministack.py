"""The CloudFormation templates of deploy/lambda/ as stacks: what conditions and references come out as."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from service.configuration.settings import load_settings
from tests.servers import create_streamed_table, delete_table, sdk_client
from tests.support.patience import PATIENCE_SECONDS

LAMBDA = Path(__file__).resolve().parents[3] / "deploy" / "lambda"
PUBLISHED = {
    each["Sid"]: each["Action"] for each in json.loads((LAMBDA.parent / "iam" / "lambda.json").read_text())["Statement"]
}
ROLE = "arn:aws:iam::222233334444:role/dynamirror-replica"


class Account:
    """An AWS account of ministack's, with a source table and the function's zip."""

    def __init__(self, stack, endpoint_url, unique_name):
        self._stack, self._endpoint_url, self._unique_name = stack, endpoint_url, unique_name

    async def client(self, service):
        return await self._stack.enter_async_context(sdk_client(self._endpoint_url, service))

    async def function(self, **parameters):
        dynamodb, storage = await self.client("dynamodb"), await self.client("s3")
        self.source, bucket = self._unique_name("master"), f"code-{uuid4().hex}"
        stream = await create_streamed_table(dynamodb, self.source)
        self._stack.push_async_callback(delete_table, dynamodb, self.source)
        await storage.create_bucket(Bucket=bucket)
        await storage.put_object(Bucket=bucket, Key="dynamirror-lambda.zip", Body=b"PK\5\6" + bytes(18))
        given = {"CodeBucket": bucket, "Runtime": "python3.11", "SourceTable": self.source, "SourceStreamArn": stream}
        return await self.create("template.yaml", **given, **parameters)

    async def create(self, template, **parameters):
        """The stack's outputs, when it is there."""
        formation = await self.client("cloudformation")
        self.name = self._unique_name("stack")[-60:].lstrip("-").replace("_", "-")
        await formation.create_stack(
            StackName=self.name,
            TemplateBody=(LAMBDA / template).read_text(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        self._stack.push_async_callback(formation.delete_stack, StackName=self.name)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (found := await self._stack_of(formation))["StackStatus"] == "CREATE_IN_PROGRESS":  # noqa: ASYNC110 the server is asked
                await asyncio.sleep(0.1)
        assert found["StackStatus"] == "CREATE_COMPLETE", found
        return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}

    async def _stack_of(self, formation):
        (found,) = (await formation.describe_stacks(StackName=self.name))["Stacks"]
        return found

    async def role(self, arn):
        """Its statements by their Sid, and who may assume it."""
        iam, name = await self.client("iam"), arn.rpartition("/")[2]
        found = await iam.get_role_policy(RoleName=name, PolicyName="replicate")
        trust = (await iam.get_role(RoleName=name))["Role"]["AssumeRolePolicyDocument"]
        return {each["Sid"]: each for each in found["PolicyDocument"]["Statement"]}, trust

    async def settings(self):
        functions = await self.client("lambda")
        configuration = (await functions.get_function(FunctionName=self.name))["Configuration"]
        return load_settings(configuration["Environment"]["Variables"])

    async def alarms(self):
        """Their metrics. What they watch of these is not in ministack's answer."""
        watch = await self.client("cloudwatch")
        found = (await watch.describe_alarms(AlarmNamePrefix=self.name))["MetricAlarms"]
        return {each["MetricName"] for each in found}


@pytest.fixture
async def account(ministack, unique_name):
    async with AsyncExitStack() as stack:
        yield Account(stack, ministack.endpoint_url, unique_name)


async def test_in_one_account_the_function_has_the_published_rights_and_an_alarm_on_quiet(account):
    outputs = await account.function(ReplicaTable="replica-table", ReplicaRegion="eu-central-1")
    statements, _ = await account.role(outputs["RoleArn"])
    assert {sid: each["Action"] for sid, each in statements.items()} == PUBLISHED
    assert ":eu-central-1:" in statements["Replica"]["Resource"]
    settings = await account.settings()
    assert settings.replica_role_arn is None
    assert await account.alarms() >= {"PolledEventCount", "Invocations", "records_dead_lettered"}


@pytest.mark.parametrize("name", ["", "orders"])
async def test_the_function_and_the_alarm_on_dead_letters_have_the_pipeline_s_name(account, name):
    await account.function(ReplicaTable="replica-table", ReplicaRegion="eu-central-1", Pipeline=name)
    assert (await account.settings()).pipeline_name == (name or f"{account.source}--replica-table")
    assert "records_dead_lettered" in await account.alarms()


async def test_with_a_replica_in_another_account_the_function_may_only_assume_its_role(account):
    replica = {"ReplicaTable": "replica-table", "ReplicaRegion": "eu-central-1"}
    outputs = await account.function(**replica, ReplicaRoleArn=ROLE, QuietAlarmHours="0")
    statements, _ = await account.role(outputs["RoleArn"])
    assert statements.keys() == (PUBLISHED.keys() - {"Replica", "Control"}) | {"AssumeReplicaRole"}
    assert statements["AssumeReplicaRole"]["Resource"] == ROLE
    assert (await account.settings()).replica_role_arn == ROLE
    assert "Invocations" not in await account.alarms()

    role = await account.create(
        "replica-role.yaml", **replica, RoleName=account.name[-40:], FunctionRoleArn=outputs["RoleArn"]
    )
    statements, trust = await account.role(role["RoleArn"])
    assert {sid: each["Action"] for sid, each in statements.items()} == {
        sid: PUBLISHED[sid] for sid in ("Replica", "Control")
    }
    (who,) = trust["Statement"]
    assert who["Principal"] == {"AWS": outputs["RoleArn"]}
