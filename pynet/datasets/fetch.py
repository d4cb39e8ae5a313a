"""Finding the four IDX files of a data set, and downloading them when the caller asks for it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pynet.datasets.files import PathLike, as_path


@dataclass(frozen=True)
class Source:
    """A data set of four IDX files.

    Attributes:
        op: the loader, as error messages name it.
        folder: its folder below the cache and below $PYNET_DATA.
        own_names: whether a bare $PYNET_DATA may hold the files. The files of Fashion-MNIST have
            the names of MNIST's, so for those it may not.
        mirrors: addresses of folders with the published .gz files, tried in this order.
        sha256: digest of each published .gz file.
    """

    op: str
    folder: str
    own_names: bool
    mirrors: tuple[str, ...]
    sha256: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The four file names, without .gz."""
        return [name.removesuffix(".gz") for name in self.sha256]


def cache_folder(source: Source) -> Path:
    """Where downloads go: below $XDG_CACHE_HOME, %LOCALAPPDATA% or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base) and os.name == "nt":
        base = os.environ.get("LOCALAPPDATA", "")
    if not os.path.isabs(base):  # the XDG specification has relative paths ignored
        base = os.path.expanduser("~/.cache")
    if not os.path.isabs(base):  # a user without a home, as in some containers
        base = tempfile.gettempdir()
    return Path(base, "pynet", source.folder)


def search_folders(source: Source, data_dir: PathLike | None) -> list[Path]:
    """The folders that may hold the files, in order; only `data_dir` when it is given."""
    if data_dir is not None:
        root = as_path(source.op, "data_dir", data_dir)
        return [root / source.folder, root]
    folders = []
    if os.environ.get("PYNET_DATA"):
        root = as_path(source.op, "PYNET_DATA", os.environ["PYNET_DATA"])
        folders = [root / source.folder, root] if source.own_names else [root / source.folder]
    return [*folders, cache_folder(source)]


def files_in(source: Source, folder: Path) -> dict[str, Path]:
    """Those of the four files that lie in `folder`, plain or with .gz, by name."""
    found = {}
    for name in source.names:
        for path in (folder / f"{name}.gz", folder / name):
            if os.path.isfile(path):
                found[name] = path
    return found


def locate(source: Source, data_dir: PathLike | None, download: bool) -> dict[str, Path]:
    """The four files by name, from the first folder that has all of them.

    Raises:
        FileNotFoundError: no folder has them and `download` is False, or the download failed.
            The message names the files, the folders and what to do.
    """
    for folder in search_folders(source, data_dir):
        found = files_in(source, folder)
        if len(found) == len(source.names):
            return found
    if not download:
        raise FileNotFoundError(not_found(source, data_dir, []))
    return files_in(source, fetch(source, data_dir))


def fetch(source: Source, data_dir: PathLike | None) -> Path:
    """Download those of the four files that are missing; the folder that holds them.

    Each file is compared with its SHA-256 before it gets its name, so that nothing half-written
    stays. Files that are there already are left alone.

    Raises: FileNotFoundError as `locate`.
    """
    folder = cache_folder(source)
    if data_dir is not None:
        folder = as_path(source.op, "data_dir", data_dir)
    missing = [name for name in source.names if name not in files_in(source, folder)]
    failures: list[str] = []
    if missing:
        try:
            import pooch
        except ImportError:
            reason = "pooch is not installed"
            raise FileNotFoundError(not_found(source, data_dir, [reason])) from None
    for name in missing:
        for mirror in source.mirrors:
            try:
                pooch.retrieve(
                    url=f"{mirror}{name}.gz",
                    known_hash=f"sha256:{source.sha256[name + '.gz']}",
                    fname=f"{name}.gz",
                    path=folder,
                )
                break
            except Exception as error:  # which ones depends on pooch's network libraries
                failures.append(f"{mirror}{name}.gz: {error}")
        else:
            raise FileNotFoundError(not_found(source, data_dir, failures))
    return folder


def not_found(source: Source, data_dir: PathLike | None, reasons: list[str]) -> str:
    """The one message for files that could not be had."""
    lines = [
        f"[{source.op}] data_dir: expected one folder with {', '.join(source.names)} "
        "(each as it is or with .gz), got none:"
    ]
    for folder in search_folders(source, data_dir):
        missing = [name for name in source.names if name not in files_in(source, folder)]
        if not folder.is_dir():
            state = "no such folder"
        elif not os.access(folder, os.R_OK | os.X_OK):
            state = "may not be read"
        elif len(missing) == len(source.names):
            state = "none of the files"
        else:
            state = f"no {', '.join(missing)}"
        lines.append(f"  {folder}: {state}")
    lines += [f"  download failed: {reason}" for reason in reasons]
    lines.append(
        "Put the four files into one of these folders or name theirs with data_dir=..., or call "
        f"{source.op}(download=True), which needs pooch (pip install 'pynet[data]')."
    )
    return "\n".join(lines)
