"""`fastproxy check`: is all as it should be? Asks each provider what costs nothing, in bounded time."""

from fastproxy.checks.run import check_all

__all__ = ["check_all"]
