"""Every expected failure: one class, one stable code, what the caller can do.

Grouped by what the caller can do about it: fix the request, ask for access, pay, wait. Whatever is
not a `ServiceError` is ours: logged whole, masked outside.
"""

from datetime import datetime
from typing import Any, ClassVar


class ServiceError(Exception):
    """A failure the caller may see: `code`, HTTP `status`, public text, and what to do about it."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    balance: Any = None
    """The caller's balance (`credits.Settled`), where it was refused before an operation was read."""

    def __init__(self, message: str, *, remedy: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.extra = {name: value for name, value in extra.items() if value is not None}

    def extensions(self) -> dict[str, Any]:
        """What goes into `errors[].extensions`."""
        remedy = {"remedy": self.remedy} if self.remedy else {}
        return {"code": self.code, **self.extra, **remedy}


# -- fix the request


class BadUserInput(ServiceError):
    """An argument is not of the form it must have; the message names it and what is allowed."""

    code, status = "BAD_USER_INPUT", 400


class BadRequest(ServiceError):
    code, status = "BAD_REQUEST", 400


class MethodNotAllowed(ServiceError):
    code, status = "METHOD_NOT_ALLOWED", 405


class NotAcceptable(ServiceError):
    code, status = "NOT_ACCEPTABLE", 406


class BodyTooLarge(ServiceError):
    code, status = "BODY_TOO_LARGE", 413


class UnsupportedMediaType(ServiceError):
    code, status = "UNSUPPORTED_MEDIA_TYPE", 415


class ParseFailed(ServiceError):
    code, status = "GRAPHQL_PARSE_FAILED", 400


class ValidationFailed(ServiceError):
    code, status = "GRAPHQL_VALIDATION_FAILED", 400


class OperationResolutionFailure(ServiceError):
    code, status = "OPERATION_RESOLUTION_FAILURE", 400


class PersistedQueryNotFound(ServiceError):
    """Neither uploaded nor seen before. The message is what Apollo's clients look for: they send the text then."""

    code, status = "PERSISTED_QUERY_NOT_FOUND", 400

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound", remedy="Send the text beside its hash, or upload it.")


class QueryTooComplex(ServiceError):
    """A limit of the document was passed: which, its number, what was asked."""

    code, status = "QUERY_TOO_COMPLEX", 400


class PriceExceedsMaximum(ServiceError):
    code, status = "PRICE_EXCEEDS_MAXIMUM", 400


class NotFound(ServiceError):
    """Unknown, foreign, other-mode and erased ids look alike, byte for byte."""

    code, status = "NOT_FOUND", 200

    def __init__(self, what: str = "object") -> None:
        super().__init__(f"No such {what}.", remedy="Check the id; list what you may see first.")


class Conflict(ServiceError):
    code, status = "CONFLICT", 409


class IdempotencyKeyReused(ServiceError):
    code, status = "IDEMPOTENCY_KEY_REUSED", 422


# -- ask for access


class Unauthenticated(ServiceError):
    """reason: MISSING, MALFORMED, UNKNOWN, REVOKED, EXPIRED."""

    code, status = "UNAUTHENTICATED", 401

    def __init__(self, reason: str) -> None:
        texts = {
            "MISSING": ("API key is required", "Send it as X-API-Key, or Authorization: Bearer."),
            "EXPIRED": ("API key has expired. Please generate a new one.", "Make or rotate a key."),
        }
        text, remedy = texts.get(reason, ("Invalid API key", "Check the key, or make a new one."))
        super().__init__(text, remedy=remedy, reason=reason)


class InvalidToken(Unauthenticated):
    """An access token that is not good: the same code, other words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.message = "Invalid access token"
        self.remedy = "Ask your backend for a new token."


class Forbidden(ServiceError):
    """reason: SCOPE, PLAN, IP, BROWSER, MODE, CREATOR, DOCUMENT, SIGNATURE."""

    code, status = "FORBIDDEN", 403


# -- pay


class CreditsExhausted(ServiceError):
    """reason: KEY, or none."""

    code, status = "CREDITS_EXHAUSTED", 402

    def __init__(self, needed: int, remaining: int, reset_at: datetime) -> None:
        self.remaining, self.reset_at = remaining, reset_at
        super().__init__(
            f"Not enough credits: {needed} needed, {remaining} left.",
            remedy="Wait for the monthly reset, ask for fewer objects, or change the plan.",
            needed=needed,
            remaining=remaining,
            resetAt=reset_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        )


class KeyCreditsExhausted(CreditsExhausted):
    """The key's own monthly limit: its account may have more."""

    def __init__(self, needed: int, remaining: int, reset_at: datetime) -> None:
        super().__init__(needed, remaining, reset_at)
        self.remedy = "Raise the key's monthlyCredits, wait for the monthly reset, or use another key."
        self.extra["reason"] = "KEY"


# -- wait


class RateLimited(ServiceError):
    """reason: SOCKETS, or none."""

    code, status = "RATE_LIMITED", 429

    def __init__(self, retry_after: int) -> None:
        self.headers: dict[str, str] = {}  # how the limits stand, where an answer has headers
        super().__init__(
            f"Too many requests. Retry after {retry_after} seconds.",
            remedy="Spread requests over the minute.",
            retryAfter=retry_after,
        )


class PlatformError(ServiceError):
    """reason: RECONNECT_REQUIRED, SCOPE_MISSING, NO_ACCOUNT, THROTTLED, MISCONFIGURED, NOT_OFFERED, AWAY, or none."""

    code, status = "PLATFORM_ERROR", 200


class Timeout(ServiceError):
    code, status = "TIMEOUT", 504


class Unavailable(ServiceError):
    """Our database is away, or a settlement's outcome is unknown."""

    code, status = "UNAVAILABLE", 503

    def __init__(
        self, message: str = "The service is not available right now.", retry_after: int = 1
    ) -> None:
        super().__init__(message, remedy="Try again shortly.", retryAfter=retry_after)


class NotImplementedYet(ServiceError):
    code, status = "NOT_IMPLEMENTED", 501

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not built yet.", remedy="See docs/status.md for what is.")
