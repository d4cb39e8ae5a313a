"""An installed pynet, used from a folder that is not the checkout: import, train, command line."""

import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import numpy as np

import pynet
from pynet.datasets import load_digits
from pynet.networks import SimpleConvNet
from pynet.optimizers import Adam

installed = Path(sysconfig.get_path("platlib"))
assert Path(pynet.__file__).is_relative_to(installed), f"{pynet.__file__} is not the installed one"
assert not (Path.cwd() / "pynet").exists(), "run this from another folder than the checkout"
not_ours = [file for file in metadata.files("pynet") or [] if file.suffix in (".a", ".h", ".cpp")]
assert not not_ours, f"these do not belong into a wheel: {not_ours}"

(x, t), (x_test, t_test) = load_digits(flatten=False)
np.random.seed(0)
conv = {"filter_num": 8, "filter_size": 3, "pad": 1, "stride": 1}
net = SimpleConvNet((1, 8, 8), conv, hidden_size=32, output_size=10, weight_init_std=0.1)
optimizer = Adam(lr=0.01)
for _ in range(60):
    batch = np.random.choice(len(x), 100)
    optimizer.update(net.params, net.gradient(x[batch], t[batch]))
accuracy = net.accuracy(x_test, t_test)
assert accuracy > 0.8, accuracy

command = str(Path(sysconfig.get_path("scripts")) / "pynet")
for line in ([command, "info"], [sys.executable, "-m", "pynet", "info"]):
    told = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert pynet.__version__ in told, told
print(f"pynet {pynet.__version__} under Python {sys.version.split()[0]}: accuracy {accuracy:.3f}")
