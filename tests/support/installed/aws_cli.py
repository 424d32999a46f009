"""A stand-in for the AWS CLI, which the tests do not install: as much of it as the documents use, made from botocore.

The CLI's commands and parameters come from the same service models that botocore carries. So what parses here exists in
AWS: the operation, each parameter, and the type of its value. `python aws_cli.py dynamodb list-tables` runs one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.session import Session
from botocore.validate import validate_parameters

GLOBAL_OPTIONS = {"--region", "--endpoint-url", "--query", "--output"}
GLOBAL_SWITCHES = {"--no-paginate", "--no-cli-pager"}


class UsageError(Exception):
    """The AWS CLI would not take these arguments."""


@dataclass(frozen=True)
class Request:
    """One call of a service. `options` are the CLI's own, such as `--query`."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    options: Mapping[str, str]


def parsed(arguments: Sequence[str], session: Session) -> Request:
    """What `aws` would send for these arguments. Raises UsageError."""
    if len(arguments) < 2:
        raise UsageError(f"expected a service and an operation: {arguments}")
    service, command, *rest = arguments
    if service not in session.get_available_services():
        raise UsageError(f"AWS has no service {service!r}")
    model = session.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in operations:
        raise UsageError(f"{service} has no operation {command!r}")
    operation = model.operation_model(operations[command])
    options: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    for name, values in _options(rest):
        if name in GLOBAL_OPTIONS:
            (options[name],) = values
        elif name not in GLOBAL_SWITCHES:
            member, value = _parameter(operation, name, values)
            parameters[member] = value
    try:
        validate_parameters(parameters, operation.input_shape)
    except Exception as error:
        raise UsageError(f"{service} {command}: {error}") from error
    return Request(service, operation.name, parameters, options)


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with the words up to the next one."""
    position = 0
    while position < len(arguments):
        name = arguments[position]
        if not name.startswith("--"):
            raise UsageError(f"{name!r} is no option")
        end = position + 1
        while end < len(arguments) and not arguments[end].startswith("--"):
            end += 1
        yield name, list(arguments[position + 1 : end])
        position = end


def _parameter(operation: OperationModel, name: str, values: list[str]) -> tuple[str, Any]:
    members = operation.input_shape.members if operation.input_shape else {}
    for member, shape in members.items():
        option = "--" + xform_name(member, "-")
        if shape.type_name == "boolean" and name in (option, option.replace("--", "--no-", 1)) and not values:
            return member, name == option
        if name == option and values:
            return member, _value(shape, values)
    raise UsageError(f"{operation.name} has no parameter {name}, or not with {len(values)} values")


def _value(shape: Shape, words: list[str]) -> Any:
    if shape.type_name != "string" and words[0].lstrip()[:1] in ("{", "["):
        (text,) = words
        return json.loads(text)
    if isinstance(shape, ListShape):
        return [_value(shape.member, [word]) for word in words]
    (word,) = words
    if isinstance(shape, StructureShape):  # the CLI's shorthand, in its simple form: Name=value,Name=value
        given = dict(part.split("=", 1) for part in word.split(","))
        unknown = given.keys() - shape.members.keys()
        if unknown:
            raise UsageError(f"{shape.name} has no {', '.join(unknown)}")
        return {name: _value(shape.members[name], [text]) for name, text in given.items()}
    if shape.type_name == "boolean":
        return {"true": True, "false": False}[word.lower()]
    return int(word) if shape.type_name in ("integer", "long") else word


def main() -> None:
    session = Session()
    try:
        request = parsed(sys.argv[1:], session)
    except UsageError as error:
        sys.exit(f"aws: {error}")
    client = session.create_client(
        request.service,
        region_name=request.options.get("--region"),
        endpoint_url=request.options.get("--endpoint-url"),
    )
    answer = getattr(client, xform_name(request.operation))(**request.parameters)
    answer.pop("ResponseMetadata", None)
    if "--query" in request.options:
        answer = jmespath.search(request.options["--query"], answer)
    if request.options.get("--output") == "text":
        print(answer)
    elif answer:
        print(json.dumps(answer, indent=4, default=str))


if __name__ == "__main__":
    main()
