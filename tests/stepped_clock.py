"""A wall clock for one tree of processes that can be set while they run; every other clock goes on as it is."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

LIBRARY = "clock_step.so"
STEP = "clock_step"
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static const volatile int64_t *step;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_STEP_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, file, 0);
    step = mapped == MAP_FAILED ? NULL : mapped;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME && step) now->tv_sec += *step;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec fine;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (now) *now = fine.tv_sec;
    return fine.tv_sec;
}
"""


class SteppedClock:
    """Programs that begin with ``enter`` see it, and all that they start with their own environment."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / STEP
        self._library = directory / LIBRARY
        self.set(0)
        argv = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(self._library), "-ldl"]
        subprocess.run(argv, input=SOURCE, text=True, check=True)

    @property
    def enter(self) -> list[str]:
        return ["env", f"LD_PRELOAD={self._library}", f"CLOCK_STEP_FILE={self._file}"]

    def set(self, seconds: int) -> None:
        """So far is it ahead of the true one now."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def is_seen_by(self, pid: int) -> bool:
        """Whether a process asks this clock."""
        return str(self._file) in Path(f"/proc/{pid}/maps").read_text()
