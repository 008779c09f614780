"""How often one may ask: so much a token, and far less for log-ins that fail, whether or not the login exists.

Counted in Redis, so that all web processes count together; in each process's memory while Redis cannot be reached.
"""

from __future__ import annotations

import hashlib
import math
import time

from flask import Flask, Response, request
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from sms_service.api.context import Context
from sms_service.api.problems import problem

FAILED_LOGINS_A_LOGIN = "5 per minute; 20 per hour"
FAILED_LOGINS_AN_ADDRESS = "20 per minute; 100 per hour"  # an office shares one address
FAILED_TOKENS_AN_ADDRESS = "60 per minute"
REFUSED_CHANGES_A_CALLER = "5 per minute; 20 per hour"  # of the own password


def register(app: Flask, context: Context) -> None:
    """Limit the requests to /api/ of `app`."""
    limiter = Limiter(
        _address,
        application_limits=[
            ApplicationLimit(limit_provider=context.settings.rate_limit, key_function=_caller),
            ApplicationLimit(
                limit_provider=FAILED_LOGINS_A_LOGIN, key_function=_login, exempt_when=_no_password, deduct_when=_failed
            ),
            ApplicationLimit(
                limit_provider=FAILED_LOGINS_AN_ADDRESS,
                key_function=_address_of_login,
                exempt_when=_no_password,
                deduct_when=_failed,
            ),
            ApplicationLimit(
                limit_provider=FAILED_TOKENS_AN_ADDRESS,
                key_function=_address_of_token,
                exempt_when=_no_token,
                deduct_when=_failed,
            ),
            ApplicationLimit(
                limit_provider=REFUSED_CHANGES_A_CALLER,
                key_function=_password_change,
                exempt_when=_no_password_change,
                deduct_when=_refused,
            ),
        ],
        strategy="fixed-window",
        storage_uri="memory://" if context.redis is None else "redis://",
        storage_options={} if context.redis is None else {"connection_pool": context.redis.connection_pool},
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # a limit that cannot be counted never stops the work
        key_prefix="sms",
    )
    # Receipts come by the thousand: what is not of the API is not even looked at.
    limiter.request_filter(_not_api)
    limiter.init_app(app)

    def exceeded(error: RateLimitExceeded) -> Response:
        current = limiter.current_limit
        seconds = max(1, math.ceil(current.reset_at - time.time())) if current else error.limit.limit.get_expiry()
        detail = f"The limit is {error.description}; try again in {seconds} seconds."
        return problem("too-many-requests", detail, headers={"Retry-After": str(seconds)})

    app.register_error_handler(RateLimitExceeded, exceeded)


def _not_api() -> bool:
    return not request.path.startswith("/api/")


def _no_password() -> bool:
    logging_in = request.method == "POST" and request.path.endswith("/tokens")
    return not logging_in or request.authorization is None or request.authorization.type != "basic"


def _no_token() -> bool:
    return _not_api() or request.authorization is None or request.authorization.type != "bearer"


def _no_password_change() -> bool:
    return not request.path.endswith("/me/password")


def _refused(response: Response) -> bool:
    return response.status_code == 422


def _failed(response: Response) -> bool:
    return response.status_code == 401


def _caller() -> str:
    given = request.authorization
    if given is not None and given.type == "bearer":
        return "token:" + _hashed(given.token or "")
    return _address()


def _login() -> str:
    given = request.authorization
    return "login:" + _hashed((given.username if given else "") or "")


def _password_change() -> str:
    return "password-" + _caller()


def _address_of_login() -> str:
    return "login-" + _address()


def _address_of_token() -> str:
    return "token-" + _address()


def _address() -> str:
    return f"address:{request.remote_addr}"


def _hashed(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
