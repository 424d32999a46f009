"""service.aws.sessions: what all sessions of a process share."""

from __future__ import annotations

import pytest

from service.aws.clients import sdk_config
from service.aws.sessions import open_session
from service.configuration.sides import Access


async def test_all_sessions_share_what_the_sdk_knows_of_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    role = Access(region="us-west-2", profile=None, role_arn=f"arn:aws:iam::{'1' * 12}:role/reader")
    plain = Access(region="eu-central-1", profile=None, role_arn=None)
    sessions = [await open_session("DYNAMIRROR_SOURCE", access, sdk_config(2.0)) for access in (plain, role, plain)]
    assert len({id(session) for session in sessions}) == 3
    assert len({id(session.get_component("data_loader")) for session in sessions}) == 1
