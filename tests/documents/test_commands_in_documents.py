"""Every block of commands in the documents says where it runs; what is not run is named here with the reason."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from botocore.session import Session

from service.configuration.settings import load_settings
from tests.support.commands_in_documents import BLOCKS, PAGES, TOKEN, blocks
from tests.support.installed.aws_cli import parsed
from tests.support.markdown import README, ROOT, Document, documents

TAGS = {"demo", "curl", "emulator", "service", "shell", "settings", "elsewhere"}
ELSEWHERE = {
    "openapi-python-client generate": "its generator is installed first; test_python_client runs it",
    "openapi-generator-cli generate": "its generator is installed first; test_typescript_client runs it",
    "make lambda": "takes minutes; test_lambda_zip builds the zip",
    "dynamirror migrate": "here for a control table in AWS; test_migrations_on_servers runs it",
    "aws s3 cp": "needs an AWS account",
    "aws cloudformation deploy": "needs an AWS account; its parameters are compared with the template's",
    "aws dynamodb update-table": "needs an AWS account; what it asks for is checked against AWS's own service model",
    "aws ssm put-parameter": "needs an AWS account; checked against AWS's own service model, as those that follow",
    "aws secretsmanager create-secret": "needs an AWS account",
    "aws servicediscovery create-private-dns-namespace": "needs an AWS account",
    "aws servicediscovery create-service": "needs an AWS account; our stand-in for the CLI can't read its shorthand",
    "aws ecs ": "needs an AWS account; test_ecs and test_ecs_service check the files",
    "docker build": "needs a Docker engine",
    "docker run": "needs a Docker engine; its settings are checked as the service would",
    "docker compose": "needs a Docker engine; test_compose checks the file",
    "kubectl ": "needs a cluster; test_kubernetes checks the files",
    "helm upgrade": "needs a cluster; test_helm renders the chart with what it sets",
    "make check": "runs these very tests",
    "make mutants": "takes an hour; test_mutants checks what it plants",
    "make setup": "installs what these tests run with",
    "make test": "runs these very tests; what they name exists, by a test below",
    "AWS_PROFILE=a-test-account make test-endpoint": "needs an AWS account",
    ".venv/bin/python -m tests.on_endpoint": "needs an endpoint that was used before; test_on_endpoint runs it on one",
}
OF_THEIR_OWN = {
    "docs/many-pipelines.md": "test_many_pipelines runs them",
    "schemas/README.md": "a test below runs them",
}


def elsewhere() -> list[str]:
    return [command for block in blocks("elsewhere") for command in block.commands]


def test_every_block_is_a_shell_s_and_says_where_it_runs() -> None:
    assert {block.language for block in BLOCKS} == {"sh"}
    assert {block.tag for block in BLOCKS} == TAGS


def test_no_page_with_commands_is_left_out() -> None:
    """JSON is compared with the API by a test of its own; a block without a language is a picture or an output."""
    blocks = [(page, block) for page in documents() for block in page.blocks()]
    pages = {page for page, block in blocks if block.language in ("sh", "bash", "console", "shell")}
    own = {page for page in pages if str(page.path.relative_to(ROOT)) in OF_THEIR_OWN}
    assert pages - own == set(PAGES)
    assert len(own) == len(OF_THEIR_OWN)
    bare = [command for _, block in blocks if not block.language for command in block.commands]
    assert not [command for command in bare if re.match(r"(make|dynamirror|aws|curl|docker|export) [^─]*$", command)]


def test_what_is_not_run_is_named_with_its_reason_and_nothing_else_is() -> None:
    for command in elsewhere():
        assert any(command.startswith(known) for known in ELSEWHERE), command
    assert all(any(command.startswith(known) for command in elsewhere()) for known in ELSEWHERE)


def test_what_aws_is_asked_for_exists_in_aws() -> None:
    session = Session()
    not_read = ("aws s3 cp", "aws cloudformation deploy", "aws servicediscovery create-service", "aws ecs ")
    asked = [shlex.split(command, comments=True)[1:] for command in elsewhere() if command.startswith("aws ")]
    asked = [words for words in asked if not " ".join(["aws", *words]).startswith(not_read)]
    services = [parsed(words, session).service for words in asked]
    assert services == ["dynamodb", "ssm", "secretsmanager", "servicediscovery"]


def test_every_file_that_a_command_names_is_there() -> None:
    named = {path for command in elsewhere() for path in re.findall(r"(?:tests|deploy)/[\w./-]*", command)}
    assert {"tests/unit", "deploy/compose.yaml"} <= named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_what_the_page_of_the_control_table_asks_aws_for_exists_in_aws(tmp_path: Path) -> None:
    """Its blocks are run by a real shell, in which `aws` only notes what it was given."""
    noting, asked = tmp_path / "aws", tmp_path / "asked"
    noting.write_text(f"#!/bin/sh\nprintf '%s\\036' \"$@\" >> '{asked}'; printf '\\035' >> '{asked}'\n")
    noting.chmod(0o755)
    text = "".join(block.text for block in Document(ROOT / "schemas" / "README.md").blocks() if block.language == "sh")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", text], env=environment, cwd=tmp_path, capture_output=True, timeout=30, check=False)
    session = Session()
    calls = [call.removesuffix("\036").split("\036") for call in asked.read_text().split("\035") if call]
    assert len(calls) == len(re.findall(r"^ *(?:.*&& )?aws ", text, re.MULTILINE))
    assert {parsed(call, session).service for call in calls} == {"dynamodb"}


def test_the_settings_of_the_container_are_settings() -> None:
    (command,) = [each for block in README.blocks() for each in block.commands if each.startswith("docker run")]
    words = shlex.split(command)
    given = [word for option, word in zip(words, words[1:], strict=False) if option == "-e"]
    assert words[-1] == "dynamirror"
    values = dict(word.partition("=")[::2] for word in given if word.startswith("DYNAMIRROR_"))
    settings = load_settings({name: value or TOKEN for name, value in values.items()})
    assert settings.admin_token is not None
    assert (settings.admin_host, f"-p {settings.admin_port}:{settings.admin_port}") == ("0.0.0.0", "-p 8080:8080")
    credentials = {word for word in given if not word.startswith("DYNAMIRROR_")}
    assert credentials == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def test_every_make_target_that_a_document_names_exists() -> None:
    named = {
        line.strip()
        for document in documents()
        for line in [
            *re.findall(r"`(make(?: [^`]+)?)`", document.prose()),
            *(command for block in document.blocks() for command in block.commands),
        ]
        if re.match(r"make\b", line.strip())
    }
    assert "make demo" in named
    for line in sorted(named):
        words = shlex.split(re.split(r" (?:&&|#)", " ".join(line.split()))[0])
        done = subprocess.run([*words, "-n"], cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_make_help_prints_every_target_with_what_it_does() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    told = re.findall(r"^make (\S+) +\S.*\S$", shown, re.MULTILINE)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == phony.split()
