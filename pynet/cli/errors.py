"""How errors are told, and exit statuses."""

from __future__ import annotations

INTERRUPTED, TERMINATED = 130, 143  # 128 + the number of SIGINT, SIGTERM, as shells count


def one_line(error: BaseException) -> str:
    """Return an error's text in one line."""
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if isinstance(error, MemoryError):
        return f"out of memory{f': {text}' if text else ''}"
    if isinstance(error, KeyError):
        text = text.strip("'\"")
    return text or type(error).__name__


def missing_extra(error: ImportError, extra: str) -> str:
    """Return what to install for an optional package that is missing."""
    name = (error.name or "it").split(".")[0]
    name = {"PIL": "Pillow"}.get(name, name)
    return f"{name} is not installed (pip install 'pynet[{extra}]')"
