"""The commands: what they do and write."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from cli_cases import sha256, write_npz
from idx_files import write_mnist

import pynet
from pynet.cli import main
from pynet.cli.data import load
from pynet.cli.models import MODELS
from pynet.networks import SimpleConvNet
from pynet.optimizers import OPTIMIZERS
from pynet.serialization import load_checkpoint, load_params


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYNET_DATA", raising=False)
    yield tmp_path
    pynet.set_num_threads(0)


def train(data, *arguments, epochs=2, model="mlp", out="out"):
    argv = ["train", "--data", data, "--model", model, "--epochs", epochs, "--out", out]
    return main([*map(str, argv), "--batch-size", "30", *map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with bars.npz and a network that knows them."""
    folder = tmp_path_factory.mktemp("trained")
    write_npz(folder / "bars.npz", 300)
    assert train(folder / "bars.npz", model="conv-bn", epochs=6, out=folder / "out") == 0
    return folder


# ---- train -------------------------------------------------------------------------------------


def test_what_train_prints_and_writes(folder, capsys):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", epochs=3) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert re.fullmatch(r"pynet \S+, \w+, \d+ threads, seed 0", lines[0])
    assert lines[1] == ("data bars.npz: 68 training and 22 test samples of shape 1x8x8, 3 classes")
    assert lines[2] == "model mlp: 16,903 parameters, float32"
    for i in (1, 2, 3):
        assert re.fullmatch(
            rf"epoch {i}/3  loss \d\.\d{{4}}  train accuracy [01]\.\d{{4}}  "
            r"test accuracy [01]\.\d{4}  \d+\.\d s",
            lines[2 + i],
        )
    assert re.fullmatch(r"test accuracy \d+\.\d\d % \(\d+ of 22\)", lines[6])
    assert re.fullmatch(r"time \d+\.\d s", lines[7])
    assert lines[8:] == ["wrote out/checkpoint.safetensors, out/history.csv, out/curves.png"]

    rows = list(csv.DictReader((folder / "out/history.csv").read_text().splitlines()))
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6"), ("3", "9")]
    assert f"{float(rows[-1]['loss']):.4f}" in lines[5]
    assert f"{float(rows[-1]['test_accuracy']):.4f}" in lines[5]
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        *("checkpoint.safetensors", "curves.png", "history.csv"),
    ]


def test_one_line_says_why_steps_are_not_recorded(folder, capsys):
    write_npz(folder / "bars.npz")
    with pynet.backend.use("reference"):
        assert train("bars.npz") == 0
    assert "every step was computed call by call: the backend is reference" in (
        capsys.readouterr().out
    )


def test_the_picture(trained):
    image = pytest.importorskip("PIL.Image")
    with image.open(trained / "out" / "curves.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
        assert picture.size == (1080, 432)
    colours = {tuple(pixel) for pixel in pixels.tolist()}
    assert (255, 255, 255) in colours
    assert (0, 0x72, 0xB2) in colours and (0xD5, 0x5E, 0) in colours  # both curves are there


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains(folder, capsys, model):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", "--seed", 3, model=model, epochs=1) == 0
    assert main(["eval"]) == 0
    out = capsys.readouterr().out.splitlines()
    figure = re.search(r"test accuracy .*", out[-1])[0]
    assert figure in out  # what train has printed
    assert out[-1].startswith(f"{model} on bars.npz")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_trains(folder, optimizer):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", "--optimizer", optimizer, epochs=1) == 0
    _, meta = load_checkpoint(folder / "out/checkpoint.safetensors")
    assert meta["optimizer"].lower() == optimizer
    assert meta["optimizer_numbers"]["lr"] == OPTIMIZERS[optimizer]().lr


def test_settings_reach_the_run(folder):
    write_npz(folder / "bars.npz")
    options = "--lr 0.5 --optimizer sgd --seed 3 --dtype float64 --schedule cosine"
    assert train("bars.npz", *options.split(), epochs=4) == 0
    arrays, meta = load_checkpoint(folder / "out/checkpoint.safetensors")
    assert arrays["W1"].dtype == np.float64
    assert (meta["base_lr"], meta["seed"], meta["step"], meta["epoch"]) == (0.5, 3, 12, 4)
    assert meta["run"]["schedule"] == "cosine" and meta["run"]["batch_size"] == 30
    assert 0 < meta["optimizer_numbers"]["lr"] < 0.02


def test_the_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"pynet {pynet.__version__}\n"


def test_the_seed_decides_and_threads_do_not(folder):
    write_npz(folder / "bars.npz")

    def weights(out, *arguments):
        assert train("bars.npz", *arguments, out=out, model="conv-bn") == 0
        return sha256(folder / out / "checkpoint.safetensors")

    one = weights("a", "--seed", 1, "--threads", 1)
    assert weights("b", "--seed", 1, "--threads", 3) == one
    assert weights("c", "--seed", 2, "--threads", 1) != one


def test_mnist_from_its_files(folder, capsys):
    write_mnist(folder / "files" / "mnist")
    argv = "train --data mnist --data-dir files --epochs 1 --model simple-conv --batch-size 6"
    assert main(argv.split()) == 0
    assert "12 training and 5 test samples of shape 1x28x28" in capsys.readouterr().out


def test_evaluation_on_fewer_samples(folder, capsys):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", "--eval-samples", 5) == 0
    rows = list(csv.DictReader((folder / "out/history.csv").read_text().splitlines()))
    assert all((5 * float(row["test_accuracy"])).is_integer() for row in rows)
    assert " of 22)" in capsys.readouterr().out  # the last figure is that of all


@pytest.mark.parametrize("name", ["digits", "bars.npz"])
def test_the_seed_decides_the_split(folder, name):
    write_npz(folder / "bars.npz")
    parts = [load(name, seed, None, False).x_test for seed in (0, 0, 1)]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert (parts[0] != parts[2]).any()


def test_the_digits_need_no_file(folder, capsys):
    assert main("train --epochs 1 --model two-layer".split()) == 0
    assert "1,348 training and 449 test samples" in capsys.readouterr().out


# ---- demo --------------------------------------------------------------------------------------


def test_the_demo_learns_to_read(folder, capsys):
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    accuracy = float(re.search(r"test accuracy (\d+\.\d+) %", out)[1])
    assert accuracy >= 97.5
    assert (folder / "out/curves.png").exists()


def test_several_seeds_of_the_demo(folder, capsys, monkeypatch):
    monkeypatch.setitem(pynet.cli.train._DEMO, "epochs", 1)
    assert main(["demo", "--seeds", "2", "--out", "o"]) == 0
    out = capsys.readouterr().out
    each = [float(a) for a in re.findall(r"^test accuracy (\d+\.\d+) %", out, re.MULTILINE)]
    assert len(each) == 2 and each[0] != each[1]
    mean = float(re.search(r"^mean (\d+\.\d+) %$", out, re.MULTILINE)[1])
    assert mean == pytest.approx(np.mean(each), abs=0.02)
    assert (folder / "o/seed-0/history.csv").exists() and (folder / "o/seed-1/history.csv").exists()


# ---- resume --------------------------------------------------------------------------------------


def test_more_epochs(folder, capsys):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", model="conv-bn", epochs=2) == 0
    assert main(["train", "--resume", "out", "--epochs", "4"]) == 0
    assert train("bars.npz", model="conv-bn", epochs=4, out="whole") == 0
    assert "resumed at step 6 of 12" in capsys.readouterr().out
    parts, whole = (load_params(f"{out}/checkpoint.safetensors") for out in ("out", "whole"))
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    assert (folder / "out/history.csv").read_text() == (folder / "whole/history.csv").read_text()


def test_resume_into_another_folder(folder):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", epochs=1) == 0
    before = sha256(folder / "out/checkpoint.safetensors")
    path = "out/checkpoint.safetensors"
    assert main(["train", "--resume", path, "--epochs", "2", "--out", "next"]) == 0
    assert sha256(folder / "out/checkpoint.safetensors") == before
    assert (folder / "next/curves.png").exists()


# ---- eval and predict ----------------------------------------------------------------------------


def test_eval_of_other_data(trained, folder, capsys):
    write_npz(folder / "others.npz", 40, seed=5)
    argv = ["eval", "--checkpoint", str(trained / "out"), "--data", "others.npz"]
    assert main(argv) == 0
    assert re.search(r"on others.npz: test accuracy .* of 10\)", capsys.readouterr().out)


def test_eval_of_a_weight_file(folder, capsys):
    write_mnist(folder / "mnist")
    SimpleConvNet().save_params("params.pkl")
    argv = "eval --checkpoint params.pkl --model simple-conv --data mnist --data-dir ."
    assert main(argv.split()) == 0
    assert re.match(r"simple-conv on mnist: test accuracy .* of 5\)", capsys.readouterr().out)


def picture(path, label, dark_on_light=True, size=64, mode="L"):
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((8, 8), np.uint8)
    if label == 0:
        pixels[3] = 255
    elif label == 1:
        pixels[:, 4] = 255
    else:
        np.fill_diagonal(pixels, 255)
    if dark_on_light:
        pixels = 255 - pixels
    large = image.fromarray(pixels).resize((size, size), image.Resampling.NEAREST)
    if mode == "RGBA":  # dark strokes on nothing
        strokes = image.new("RGBA", large.size, (0, 0, 0, 0))
        strokes.putalpha(large.point(lambda value: 255 - value))
        large = strokes
    large.save(path)


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"dark_on_light": False},
        {"size": 8},
        {"size": 200},
        {"mode": "RGBA"},
    ],
)
def test_predict(trained, folder, capsys, label, how):
    picture("bar.png", label, **how)
    assert main(["predict", "bar.png", "--checkpoint", str(trained / "out")]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"bar.png: {label}"
    assert re.fullmatch(rf"{label}: \d+\.\d %, \d: \d+\.\d %, \d: \d+\.\d %", second)


def test_predict_inverts_as_told(trained, folder, capsys):
    picture("bar.png", 1)
    argv = ["predict", "bar.png", "--checkpoint", str(trained / "out"), "--invert"]
    told = {}
    for choice in ("auto", "yes", "no"):
        assert main([*argv, choice]) == 0
        told[choice] = capsys.readouterr().out
    assert told["auto"] == told["yes"] != told["no"]


# ---- info --------------------------------------------------------------------------------------


def test_info(capsys):
    assert (
        main(
            [
                "info",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())
    assert rows["pynet"] == pynet.__version__
    assert rows["instruction set"].startswith(f"{pynet._core.isa()} (here: baseline")
    assert re.match(r"\d+ \(.+\)", rows["threads"])
    assert "MiB" in rows["memory"] and rows["CUDA"]  # whatever it is here


class Gpu:
    """Stands for pynet._cuda where it found this."""

    def __init__(self, **found):
        self.found = found

    def device_info(self):
        return self.found


def raised(error):
    def device():
        raise error

    return device


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (raised(ModuleNotFoundError("pynet was built without CUDA")), "not built"),
        (raised(ImportError("libgcc_s.so.1")), "cannot be loaded: libgcc_s.so.1"),
        (
            lambda: Gpu(present=False, code=35, reason="no driver: install it"),
            "no driver: install it",
        ),
        (
            lambda: Gpu(
                present=True,
                name="H100",
                compute_capability=(9, 0),
                processors=132,
                memory=80 * 2**30,
                driver=13010,
                runtime=13000,
            ),
            "H100, compute capability 9.0, 132 processors, 80.0 GiB; driver for CUDA 13.1, "
            "built with 13.0",
        ),
    ],
)
def test_info_says_which_gpu_or_why_none(capsys, monkeypatch, device, text):
    monkeypatch.setattr(pynet.backend, "device", device)
    assert main(["info"]) == 0
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["CUDA"] == text


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    for command in ("train", "demo", "eval", "predict", "info"):
        assert re.search(rf"^ +{command} ", out, re.MULTILINE)
        with pytest.raises(SystemExit):
            main([command, "--help"])


def test_early_stopping(folder, capsys):
    """It stops before the last epoch, ends with the best net, and is over when resumed."""
    write_npz(folder / "bars.npz", 200)
    options = ("--validation", 0.3, "--early-stopping", 3, "--lr", 0.01)
    assert train("bars.npz", *options, epochs=200) == 0
    out = capsys.readouterr().out
    assert "validation 45 of the training samples\n" in out
    rows = list(csv.DictReader((folder / "out/history.csv").read_text().splitlines()))
    scores = [float(row["validation_accuracy"]) for row in rows]
    best = scores.index(max(scores))
    assert len(rows) == best + 4 < 200
    assert f"stopped after epoch {best + 4}: validation_accuracy best {scores[best]:.4f}" in out
    assert f"test accuracy {100 * float(rows[best]['test_accuracy']):.2f} %" in out
    before = (folder / "out/checkpoint.safetensors").read_bytes()
    assert main(["train", "--resume", "out"]) == 0
    assert f"stopped after epoch {best + 4}" in capsys.readouterr().out
    assert (folder / "out/checkpoint.safetensors").read_bytes() == before


def test_early_stopping_needs_data_to_decide_on(folder, capsys):
    write_npz(folder / "bars.npz")
    assert train("bars.npz", "--early-stopping", 3) == 1
    assert "--early-stopping: expected --validation SHARE with it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train("bars.npz", "--validation", 1)
    assert "expected a number above 0 and below 1, got '1'" in capsys.readouterr().err
