"""service.aws.clients: regions, endpoints, credentials and roles, as the settings and the environment name them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service.aws.connection_pool import ConnectionPool, open_connections
from service.aws.table_creation import create_table_like
from service.aws.tables import DynamoTable, describe_table
from service.configuration.settings import load_settings
from service.errors import ConfigurationError, UnavailableError
from service.model import Image, ItemKey, KeyAttribute, Put, TableDescription, Written
from tests.servers import environment, profiles_file
from tests.support.patience import PATIENCE_SECONDS

TABLES = {"DYNAMIRROR_SOURCE_TABLE": "the-source", "DYNAMIRROR_REPLICA_TABLE": "the-replica"}
LIKE = TableDescription("the-source", "arn", "us-west-2", (KeyAttribute("key", "S"),))
ROLE = "arn:aws:iam::123456789012:role/writer"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with static credentials and no region; a test sets or unsets more."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def settings(**more):
    return load_settings(TABLES | {f"DYNAMIRROR_{name.upper()}": value for name, value in more.items()})


REGIONS = {"source_region": "us-west-2", "replica_region": "eu-central-1"}


async def test_each_side_has_its_region_and_the_endpoint_of_its_service():
    async with open_connections(settings(**REGIONS)) as connections:
        urls = {name: getattr(connections, name).url for name in ("source", "streams", "replica")}
        assert connections.replica.wire.region == "eu-central-1"

    assert urls == {
        "source": "https://dynamodb.us-west-2.amazonaws.com",
        "streams": "https://streams.dynamodb.us-west-2.amazonaws.com",
        "replica": "https://dynamodb.eu-central-1.amazonaws.com",
    }


async def test_a_tables_arn_names_its_region():
    arn = "arn:aws:dynamodb:ap-south-1:123456789012:table/the-source"

    async with open_connections(settings(source_table=arn, replica_region="us-west-2")) as connections:
        assert connections.source.wire.region == "ap-south-1"
        assert connections.streams.wire.region == "ap-south-1"


async def test_the_sdks_region_is_the_last_resort(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")

    async with open_connections(settings(source_region="us-west-2")) as connections:
        assert (connections.source.wire.region, connections.replica.wire.region) == ("us-west-2", "sa-east-1")


async def test_the_streams_endpoint_is_the_sources_unless_it_is_set():
    source = {"source_endpoint_url": "http://localhost:1111", **REGIONS}

    async with open_connections(settings(**source)) as connections:
        assert connections.streams.url == "http://localhost:1111"
        assert "amazonaws" in connections.replica.url
    async with open_connections(settings(**source, streams_endpoint_url="http://localhost:2222")) as connections:
        assert connections.streams.url == "http://localhost:2222"


async def test_certificates_are_read_for_tls_alone(moto, unique_name, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    endpoints = {"source_endpoint_url": moto.endpoint_url, "replica_endpoint_url": moto.endpoint_url}
    name = unique_name("replica")

    async with open_connections(settings(**endpoints, **REGIONS), PATIENCE_SECONDS) as plain:
        await create_table_like(plain.replica.control, name, LIKE)

        assert await write_through(plain.replica, name) is Written.YES


async def test_without_a_region_one_line_says_what_to_set():
    with pytest.raises(ConfigurationError, match="DYNAMIRROR_REPLICA_REGION.*AWS_DEFAULT_REGION"):
        async with open_connections(settings(source_region="us-west-2")):
            pass


async def test_without_credentials_one_line_says_what_to_do(monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(ConfigurationError, match="DYNAMIRROR_SOURCE_TABLE.*AWS_ACCESS_KEY_ID") as raised:
        async with open_connections(settings(**REGIONS)):
            pass
    assert "\n" not in str(raised.value)


async def test_a_profile_that_does_not_exist_is_a_configuration_error(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    with pytest.raises(ConfigurationError, match="no-such-profile"):
        async with open_connections(settings(**REGIONS)):
            pass


@pytest.fixture
def profiles(monkeypatch, tmp_path):
    """Two of them, and no credentials but theirs."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", profiles_file(tmp_path, "reader", "writer"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


async def test_each_side_has_the_credentials_of_its_profile(profiles):
    with_profiles = settings(source_profile="reader", replica_profile="writer", **REGIONS)
    async with open_connections(with_profiles) as connections:
        found = {}
        for name in ("source", "streams", "replica"):
            connection = getattr(connections, name)
            wires = [await wire._credentials.get_frozen_credentials() for wire in (connection.wire, connection.control)]
            found[name] = {each.access_key for each in wires}

    assert found == {"source": {"KEYreader"}, "streams": {"KEYreader"}, "replica": {"KEYwriter"}}


async def test_a_profile_wins_over_the_environments_credentials_and_leaves_the_other_side_alone(profiles, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with open_connections(settings(source_profile="reader", **REGIONS)) as connections:
        source = await connections.source.wire._credentials.get_frozen_credentials()
        replica = await connections.replica.wire._credentials.get_frozen_credentials()

    assert (source.access_key, replica.access_key) == ("KEYreader", "OWN")


async def test_a_profile_names_its_region(profiles, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile writer]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with_profiles = settings(source_profile="reader", source_region="us-west-2", replica_profile="writer")
    async with open_connections(with_profiles) as connections:
        assert (connections.source.wire.region, connections.replica.wire.region) == ("us-west-2", "eu-north-1")


@pytest.mark.parametrize("side", ["source", "replica"])
async def test_a_sides_profile_that_does_not_exist_is_one_line_that_names_the_setting(profiles, side):
    both = {"source_profile": "reader", "replica_profile": "writer"} | {f"{side}_profile": "no-such-profile"}
    with pytest.raises(ConfigurationError, match=f"DYNAMIRROR_{side.upper()}_PROFILE.*no-such-profile") as raised:
        async with open_connections(settings(**both, **REGIONS)):
            pass
    assert "\n" not in str(raised.value)


async def test_a_profile_without_credentials_is_one_line_that_names_the_setting(profiles, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile bare]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(ConfigurationError, match="DYNAMIRROR_REPLICA_PROFILE: the profile bare has no credentials"):
        async with open_connections(settings(source_profile="reader", replica_profile="bare", **REGIONS)):
            pass


async def test_a_role_is_assumed_with_the_profiles_credentials(profiles, monkeypatch):
    asked = []

    async def refuse(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{sts.sockets[0].getsockname()[1]}")
        both = {"source_profile": "reader", "replica_profile": "writer", "replica_role_arn": ROLE}
        async with open_connections(settings(**both, **REGIONS), PATIENCE_SECONDS) as connections:
            with pytest.raises(UnavailableError):
                await write_through(connections.replica, "the-replica")

    assert asked
    assert all("Credential=KEYwriter/" in request for request in asked)


KEY = ItemKey(b'{"key":{"S":"a"}}')


async def write_through(connection, name):
    table = DynamoTable(connection.wire, name, (KeyAttribute("key", "S"),), "", "replica")
    return await table.put(Put(KEY, Image(KEY)), None)


async def test_a_role_is_assumed_for_the_wires(moto, unique_name, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)
    endpoints = {"source_endpoint_url": moto.endpoint_url, "replica_endpoint_url": moto.endpoint_url}
    name = unique_name("replica")

    async with open_connections(
        settings(replica_role_arn=ROLE, **endpoints, **REGIONS), PATIENCE_SECONDS
    ) as connections:
        replica = connections.replica
        role = await replica.wire._credentials.get_frozen_credentials()  # a write waits for none that takes long
        await create_table_like(replica.control, name, LIKE)

        assert (await describe_table(replica.wire, name, "replica")).name == name
        assert await write_through(replica, name) is Written.YES
        own = await connections.source.wire._credentials.get_frozen_credentials()

    assert own.access_key == "dynamirror"
    assert role.access_key.startswith("ASIA")
    assert role.token


async def test_a_roles_credentials_are_refreshed_by_themselves(moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)

    async with open_connections(settings(replica_role_arn=ROLE, **REGIONS), PATIENCE_SECONDS) as connections:
        credentials = connections.replica.wire._credentials
        first = await credentials.get_frozen_credentials()
        again = await credentials.get_frozen_credentials()
        # moto's credentials hold an hour
        credentials._time_fetcher = lambda: datetime.now(UTC) + timedelta(minutes=59)
        later = await credentials.get_frozen_credentials()

    assert again == first
    assert later.token


async def test_a_role_that_can_not_be_assumed_leaves_no_write_in_doubt(monkeypatch):
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as no_sts:
        port = no_sts.sockets[0].getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
        await write_as_a_role()


async def write_as_a_role():
    async with open_connections(settings(replica_role_arn=ROLE, **REGIONS), PATIENCE_SECONDS) as connections:
        with pytest.raises(UnavailableError, match="the replica table the-replica"):
            await write_through(connections.replica, "the-replica")


async def test_a_key_without_its_secret_is_a_configuration_error(monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(ConfigurationError, match="AWS_SECRET_ACCESS_KEY"):
        async with open_connections(settings(**REGIONS)):
            pass


async def test_pipelines_share_a_connection_only_where_region_role_and_endpoint_are_the_same(moto, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)
    pool = ConnectionPool()
    async with pool.connections(settings(**REGIONS)) as one:
        async with (
            pool.connections(settings(**REGIONS)) as same,
            pool.connections(settings(**REGIONS | {"replica_region": "us-west-2"})) as near,
            pool.connections(settings(**REGIONS, replica_role_arn=ROLE)) as as_a_role,
            pool.connections(settings(**REGIONS, source_endpoint_url="http://localhost:1111")) as elsewhere,
        ):
            assert (same.source, same.streams, same.replica) == (one.source, one.streams, one.replica)
            assert near.replica is near.source is one.source
            assert as_a_role.source is one.source
            assert as_a_role.replica is not one.replica
            assert elsewhere.replica is one.replica
            assert elsewhere.source is not one.source
            assert elsewhere.streams is not one.streams
        async with pool.connections(settings(**REGIONS)) as later:
            assert later.source is one.source
    assert len(pool._connections) == len(pool._sessions) == 0
