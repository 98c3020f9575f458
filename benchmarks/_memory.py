"""How much memory the process holds, now and at most."""

import gc
import threading
import time

import psutil

_PROCESS = psutil.Process()
_SECONDS = 0.01


def resident_mb():
    """Return the resident memory in MB (10**6 bytes), garbage collected before."""
    gc.collect()
    return _PROCESS.memory_info().rss / 1e6


class Peak:
    """Sample the memory in a thread for the length of a block.

    Attributes
    ----------
    resident : float
        Largest resident memory, MB: what the process itself holds, and pages of
        mapped files that it has touched.

    own : float
        Largest memory without those pages, MB. Where the system does not tell them
        apart, the same as `resident`.
    """

    def __init__(self):
        self.resident = self.own = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        gc.collect()
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()
        self._sample()
        self.seconds = time.perf_counter() - self._began

    def _watch(self):
        while not self._over.wait(_SECONDS):
            self._sample()

    def _sample(self):
        memory = _PROCESS.memory_info()
        shared = getattr(memory, "shared", 0)
        self.resident = max(self.resident, memory.rss / 1e6)
        self.own = max(self.own, (memory.rss - shared) / 1e6)
