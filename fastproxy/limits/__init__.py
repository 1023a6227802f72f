"""May this caller go now? Requests and tokens a minute, for each key, and each address where there is no key.

Laws:
1. Tokens are reserved by an estimate before the request and settled by the provider's own count after it.
2. Who is refused by one limit has taken nothing of the others.
3. A storage that is away is noticed once, told once, and holds nobody: `on_failure` decides until it is back.
"""

from fastproxy.limits.limiter import Limiter, open_windows
from fastproxy.limits.rules import ModelRule, Rules

__all__ = ["Limiter", "ModelRule", "Rules", "open_windows"]
