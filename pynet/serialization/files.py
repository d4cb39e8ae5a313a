"""Reading whole files, and writing them so that they are there as a whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, TypeAlias

if sys.platform != "win32":
    import fcntl

PathLike: TypeAlias = "str | os.PathLike[str]"
Content: TypeAlias = "bytes | bytearray | memoryview | Callable[[BinaryIO], object]"

# What file systems without hard links (or that refuse them to us) answer to link().
_NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP}
_PREFIX, _SUFFIX = ".pynet-", ".tmp"


def write_atomic(
    path: PathLike, content: Content, *, keep: PathLike | None = None, op: str = "write_atomic"
) -> None:
    """Replace the file `path` by `content`, in one step and durably.

    The bytes go to a temporary file in the same folder; it is flushed to the disk (fsync), takes
    the name `path` (rename), and the folder is flushed. A reader, a killed process or a power
    failure sees the old file or the new one, never a part. When this returns, the new file is on
    the disk; when it raises, the old one is in place, or none if there was none. A temporary file
    left behind by a killed process is removed by the next write into the folder.

    A symbolic link stays one: the file it points to is replaced. The mode of an existing file is
    kept.

    Args:
        path: the file; its folder must exist.
        content: the bytes, or a function that writes them into the binary file it is given (a
            buffer in memory, so that a function that fails has touched nothing).
        keep: a second name, in the same folder, that the old file gets.
        op: the name that error messages begin with.

    Raises:
        OSError: the file could not be written (full disk, no such folder, ...); `errno` is set.
        TypeError, ValueError: `path` is not a path.

    Source: Pillai et al., All File Systems Are Not Created Equal, OSDI 2014.
    """
    name = check_path(op, path)
    if callable(content):
        buffer = io.BytesIO()
        content(buffer)
        data = buffer.getbuffer()
    elif isinstance(content, (bytes, bytearray, memoryview)):
        data = memoryview(content).cast("B")
    else:
        raise TypeError(f"[{op}] content: expected bytes or a function, got {content!r:.80}")
    wanted = f"to write {len(data)} bytes to {name!r}"
    with os_errors(op, wanted):
        target = os.path.realpath(name)
        if not os.path.basename(name):
            raise IsADirectoryError(errno.EISDIR, "the name of a folder")
        # Renaming a file to /dev/null would take the device away from everybody.
        _refuse_special(target)
        _replace(target, data, None if keep is None else os.path.realpath(keep))


def read_file(op: str, path: PathLike) -> bytes:
    """All bytes of a regular file."""
    with open_file(op, path) as (stream, size):
        return stream.read(size)


@contextmanager
def open_file(op: str, path: PathLike) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file to read, and its size in bytes."""
    name = check_path(op, path)
    with os_errors(op, f"a readable file at {name!r}"), ExitStack() as stack:
        _refuse_special(name)  # before opening: to open a pipe can wait for ever
        stream = stack.enter_context(open(name, "rb"))
        yield stream, os.fstat(stream.fileno()).st_size


def _refuse_special(name: str) -> None:
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, "a folder")
    if os.path.exists(name) and not os.path.isfile(name):
        raise OSError(errno.EINVAL, "a device or pipe")


def check_path(op: str, path: PathLike) -> str:
    """`path` as a string, with `~` expanded."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"[{op}] path: expected a str or os.PathLike, got {path!r}")
    name = os.fspath(path)
    if not isinstance(name, str) or "\0" in name:
        raise ValueError(f"[{op}] path: expected a str without NUL characters, got {name!r}")
    return os.path.expanduser(name)


@contextmanager
def os_errors(op: str, wanted: str) -> Iterator[None]:
    """Put OSErrors into the project's form, with their class and `errno`."""
    try:
        yield
    except OSError as error:
        got = f"{error.strerror or error} ({type(error).__name__})"
        kind = type(OSError(error.errno, "")) if error.errno is not None else OSError
        told = kind(f"[{op}] path: expected {wanted}, got {got}")
        told.errno = error.errno
        raise told from error


def _replace(target: str, data: memoryview, keep: str | None) -> None:
    folder = os.path.dirname(target)
    _remove_orphans(folder)
    with ExitStack() as cleanup:
        stream, new = _create(folder, cleanup)
        with suppress(OSError):
            os.chmod(new, stat.S_IMODE(os.stat(target).st_mode))
        _write(stream, data)
        old = _second_name(target, folder, cleanup)
        if sys.platform == "win32":
            stream.close()  # an open file cannot be renamed there
        os.replace(new, target)
        try:
            _sync_folder(folder)
            if keep is not None and old is not None:
                # Last, when the new file is durable: at each instant one of the two names
                # holds a whole file. `old` may be gone (see _remove_orphans); then `keep`
                # stays what it was.
                with suppress(FileNotFoundError):
                    os.replace(old, keep)
        except BaseException:
            with suppress(OSError):
                if old is None:
                    os.unlink(target)
                else:
                    os.replace(old, target)
            raise


def _create(folder: str, cleanup: ExitStack) -> tuple[io.FileIO, str]:
    """A new temporary file, locked; `cleanup` closes it, and removes it if it still has its name.

    It is created like any other file, with a mode that follows the umask (not 0600 as from
    tempfile: a checkpoint may be read by whom the user's files may be read).
    """
    while True:
        name = _temporary_name(folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        stream = io.FileIO(os.open(name, flags, 0o666), "r+")
        cleanup.callback(_remove, name)
        cleanup.callback(stream.close)
        if _lock(stream) and os.path.lexists(name):
            return stream, name
        # Another process has taken it for an orphan before it was locked: once more.


def _lock(stream: io.FileIO) -> bool:
    """Mark a temporary file as in use; False when somebody else has locked it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks, where _remove_orphans removes nothing
    return True


def _second_name(target: str, folder: str, cleanup: ExitStack) -> str | None:
    """A temporary second name for the file `target`, or None where there is no such file."""
    if not os.path.exists(target):
        return None
    name = _temporary_name(folder)
    try:
        os.link(target, name)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with open(target, "rb") as old:
            stream, name = _create(folder, cleanup)
            _write(stream, memoryview(old.read()))
            if sys.platform == "win32":
                stream.close()
    else:
        cleanup.callback(_remove, name)
    return name


def _temporary_name(folder: str) -> str:
    return os.path.join(folder, f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}")


def _write(stream: io.FileIO, data: memoryview) -> None:
    while data:
        data = data[os.write(stream.fileno(), data) :]
    os.fsync(stream.fileno())


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)


def _remove_orphans(folder: str) -> None:
    """Remove the temporary files of processes that were killed: those that nobody has locked.

    Second names are not locked, so a process that writes into the same folder at the same instant
    can lose one to this; it then keeps no previous file that time, which is harmless.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)):
                continue
            with suppress(OSError), open(entry.path, "r+b", opener=_open_orphan) as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(entry.path)


def _open_orphan(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _sync_folder(folder: str) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and user-space file systems cannot flush a folder; nothing more to be done.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)
