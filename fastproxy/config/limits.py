"""[limits]: how much each caller may ask for, of everything and of some models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fastproxy.config.values import Resolved, Section

Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A limit; 0: none."""


class ModelLimits(Section):
    """[[limits.models]]: what each caller may ask of some models. The models of a row share its limits, which
    hold beside those of all models; the first row that matches counts."""

    match: Annotated[str, Field(min_length=1)]
    """The pattern of the models' names, with `*` and `?`: the name that was asked for, without alias, as
    `GET /v1/models` lists it."""
    requests_per_minute: Count | None = None
    """Requests a minute for each caller; 0: any number."""
    tokens_per_minute: Count | None = None
    """Tokens a minute for each caller, of prompts and answers together; 0: any number."""

    @model_validator(mode="after")
    def _limits_something(self) -> ModelLimits:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError(
                f"the limit of {self.match!r} needs requests_per_minute or tokens_per_minute (0: none)"
            )
        return self


class LimitsSettings(Section):
    """[limits]: what each key, and each client address where there is no key, may ask for."""

    storage: Resolved = "memory://"
    """`memory://`, or `redis://host:6379` (`rediss://` for TLS) for limits that processes share."""
    on_failure: Literal["open", "closed"] = "open"
    """What happens while the storage is away: requests pass, or are refused."""
    requests_per_minute: Count = 0
    """Requests a minute for each; 0: any number."""
    tokens_per_minute: Count = 0
    """Tokens a minute for each, of prompts and answers together; 0: any number."""
    models: list[ModelLimits] = []
    """Limits of some models, beside those of all (see `[[limits.models]]`)."""

    @property
    def limit_anybody(self) -> bool:
        """Whether they limit who has no limit of its own."""
        rows = (value for row in self.models for value in (row.requests_per_minute, row.tokens_per_minute))
        return any((self.requests_per_minute, self.tokens_per_minute, *rows))

    @field_validator("storage")
    @classmethod
    def _is_one_we_know(cls, value: str) -> str:
        if value.startswith(("memory://", "redis://", "rediss://")):
            return value
        raise ValueError('must be "memory://", or "redis://host:6379" for limits that processes share')
