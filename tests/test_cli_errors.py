"""The commands when something is wrong: one clear line, and nothing lost."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from cli_cases import run, sha256, start, write_npz

from pynet.cli import main
from pynet.serialization import load_checkpoint, save_checkpoint

posix = pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("PYNET_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files to get wrong, made once."""
    folder = tmp_path_factory.mktemp("files")
    write_npz(folder / "bars.npz")
    np.savez(folder / "rows.npz", x=np.random.rand(20, 5), t=np.arange(20) % 2)
    np.savez(folder / "wide.npz", x=np.zeros((20, 9, 9), np.uint8), t=np.arange(20) % 2)
    (folder / "text.txt").write_text("hello")
    (folder / "broken.npz").write_bytes((folder / "bars.npz").read_bytes()[:500])
    for data, out in [("bars.npz", "good"), ("rows.npz", "rows")]:
        argv = ["train", "--data", str(folder / data), "--model", "mlp", "--epochs", "1"]
        assert main([*argv, "--out", str(folder / out)]) == 0
    data = bytearray((folder / "good/checkpoint.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "flipped.safetensors").write_bytes(data)
    save_checkpoint(folder / "other.safetensors", {"W1": np.zeros(3)}, {})
    return folder


@pytest.fixture
def prepared(files, folder):
    """A folder with these files, to run in."""
    shutil.copytree(files, folder, dirs_exist_ok=True)
    return folder


# arguments: what the one line says
ERRORS = {
    "train --data nothing": "--data: expected digits, mnist, .* got 'nothing'",
    "train --data none.npz": "none.npz: expected a file, got none",
    "train --data broken.npz": "broken.npz: expected an .npz file",
    "train --data mnist": "--data mnist: expected train-images-idx3-ubyte, .* --download",
    "train --data fashion-mnist --data-dir good": "--data fashion-mnist: expected .* in good",
    "train --data rows.npz --model simple-conv": r"expected images \(C, H, W\), got .*\(5,\)",
    "train --out text.txt": "--out: expected a folder to write into, got 'text.txt': a file",
    "train --out text.txt/x": "--out: expected a folder to write into, got 'text.txt/x'",
    "train --resume none": "expected a checkpoint at 'none', got no such file",
    "train --resume flipped.safetensors": "expected SHA-256 .* the file is damaged",
    "train --resume text.txt": "expected a whole checkpoint, got 5 bytes",
    "train --resume other.safetensors": "expected a checkpoint.safetensors of `pynet train`",
    "train --resume good --model two-layer": "--model: expected mlp like the checkpoint",
    "train --resume good --lr 0.5": "--lr: expected 0.001 like the checkpoint",
    "train --resume good --batch-size 7": "--batch-size: expected 100 like the checkpoint",
    "train --data bars.npz --model mlp --optimizer sgd --lr 1e30 --epochs 9": (
        r"\[Trainer\] .* at step \d+ with learning rate 1e\+30: .* not finite"
    ),
    "eval": "expected a checkpoint at 'out', got no such file",
    "eval --checkpoint other.safetensors": "expected one of `pynet train`, got another",
    "eval --checkpoint good --data wide.npz": r"--data: expected samples of shape \(1, 8, 8\)",
    "eval --checkpoint text.txt --model mlp": "expected safetensors, npz or pickle",
    "predict none.png --checkpoint good": "expected a picture, got no such file: 'none.png'",
    "predict text.txt --checkpoint good": "expected a picture, got .*text.txt",
    "predict text.txt --checkpoint rows": r"expected a network for pictures, .*\(5,\)",
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("arguments", ERRORS)
def test_one_line_for_every_error(prepared, capsys, arguments):
    capsys.readouterr()
    before = sha256(prepared / "good/checkpoint.safetensors")
    assert main(arguments.split()) == 1
    err = capsys.readouterr().err
    assert err.startswith("pynet: error: ") and err.count("\n") == 1, err
    assert re.search(ERRORS[arguments], err), err
    assert sha256(prepared / "good/checkpoint.safetensors") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("train --epochs 0", "--epochs: expected a whole number from 1, got '0'"),
        ("train --batch-size x", "--batch-size: expected a whole number from 1, got 'x'"),
        ("train --lr -1", "--lr: expected a number above 0, got '-1'"),
        ("train --lr nan", "--lr: expected a number above 0, got 'nan'"),
        ("train --seed -1", "--seed: expected a whole number from 0, got '-1'"),
        ("train --threads 0", "--threads: expected a whole number from 1, got '0'"),
        ("train --model resnet", "--model: invalid choice: 'resnet'"),
        ("train --dtype float16", "--dtype: invalid choice: 'float16'"),
        ("train --epoch 3", "unrecognized arguments: --epoch 3"),
        ("predict", "the following arguments are required: FILE.png"),
        ("demo --download", "unrecognized arguments: --download"),
    ],
)
def test_one_line_for_wrong_arguments(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and message in err, err
    assert re.search(r"\(see pynet.* --help\)", err)
    assert not (folder / "out").exists()


def test_the_folder_is_checked_before_the_training(folder, capsys):
    (folder / "file").write_text("")
    assert main("train --epochs 1000 --out file".split()) == 1
    assert "epoch" not in capsys.readouterr().out


def test_a_read_only_folder(folder, capsys, monkeypatch):
    def refuse(dir):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # root may write anywhere
    assert main("train --epochs 1000 --out locked".split()) == 1
    assert re.search("--out: .*'locked': Permission denied", capsys.readouterr().err)


# ---- interruptions -------------------------------------------------------------------------------

LONG = "train --data bars.npz --model conv-bn --epochs 30 --batch-size 10 --schedule cosine".split()


def interrupted(folder, number, out):
    """Status and stderr of a run that gets a signal after its second epoch."""
    write_npz(folder / "bars.npz")
    process = start(folder, *LONG, "--out", out)
    for line in process.stdout:
        if line.startswith("epoch  2/30"):
            process.send_signal(number)
            break
    _, err = process.communicate(timeout=120)
    return process.returncode, err


@posix
def test_ctrl_c_then_resume_gives_the_same_file(folder):
    """Whatever step the signal meets: the same bits as without it."""
    status, err = interrupted(folder, signal.SIGINT, "a folder")
    assert status == 130, err
    path = "'a folder/checkpoint.safetensors'"
    assert re.fullmatch(
        rf"pynet: stopped after step \d+ of 210; go on with: pynet train --resume {path}\n", err
    )
    _, meta = load_checkpoint(folder / "a folder/checkpoint.safetensors")
    assert 14 <= meta["step"] < 210
    status, out, err = run(folder, "train", "--resume", "a folder")
    assert (status, err) == (0, "")
    assert run(folder, *LONG, "--out", "whole")[0] == 0
    for name in ("checkpoint.safetensors", "history.csv", "curves.png"):
        assert sha256(folder / "a folder" / name) == sha256(folder / "whole" / name)


@posix
def test_sigterm_saves_too(folder):
    status, err = interrupted(folder, signal.SIGTERM, "out")
    assert status == 143 and "go on with: pynet train --resume out/checkpoint.safetensors" in err
    assert load_checkpoint(folder / "out/checkpoint.safetensors")[1]["step"] >= 14


@posix
def test_ctrl_c_before_the_training(folder):
    """Data that never come to an end: a pipe is refused, so slow imports stand for it."""
    hook = "import time; print('here', flush=True); time.sleep(60)"
    (folder / "slow").mkdir()
    (folder / "slow" / "run.py").write_text(
        # As from a terminal: what a shell starts in the background ignores Ctrl-C.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"import pynet.cli.data as d, pynet.cli as c\n"
        f"def load(*a):\n    {hook}\nimport pynet.cli.train as t\nt.load = load\n"
        "import sys\nsys.exit(c.main(['train']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, folder / "slow" / "run.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "pynet: interrupted\n")


# ---- a full disk ---------------------------------------------------------------------------------


@posix
def test_a_full_disk(folder):
    """One warning while it trains, an error at the end, the accuracy told, no half file."""
    import resource

    write_npz(folder / "bars.npz")

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    argv = "train --data bars.npz --model mlp --epochs 3".split()
    status, out, err = run(folder, *argv, preexec_fn=full)
    assert status == 1
    warning, error = err.splitlines()
    assert warning.startswith("pynet: warning: training goes on, but [save_checkpoint] path:")
    assert error.startswith("pynet: error: [save_checkpoint] path: expected to write")
    assert "epoch 3/3" in out and "test accuracy" in out
    assert [path for path in (folder / "out").iterdir() if path.name.endswith(".png")] == []
    assert not (folder / "out/checkpoint.safetensors").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_output_that_cannot_be_written(folder):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pynet", "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert re.fullmatch(r"pynet: error: .*No space left on device\n", done.stderr)


# ---- packages that are not there -----------------------------------------------------------------


def test_without_matplotlib(folder):
    write_npz(folder / "bars.npz")
    argv = "train --data bars.npz --model mlp --epochs 1".split()
    status, out, err = run(folder, *argv, blocked="matplotlib")
    assert (status, err) == (0, "")
    missing = "matplotlib is not installed (pip install 'pynet[plot]')"
    assert f"no out/curves.png: {missing}" in out.splitlines()
    assert out.splitlines()[-1] == "wrote out/checkpoint.safetensors, out/history.csv"


def test_without_pillow(folder):
    write_npz(folder / "bars.npz")
    argv = "train --data bars.npz --model mlp --epochs 1".split()
    assert run(folder, *argv, blocked="matplotlib PIL")[0] == 0
    status, _, err = run(folder, "predict", "bars.npz", blocked="PIL")
    expected = "pynet: error: pynet predict: Pillow is not installed (pip install 'pynet[data]')\n"
    assert (status, err) == (1, expected)


def test_without_pooch(folder):
    argv = "train --data mnist --data-dir none --download".split()
    status, _, err = run(folder, *argv, blocked="pooch")
    assert status == 1 and err.count("\n") == 1
    assert "pooch is not installed" in err and "none" in err


def test_without_the_core_one_sentence_says_what_is_missing(folder):
    status, out, err = run(folder, "info", blocked="pynet._core")
    assert (status, out) == (1, "")
    assert err == (
        "pynet: pynet's compiled core is missing: run `python3 dev.py demo` or `pip install .` "
        "in the checkout\n"
    )


def test_without_numpy_too(folder):
    status, _, err = run(folder, "info", blocked="numpy")
    assert status == 1
    assert err == (
        "pynet: No module named 'numpy': run `python3 dev.py demo` or `pip install .` "
        "in the checkout\n"
    )


# ---- a terminal ----------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("size", [(0, 0), (24, 100)])
def test_one_bar_on_a_terminal(folder, size):
    """With the time left, loss and accuracy; no line per epoch."""
    import fcntl
    import pty
    import struct
    import termios

    write_npz(folder / "bars.npz")
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        argv = [*LONG, "--out", "out"]
        os.execv(sys.executable, [sys.executable, "-m", "pynet", *argv])
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    text = shown.decode()
    states = [part for part in re.split(r"[\r\n]+", text) if "/210" in part]
    assert len(states) > 2
    assert re.match(r"epoch 30/30: 100%\|.*\| 210/210 \[\d\d:\d\d<\d\d:\d\d", states[-1])
    assert re.search(r"loss=\d\.\d{4}", states[-1])
    assert "test accuracy" in text and not re.search(r"epoch +\d+/30  loss", text)
