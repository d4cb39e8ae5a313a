"""Files of arrays: checkpoints, weight files, and writing that is never half done.

Everything here works on dicts of NumPy arrays and knows nothing of networks.
"""

from pynet.serialization.checkpoint import load_checkpoint, previous_path, save_checkpoint
from pynet.serialization.files import write_atomic
from pynet.serialization.weights import load_params, save_params

__all__ = [
    "load_checkpoint",
    "load_params",
    "previous_path",
    "save_checkpoint",
    "save_params",
    "write_atomic",
]
