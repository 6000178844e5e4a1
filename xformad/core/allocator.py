"""How the C library's allocator is told that large arrays come and go.

A gradient allocates a tape's worth of arrays and frees them all at its end. glibc then gives the memory back to the
operating system, and the next gradient pays for every page again: half of the time of a small network's gradient.
glibc adapts by itself: once it has freed one large block, blocks up to that size are kept for reuse, and so is twice as
much of freed memory (mallopt(3), M_MMAP_THRESHOLD). So one block of the largest size for which it does that is allocated
and freed, without touching it, which costs nothing. With other C libraries it has no effect.
"""

from __future__ import annotations

from typing import Final

import numpy as np

LARGEST: Final = 32 * 2**20 - 2**16  # bytes: just below glibc's DEFAULT_MMAP_THRESHOLD_MAX on 64-bit machines


def keep_freed_memory() -> None:
    """Have freed memory, up to 64 MB, kept for the next arrays."""
    np.empty(LARGEST, np.uint8)
