"""Pictures. Each needs matplotlib, which `pip install 'pynet[plot]'` brings."""

from pynet.viz.curves import save_curves

__all__ = ["save_curves"]
