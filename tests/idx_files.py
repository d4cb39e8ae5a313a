"""IDX files for tests: bytes of any array, and a small set with the structure of MNIST."""

import numpy as np

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MNIST_SHAPES = {
    "train-images-idx3-ubyte": (12, 28, 28),
    "train-labels-idx1-ubyte": (12,),
    "t10k-images-idx3-ubyte": (5, 28, 28),
    "t10k-labels-idx1-ubyte": (5,),
}


def idx_bytes(array, code=0x08, shape=None):
    """The file of an array; `shape` makes its header claim another one."""
    shape = array.shape if shape is None else shape
    header = bytes((0, 0, code, len(shape))) + np.array(shape, ">u4").tobytes()
    return header + array.astype(DTYPES[code]).tobytes()


def write_mnist(folder, suffix="", pack=bytes, seed=0):
    """Write the four files and return their arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    arrays = []
    for name, shape in MNIST_SHAPES.items():
        array = rng.integers(0, 256 if len(shape) > 1 else 10, shape).astype(np.uint8)
        (folder / f"{name}{suffix}").write_bytes(pack(idx_bytes(array)))
        arrays.append(array)
    return arrays
