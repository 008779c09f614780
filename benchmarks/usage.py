"""What a process has used, as the kernel counts it."""

from __future__ import annotations

import resource
from pathlib import Path


def read_peak_kb(pid: int | str = "self") -> int:
    """The most memory that the process has had so far, in kB; 0 once it has ended.

    Of itself getrusage would tell that of the process that started it, if that was larger.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0"))


def read_children_peak_kb() -> int:
    """The most memory that one of this process's children that have ended has had, in kB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def read_processor_s() -> float:
    """Seconds of processor of this process and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
