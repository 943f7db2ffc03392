"""Which process of which machine writes a run, and whether it has ended."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def _place() -> str:
    """This boot of this machine (and container), where a pid means something; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When the process began, in the system's ticks; empty where the system does not tell, None when there is none."""
    if os.name != "posix":
        return ""  # os.kill would end it there
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


def this_process() -> dict[str, Any]:
    """host, pid, place and birth of this process: what `owner` and `lock` hold."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "place": _place(), "born": _born(os.getpid())}


def has_ended(owner: Mapping[str, Any], elsewhere: bool = False) -> bool:
    """Whether that process is known to have ended. Of another host's nothing is known. One of this host's name but of
    another boot or container counts as ended when `elsewhere` is true (a heartbeat tells more where there is one)."""
    if not owner.get("pid") or owner.get("host") != socket.gethostname():
        return False
    if owner.get("place") != _place():
        return elsewhere
    born = _born(owner["pid"])
    return born is None or born != (owner.get("born") or "")


def is_here(owner: Mapping[str, Any]) -> bool:
    """Whether that process is known to live, on this machine."""
    known = owner.get("pid") and owner.get("host") == socket.gethostname() and owner.get("place") == _place() != ""
    return bool(known) and not has_ended(owner)


def words_for(owner: Mapping[str, Any]) -> str:
    return f"pid {owner.get('pid', 'unknown')} on {owner.get('host', 'an unknown machine')}"
