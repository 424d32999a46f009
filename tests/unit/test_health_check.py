"""Where the health check of a container asks."""

from __future__ import annotations

import pytest

from service.configuration.settings import Settings
from service.health_check import address

FIELDS = Settings.model_fields


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("10.1.2.3", "10.1.2.3"),
    ],
)
def test_a_wildcard_is_asked_on_loopback_and_any_other_host_by_its_name(host: str, asked: str) -> None:
    assert address({"DYNAMIRROR_ADMIN_HOST": host, "DYNAMIRROR_ADMIN_PORT": "99"}) == (asked, 99)


def test_it_asks_by_default_where_the_service_listens_by_default() -> None:
    assert address({}) == (FIELDS["admin_host"].default, FIELDS["admin_port"].default)
