"""What can go wrong when a directory is captured, each in one line that a person can act on."""

from __future__ import annotations

from orchestrator.errors import DtamError


class BuildFailed(DtamError):
    template = "the capture program cannot be built: {why}"
    exit_code = 85
    hint_template = (
        "run: apt-get install --no-install-recommends gcc libc6-dev libfuse3-dev fuse3 libxxhash-dev pkg-config"
    )


class MountRefused(DtamError):
    template = "{path} is not captured: {why}"
    exit_code = 86
    hint_template = "{next}"


class MountFailed(DtamError):
    template = "{path} cannot be captured: {why}"
    exit_code = 87
    hint_template = "look at {log}"


class MountBusy(DtamError):
    template = "{path} stays captured: files in it are open"
    exit_code = 88
    hint_template = "stop the programs that `fuser -vm {path}` names, then try again"


class CaptureSilent(DtamError):
    template = "the capture program of {log_dir} does not answer: {why}"
    exit_code = 89
    hint_template = "see whether it runs: `findmnt -t fuse.dtcapture`, and read {log_dir}/capture.log"


class WatchesExhausted(DtamError):
    template = "{path} cannot be watched: all of this user's inotify watches are taken ({count} here)"
    exit_code = 79
    hint_template = "as root: sysctl fs.inotify.max_user_watches=1048576, or capture with FUSE, which needs no watches"
