"""What processes, and the machine as a whole, have used: CPU seconds and memory, read from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from testkit.process import descendants

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def process_cpu_seconds(stat: str) -> float:
    """CPU seconds in the text of /proc/PID/stat: its own, and those of the children it has buried."""
    fields = stat[stat.rindex(")") + 2 :].split()  # the name before it may hold blanks
    return sum(map(int, fields[11:15])) / _TICKS_PER_SECOND


def cpu_seconds(root: int | None) -> float:
    """CPU seconds so far of a process and its descendants; 0 where there is no process."""
    if root is None:
        return 0.0
    return sum(map(_cpu_seconds, [root, *descendants(root)]))


def _cpu_seconds(pid: int) -> float:
    try:
        return process_cpu_seconds(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


@dataclass(frozen=True, slots=True)
class MachineTimes:
    """CPU seconds of all processors since the machine was started."""

    busy: float
    idle: float
    stolen: float
    """Taken by the host for others."""

    @classmethod
    def parse(cls, stat: str) -> MachineTimes:
        """From the text of /proc/stat (`man 5 proc`)."""
        times = [int(field) / _TICKS_PER_SECOND for field in stat.split("\n", 1)[0].split()[1:9]]
        user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = times
        return cls(user + nice + system + interrupts + soft_interrupts, idle + waiting, stolen)

    @classmethod
    def now(cls) -> MachineTimes:
        """As they are now."""
        return cls.parse(Path("/proc/stat").read_text())

    def since(self, before: MachineTimes) -> MachineTimes:
        """What has come to them since then."""
        return MachineTimes(self.busy - before.busy, self.idle - before.idle, self.stolen - before.stolen)

    @property
    def idle_share(self) -> float:
        """The part of all processors' time in which they had nothing to do; 1 where no time has passed."""
        whole = self.busy + self.idle + self.stolen
        return self.idle / whole if whole else 1.0
