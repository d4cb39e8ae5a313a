"""Pictures. Each needs matplotlib, which `pip install 'pynet[plot]'` brings.

`draw_*` draw into axes: `style.new_figure()` makes a figure for them, `style.save_figure` writes
it.
"""

from pynet.viz.activations import draw_activations
from pynet.viz.confusion import draw_confusion, save_confusion
from pynet.viz.curves import save_curves
from pynet.viz.feature_maps import draw_feature_maps
from pynet.viz.filters import draw_filters
from pynet.viz.histograms import draw_histograms

__all__ = [
    "draw_activations",
    "draw_confusion",
    "draw_feature_maps",
    "draw_filters",
    "draw_histograms",
    "save_confusion",
    "save_curves",
]
