"""Answers of a DynamoDB that refuses a request, or says nothing in it."""

from __future__ import annotations

from tests.support.chaos.answers import Answer, error
from tests.support.chaos.faults import FaultPlan, Role

_THROTTLES = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")


def early_error(plan: FaultPlan, role: Role, operation: str) -> tuple[str, Answer] | None:
    """What the service refuses before it looks at a request, and what that is called; None for the others."""
    faults = plan.of[role]
    if faults.refusal is not None:
        plan.note(role, faults.refusal[0])
        return "refused", error(*faults.refusal, 400)
    if plan.strikes(role, "throttled"):
        codes = (*_THROTTLES, "LimitExceededException") if operation == "GetRecords" else _THROTTLES
        return "throttled", error(plan.random.choice(codes), "Too many requests", 400)
    if plan.strikes(role, "error_500"):
        return "500", error("InternalServerError", "The request could not be completed", 500)
    if plan.strikes(role, "error_503"):
        if plan.random.random() < 0.5:
            return "503", Answer(503, b"<html>Service Unavailable</html>", "text/html")
        return "503", error("ServiceUnavailable", "The service is unavailable", 503)
    return None


def memberless(plan: FaultPlan) -> Answer:
    """JSON that is none of an answer to a read."""
    return Answer(200, plan.random.choice([b"{}", b"[]", b'["Records"]']), has_checksum=False)
