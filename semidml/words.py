"""Numbers and knobs in words, the same for pages and command line."""

import errno
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

NAMED = 5  # names that a sentence lists
NO_LABEL = "no label"  # in the place of a class's name


def value_words(value: Any) -> str:
    """A value as it is typed: 0.1, not 0.10000000000000001; 60, not 60.0."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def class_name(names: Sequence[str], label: int) -> str:
    """What a row's class is called; of one without a label, -1, that it has none."""
    return str(names[label]) if label >= 0 else NO_LABEL


def list_names(names: Sequence[str], last: str = "and") -> str:
    """Some names in a sentence, of many the first NAMED: `a, b and c`."""
    short = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:NAMED]]
    if len(names) > NAMED:
        short.append(f"{len(names) - NAMED:,} more")
    return f" {last} ".join(part for part in (", ".join(short[:-1]), short[-1]) if part)


FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or somebody's share of it


def is_full(error: BaseException) -> bool:
    """Whether the disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in FULL


def trouble_words(error: OSError) -> str:
    """What the system has against reading or writing a file, and what to do: `the disk is full: delete some runs ...`.
    What says more than an error of the system comes as it is."""
    path = Path(str(error.filename)) if error.filename else None
    folder = f"the folder {path.parent}" if path else "its folder"
    if error.errno and error.filename is None and error.strerror != os.strerror(error.errno):
        return str(error.strerror)  # words of our own, such as those of a quota
    if is_full(error):
        return "the disk is full: delete some runs or other files, then try again"
    if error.errno == errno.EROFS:
        return f"{folder} can only be read: make it writable, then try again"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this program has no right to change {folder}: give it that right, then try again"
    if error.errno == errno.ENOENT:
        return f"{path.name if path else 'a file'} is not there any more: it has been deleted or moved meanwhile"
    if error.errno == errno.EFBIG:
        return "a file would become larger than this system lets it: raise that limit, then try again"
    if error.errno and error.strerror:
        return f"the system says {error.strerror!r} of {path or 'a file'}"
    return str(error) or type(error).__name__


def damage_words(error: "ValidationError") -> str:
    """The first of what is wrong with values that were read: `updated: Input should be a valid number`."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def size_words(size: float) -> str:
    """1234567 -> '1.2 MB'."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def size_setting(variable: str, default: str) -> int:
    """Bytes that an environment variable sets ('500MB', '2 GB', or bytes), or the default where it sets none.
    Raises: ValueError when that cannot be read."""
    text = os.environ.get(variable) or default
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if not match:
        raise ValueError(f"{variable} must be a size such as 500MB or 2GB, got {text!r}")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2] or " "))


def printable(text: str) -> str:
    """A text whose control characters, and those that turn the direction of writing, are seen and do nothing."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def decimals(value: float, digits: int, sign: str = "") -> str:
    """A number with so many digits behind the point, after `sign` "+" with its sign in any case; what rounds to nothing
    is 0.00, never -0.00."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # -0.0 + 0.0 is 0.0


def percent(value: float | None) -> str:
    """A share as a percentage: `93.1 %`; a dash where there is none."""
    return "–" if value is None else f"{decimals(100 * value, 1)} %"


def seconds_words(seconds: float) -> str:
    """`12 s`, `3 min`, `2.1 h`."""
    if seconds < 99:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def age_words(then: float) -> str:
    """`3 min ago`; a date when it is longer ago than a day."""
    ago = time.time() - then
    if ago < 60:
        return "just now"
    if ago < 86400:
        return f"{ago / 60:.0f} min ago" if ago < 5400 else f"{ago / 3600:.0f} h ago"
    return time.strftime("%-d %b %Y", time.localtime(then))
