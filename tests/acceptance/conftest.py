"""The servers, for the tests here."""

from tests.servers.fixtures import *  # noqa: F403
