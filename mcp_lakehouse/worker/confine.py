"""What a worker process gives up before it sees foreign SQL or foreign files.

Resource limits everywhere; on Linux also Landlock (file system and TCP) and an empty network
namespace, each where the kernel has it. The return value says which held, and `doctor` prints it.
Landlock: https://docs.kernel.org/userspace-api/landlock.html (syscalls 444-446 on every architecture).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000

_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_READ = _READ_FILE | _READ_DIR
# Access rights known at each Landlock version: version -> number of file system bits.
_FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
_FS_BITS_NEWEST = 16
_NET_BITS = 0b11


@dataclass(frozen=True, slots=True)
class Confinement:
    """What held. `landlock` is the kernel's Landlock version, 0 where there is none."""

    landlock: int
    network_namespace: bool


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("access", ctypes.c_uint64), ("fd", ctypes.c_int32)]


def limit_resources(*, address_space_bytes: int, file_bytes: int) -> None:
    """Cap address space and written file size; no core dumps. A lower existing hard limit stays."""
    for kind, wanted in (
        (resource.RLIMIT_AS, address_space_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        # macOS refuses RLIMIT_AS; the engine's own memory limit still holds there.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def allow_cpu(seconds: float) -> None:
    """Let this process use that many CPU seconds more, from now; past them the kernel kills it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def leave_network() -> bool:
    """Move into an empty network namespace. Call before any thread starts; False where not permitted."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # A user namespace costs root its access to files of other owners, so root takes only the network one.
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    return bool(libc.unshare(flags) == 0)


def opened(path: str) -> int | None:
    """A descriptor of what lies at a path, for `restrict_files`; `None` where that is nothing, and without Landlock."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None


def restrict_files(*, readable: Iterable[str | int], writable: Iterable[str]) -> int:
    """Allow reading below `readable`, reading and writing below `writable`, nothing else; no TCP.

    What is readable is given as paths, of which those that do not exist are passed over, or as descriptors, which
    are closed once they are in the rules. Returns the Landlock version used, 0 where the kernel has none.
    """
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    version = int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)))
    if version < 1:
        return 0
    all_rights = (1 << _FS_BITS.get(version, _FS_BITS_NEWEST)) - 1
    ruleset = _Ruleset(all_rights, _NET_BITS if version >= 4 else 0)
    size = ctypes.sizeof(ruleset) if version >= 4 else 8
    handle = libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if handle < 0:
        return 0
    try:
        for each in readable:
            _allow(libc, handle, opened(each) if isinstance(each, str) else each, _READ)
        for path in writable:
            _allow(libc, handle, opened(path), all_rights)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return version if libc.syscall(_RESTRICT_SELF, handle, ctypes.c_uint32(0)) == 0 else 0
    finally:
        os.close(handle)


def python_folders() -> list[str]:
    """Where modules are loaded from: imports that happen late must still work under `restrict_files`."""
    return [sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parent.parent)]


def _allow(libc: ctypes.CDLL, handle: int, fd: int | None, rights: int) -> None:
    if fd is None:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            # Directory rights on a file are refused by the kernel.
            rights &= 1 << 1 | _READ_FILE | (1 << 14)
        rule = _PathBeneath(rights, fd)
        libc.syscall(_ADD_RULE, handle, 1, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(fd)
