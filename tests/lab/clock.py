"""Another time of day for one program on a host; everything else there keeps the right one."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.lab.hosts import LabHost

LIBRARY = "/run/clock_off.so"
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    const char *off = getenv("CLOCK_OFF_S");
    int failed = real(clock, now);
    if (!failed && clock == CLOCK_REALTIME && off) now->tv_sec += atol(off);
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
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


def clock_off(host: LabHost, by_s: int) -> dict[str, str]:
    """The environment in which a program on ``host`` sees a clock that is ahead by ``by_s`` seconds; needs gcc."""
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "clock_off.so"
        argv = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(made), "-ldl"]
        subprocess.run(argv, input=SOURCE, text=True, check=True)
        host.path(LIBRARY).write_bytes(made.read_bytes())
    return {"LD_PRELOAD": LIBRARY, "CLOCK_OFF_S": str(by_s)}
