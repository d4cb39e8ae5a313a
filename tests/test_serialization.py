"""Files are there as a whole or not at all, whatever fails and whenever a process dies."""

import errno
import os
import random
import re
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from pynet.serialization import load_checkpoint, previous_path, save_checkpoint, write_atomic

# ---- faults: the calls by which a save touches the disk, and what can happen at each -----------

CALLS = ("open", "write", "fsync", "link", "replace", "unlink")


class Killed(BaseException):
    """Stands for a process that is gone: it does not clean up either."""


class Faults:
    """Counts the calls of `CALLS`; at number `at` something happens."""

    def __init__(self, monkeypatch, at, happen, calls=CALLS, dead_afterwards=False):
        self.count, self.at, self.happen, self.dead = 0, at, happen, False
        self.dead_afterwards = dead_afterwards
        for name in calls:
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))

    def wrap(self, real):
        def call(*arguments, **options):
            if self.dead:
                raise Killed
            self.count += 1
            if self.count - 1 == self.at:
                self.dead = self.dead_afterwards
                return self.happen(real, *arguments, **options)
            return real(*arguments, **options)

        return call


def failing(code):
    def happen(real, *arguments, **options):
        raise OSError(code, os.strerror(code))

    return happen


def killed_before(real, *arguments, **options):
    raise Killed


def killed_after(real, *arguments, **options):
    real(*arguments, **options)
    raise Killed


def save(path, step, keep=True):
    save_checkpoint(path, {"W": np.full(50, step)}, {"step": step}, keep_previous=keep)


def load_step(path):
    arrays, meta = load_checkpoint(path)
    assert (arrays["W"] == meta["step"]).all()
    return meta["step"]


# ---- write_atomic ------------------------------------------------------------------------------


def test_writes_bytes_and_what_a_function_writes(tmp_path):
    path = tmp_path / "history.json"
    write_atomic(path, b"one")
    assert path.read_bytes() == b"one"
    write_atomic(str(path), memoryview(b"three"))
    assert path.read_bytes() == b"three"
    write_atomic(path, lambda stream: stream.write(b"four"))
    assert path.read_bytes() == b"four"
    write_atomic(path, b"")
    assert path.read_bytes() == b""
    assert os.listdir(tmp_path) == ["history.json"]


def test_function_that_fails_touches_nothing(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def writer(stream):
        stream.write(b"half")
        raise KeyError("W1")

    with pytest.raises(KeyError, match="W1"):
        write_atomic(path, writer)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("keep", [False, True])
def test_a_failing_call_leaves_everything_as_it_was(tmp_path, monkeypatch, code, exists, keep):
    path = tmp_path / "net.safetensors"
    if exists:
        save(path, 1)
        save(path, 2)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    calls = [name for name in CALLS if name != "unlink"]
    failed = 0
    for at in range(100):
        with monkeypatch.context() as patch:
            faults = Faults(patch, at, failing(code), calls)
            try:
                save(path, 3, keep)
            except OSError as error:
                assert error.errno == code
                assert re.match(
                    r"\[save_checkpoint\] path: expected to write \d+ bytes", str(error)
                )
                assert repr(str(path)) in str(error) and os.strerror(code) in str(error)
                failed += 1
            else:
                # The only failure that may pass: nothing of the file has been touched.
                if faults.count <= at:
                    break
        after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert after == before, f"call {at}"
    assert failed >= 6
    assert load_step(path) == 3
    names = {path.name, os.path.basename(previous_path(path))} if exists else {path.name}
    assert set(os.listdir(tmp_path)) == names


@pytest.mark.parametrize("happen", [killed_before, killed_after])
@pytest.mark.parametrize("keep", [False, True])
def test_a_process_killed_at_any_call_leaves_a_whole_checkpoint(
    tmp_path, monkeypatch, happen, keep
):
    seen = set()
    for at in range(100):
        folder = tmp_path / str(at)
        folder.mkdir()
        path = folder / "net.safetensors"
        save(path, 1)
        save(path, 2)
        with monkeypatch.context() as patch:
            Faults(patch, at, happen, dead_afterwards=True)
            try:
                save(path, 3, keep)
                break
            except Killed:
                pass
        step, previous = load_step(path), load_step(previous_path(path))
        assert (step, previous) in {(2, 1), (3, 1), (3, 2)}
        seen.add(step)
        save(path, 4)  # and what the killed one left behind is removed
        assert load_step(path) == 4
        assert sorted(os.listdir(folder)) == ["net.previous.safetensors", "net.safetensors"]
    assert at >= 8
    assert seen == {2, 3}


def test_works_without_hard_links(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *names: failing(errno.EPERM)(None))
    path = tmp_path / "net.safetensors"
    for step in (1, 2, 3):
        save(path, step)
    assert (load_step(path), load_step(previous_path(path))) == (3, 2)
    assert len(os.listdir(tmp_path)) == 2


def test_works_where_a_folder_cannot_be_flushed(tmp_path, monkeypatch):
    real = os.fsync

    def fsync(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_flushes_the_file_before_it_gets_its_name_and_the_folder_after(tmp_path, monkeypatch):
    log = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor):
        log.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        real_fsync(descriptor)

    def replace(source, target):
        log.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomic(tmp_path / "a", b"new")
    assert log == ["file", "rename", "folder"]


def test_a_full_disk(tmp_path):
    """A real one for the kernel: no file of this process may grow beyond 4,096 bytes."""
    code = """
        import errno, resource, sys
        import numpy as np
        from pynet.serialization import save_checkpoint
        save_checkpoint(sys.argv[1], {"W": np.ones(10)}, {})
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            save_checkpoint(sys.argv[1], {"W": np.ones(10_000)}, {})
        except OSError as error:
            print(error.errno == errno.EFBIG, error)
    """
    path = tmp_path / "net.safetensors"
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.startswith("True [save_checkpoint] path: expected to write 80")
    assert repr(str(path)) in shown
    assert load_checkpoint(path)[0]["W"].size == 10
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_kill_9_at_random_instants(tmp_path):
    """20 processes in turn save as fast as they can, are killed, and the next one goes on."""
    code = """
        import sys
        import numpy as np
        from pynet.serialization import load_checkpoint, save_checkpoint
        path, warm_up = sys.argv[1:]
        save_checkpoint(warm_up, {"W": np.full(20_000, 0)}, {"step": 0})
        try:
            step = load_checkpoint(path)[1]["step"]
        except FileNotFoundError:
            step = 0
        print("ready", flush=True)
        while True:
            step += 1
            save_checkpoint(path, {"W": np.full(20_000, step)}, {"step": step}, keep_previous=True)
    """
    folder, warm_up = tmp_path / "nets", tmp_path / "warm_up.safetensors"
    folder.mkdir()
    path = folder / "net.safetensors"
    last = 0
    pause = random.Random(0)
    begin = time.perf_counter()
    save_checkpoint(warm_up, {"W": np.full(20_000, 0)}, {"step": 0})
    some_saves = 10 * (time.perf_counter() - begin)
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), path, warm_up], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(pause.uniform(0, some_saves))
            process.kill()
        if path.exists():
            step = load_step(path)
            assert step >= last
            last = step
        if os.path.exists(previous_path(path)):
            assert load_step(previous_path(path)) <= last
    assert last > 0
    save(path, last + 1)
    assert sorted(os.listdir(folder)) == ["net.previous.safetensors", "net.safetensors"]


def test_keeps_the_mode_and_follows_the_umask(tmp_path):
    path = tmp_path / "a"
    mask = os.umask(0o027)
    try:
        write_atomic(path, b"1")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o600)
        write_atomic(path, b"2")
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(mask)


def test_a_symbolic_link_stays(tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "net.safetensors"
    link.symlink_to(tmp_path / "disk" / "real.safetensors")
    for step in (1, 2):
        save(link, step)
    assert link.is_symlink()
    assert load_step(link) == 2
    assert load_step(tmp_path / "disk" / "real.previous.safetensors") == 1
    assert os.listdir(tmp_path / "disk") != [] and len(os.listdir(tmp_path)) == 2


def test_removes_what_killed_processes_left_and_nothing_else(tmp_path):
    import fcntl

    names = [".pynet-0.tmp", ".pynet-1.tmp", "pynet-2.tmp", ".pynet-3.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".pynet-4.tmp").symlink_to(tmp_path / "pynet-2.tmp")
    os.mkfifo(tmp_path / ".pynet-5.tmp")
    with open(tmp_path / ".pynet-1.tmp", "rb") as in_use:
        fcntl.flock(in_use, fcntl.LOCK_EX)
        write_atomic(tmp_path / "a", b"new")
    left = [".pynet-1.tmp", ".pynet-3.txt", ".pynet-4.tmp", ".pynet-5.tmp", "a", "pynet-2.tmp"]
    assert sorted(os.listdir(tmp_path)) == left


def test_a_temporary_file_taken_for_an_orphan_is_made_again(tmp_path, monkeypatch):
    """Another process may remove it between its creation and its lock."""
    import fcntl

    real, removed = fcntl.flock, []

    def flock(stream, mode):
        if not removed:
            removed.append(stream.name if isinstance(stream.name, str) else None)
            for file in tmp_path.glob(".pynet-*"):
                file.unlink()
        real(stream, mode)

    monkeypatch.setattr(fcntl, "flock", flock)
    write_atomic(tmp_path / "a", b"new")
    assert removed and (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "name, error",
    [
        ("missing/a", FileNotFoundError),
        ("file/a", NotADirectoryError),
        ("folder", IsADirectoryError),
        ("new/", IsADirectoryError),
        ("", IsADirectoryError),
        ("pipe", OSError),
        ("a" * 300, OSError),
        ("a\0b", ValueError),
        (b"a", TypeError),
        (3, TypeError),
        (None, TypeError),
    ],
)
def test_bad_paths(tmp_path, monkeypatch, name, error):
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    os.mkfifo("pipe")
    with open("file", "wb") as file:
        file.write(b"x")
    before = sorted(os.listdir())
    with pytest.raises(error, match=r"^\[write_atomic\] path: expected .*, got "):
        write_atomic(name, b"new")
    with pytest.raises(error, match=r"^\[save_checkpoint\] path: expected .*, got "):
        save_checkpoint(name, {}, {})
    with pytest.raises(
        (error, FileNotFoundError), match=r"^\[load_checkpoint\] path: expected .*, got "
    ):
        load_checkpoint(name)
    assert sorted(os.listdir()) == before


def test_content_of_the_wrong_type(tmp_path):
    with pytest.raises(TypeError, match=r"\[write_atomic\] content: expected bytes .*, got 'text'"):
        write_atomic(tmp_path / "a", "text")
