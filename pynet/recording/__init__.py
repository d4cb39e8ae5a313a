"""A training step recorded once and made again without Python: `pynet.capture`."""

from pynet.recording.step import CapturedStep, capture

__all__ = ["CapturedStep", "capture"]
