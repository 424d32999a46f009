"""One call of the SDK on the control table, with its errors in the words of service.errors."""

from __future__ import annotations

from typing import Any

from service.aws.error_codes import Call
from service.aws.faults import translated
from service.errors import ChangeError, HaltError, TransientChangeError, UnavailableError


async def call(client: Any, method: str, table: str, **request: Any) -> dict[str, Any]:
    """Make the call, once. Raises RetryableError and its kinds, HaltError, and error_codes.ConditionFailedError.

    Never a ChangeError: what the control table refuses is this program's own mistake, not the fault of a change.
    """
    operation = client.meta.method_to_api_mapping[method]
    try:
        with translated(Call(operation, f"the control table {table}")):
            answer: dict[str, Any] = await getattr(client, method)(TableName=table, **request)
            return answer
    except TransientChangeError as error:
        raise UnavailableError(str(error), "Conflict") from error
    except ChangeError as error:
        raise HaltError(str(error)) from error
