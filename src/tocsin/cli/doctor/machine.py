"""What the machine allows: open files, processors, the disk."""

import os
import shutil
from pathlib import Path

from tocsin.cli.doctor.finding import Finding, Findings, ok, problem, warning
from tocsin.settings import Settings

# Of a process besides its clients: database, Redis, logs, the interpreter's own.
_OTHER_FILES = 200
_FEW_CLIENTS = 5_000
_MIB = 2**20
_FULL_BYTES = 100 * _MIB
_NEARLY_FULL_BYTES = 1024 * _MIB
_NETWORK = frozenset(
    {"nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "ncpfs",
     "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs", "virtiofs", "vboxsf", "davfs", "beegfs", "gpfs"}
)  # fmt: skip


def look(settings: Settings) -> Findings:
    """Look at limits of this process, which the server inherits when it is started the same way."""
    yield from open_files()
    yield processors(settings, usable_processors())


def open_files() -> Findings:
    """Return how many clients may be connected; the server raises its own limit as far as it may."""
    try:
        import resource  # noqa: PLC0415 there is none on Windows
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    yield files_for_clients(hard if hard != resource.RLIM_INFINITY else 2**30)


def files_for_clients(hard: int) -> Finding:
    """Return what a hard limit of open files means."""
    clients = max(hard - _OTHER_FILES, 0)
    if clients < _FEW_CLIENTS:
        return warning(
            "files",
            f"at most {clients:,} clients can be connected to a process: its hard limit is {hard:,} open files",
            "raise it: LimitNOFILE=1048576 in the systemd unit, --ulimit nofile=1048576 in Docker, `ulimit -Hn`",
        )
    return ok("files", f"open files are limited to {hard:,}: as many clients a process, about")


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processors(settings: Settings, usable: int) -> Finding:
    """Return whether the workers fit the machine."""
    text = f"TOCSIN_WORKERS={settings.workers} on {usable} processors"
    if settings.workers > usable:
        return warning("processors", text, f"more than {usable} workers wait for each other: set at most that many")
    return ok("processors", text)


def disk(folder: Path, area: str) -> Finding:
    """Return how much is free where a folder is."""
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / _MIB:,.0f} MiB free on the disk of {folder}"
    if usage.free < _FULL_BYTES:
        return problem(area, text, "make room: writes are answered 507 when it is full")
    if usage.free < _NEARLY_FULL_BYTES:
        return warning(area, text, "make room before it is full")
    return ok(area, text)


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str | None:
    """Return the kind of the network file system that a path is on, None where it is on none, or nobody can say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    best, kind = "", ""
    for _, point, name, *_ in (line.split(" ") for line in lines if line.count(" ") >= 3):
        folder = point.replace(r"\040", " ")
        if path.is_relative_to(folder) and len(folder) >= len(best):
            best, kind = folder, name
    return kind if kind in _NETWORK else None
