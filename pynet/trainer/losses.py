"""The loss of each iteration; on the GPU nobody waits for it before somebody reads it."""

from __future__ import annotations

from typing import Any

from pynet.trainer.checks import divergence

_SHOWN_EACH = 32  # steps: a bar that moved with each would wait for each


class Losses:
    """The losses of a Trainer's run, and the steps whose losses the GPU still has."""

    def __init__(self, trainer: Any) -> None:
        self.known: list[float] = []
        self._trainer = trainer
        self._waiting: list[tuple[int, Any]] = []  # the iteration and its batch

    def step_later(self, batch: Any) -> bool:
        """Update the parameters without waiting for the loss, if that goes: on the GPU.

        False, with nothing done and nothing waiting, where it does not.
        """
        trainer = self._trainer
        try:
            begun = trainer.capture and trainer._captured_step().run_later(*trainer._data(), batch)
        except IndexError:
            self.settled()
            raise
        if begun:
            self._waiting.append((trainer.current_iter, batch))
        shown = trainer._progress is not None and len(self._waiting) >= _SHOWN_EACH
        if not begun or trainer.verbose or shown:
            self.settled()
        return bool(begun)

    def settled(self) -> list[float]:
        """Wait for the GPU; return all losses so far.

        Raises what one of the steps met. Then all is as it was before that step, but for the
        batches that have been drawn.
        """
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return self.known
        trainer = self._trainer
        losses, reason = trainer.step.settle()
        for loss in losses if reason is None else losses[:-1]:
            self.note(loss)
        if reason is None:
            return self.known
        trainer.current_iter, batch = waiting[len(losses) - 1]
        if reason:
            raise IndexError(reason)
        x, t = trainer._rows(batch)
        raise divergence(trainer, losses[-1], x, t, trainer.network.gradient(x, t))

    def note(self, loss: float) -> None:
        """Add a loss, and show it."""
        self.known.append(loss)
        if self._trainer.verbose:
            print(f"train loss:{loss}")
        if self._trainer._progress is not None:
            self._trainer._progress.step(loss)
