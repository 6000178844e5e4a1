"""Interleaved timing: all contenders in one process, turn by turn, medians; so a slow moment of the machine hits all."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any


def interleaved(contenders: dict[str, Callable[[], Any]], seconds: float = 1.0, rounds: int = 15) -> dict[str, float]:
    """The median time of a call of each contender, in seconds.

    Args:
        contenders: functions to call.
        seconds: about how long to measure each contender in all.
        rounds: how many turns each gets.
    """
    repeats = {}
    for name, call in contenders.items():
        call()
        start = time.perf_counter()
        call()
        once = time.perf_counter() - start
        repeats[name] = max(1, int(seconds / rounds / max(once, 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            gc.collect()
            count = range(repeats[name])
            start = time.perf_counter()
            for _ in count:
                call()
            times[name].append((time.perf_counter() - start) / len(count))
    return {name: statistics.median(measured) for name, measured in times.items()}


def readable(seconds: float) -> str:
    """A time with its unit: `12.3 us`."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
