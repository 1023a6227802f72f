"""fastproxy in a process of its own, as a user starts it: a configuration file, a port, SIGTERM to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from testkit.process import Server


class FastproxyProcess(Server):
    """`python -m fastproxy serve` on a free port of 127.0.0.1, with the configuration given as TOML text."""

    def __init__(
        self,
        config: str,
        environment: Mapping[str, str] | None = None,
        start_timeout: float = 15.0,
        files: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        """The claude CLI of whoever runs the tests takes no part unless `environment` says so.
        `files` lie beside the configuration: a relative path in it finds them. `program` runs in place of
        `python -m fastproxy`."""
        super().__init__(
            "fastproxy",
            ["serve", "--config", "fastproxy.toml", "--host", "127.0.0.1"],
            files={**(files or {}), "fastproxy.toml": config},
            environment={"FASTPROXY_PROVIDERS__CLAUDE__ENABLED": "false", **(environment or {})},
            start_timeout=start_timeout,
            program=program,
        )
