"""`python -m service.health_check [/healthz]`: what a container platform runs to ask this very container how it is.

It asks `/readyz`, or the path that it is given; exit code 0 if that answers 200, else 1 and the reason on standard
output. It needs no token and no curl, and reads two settings alone: every few seconds, it has to be cheap.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Mapping

from service.configuration.environment import given_settings
from service.configuration.hosts import reached
from service.errors import ConfigurationError

SECONDS = 4.0
"""Less than the platforms give it."""
_PREFIX = "DYNAMIRROR_ADMIN_"


def main(arguments: list[str]) -> int:
    # Not service.configuration.settings, which takes ten times as long to load.
    try:
        place = address(given_settings())
    except ConfigurationError as error:
        print(error)
        return 1
    is_well, said = ask(place, arguments[0] if arguments else "/readyz")
    print(said)
    return 0 if is_well else 1


def address(settings: Mapping[str, str]) -> tuple[str, int]:
    """Where the admin API can be reached from within. Raises ConfigurationError."""
    port = settings.get(f"{_PREFIX}PORT", "8080")
    try:
        return reached(settings.get(f"{_PREFIX}HOST", "127.0.0.1")), int(port)
    except ValueError:
        raise ConfigurationError(f"{_PREFIX}PORT: expected a number") from None


def ask(place: tuple[str, int], path: str) -> tuple[bool, str]:
    """Whether it answers 200, and what it says."""
    host, port = place
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status == http.client.OK, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return False, f"the admin API on {host}, port {port}, does not answer: {error}"
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
