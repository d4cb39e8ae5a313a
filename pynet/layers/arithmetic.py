"""The book's two layers of chapter 5, for numbers and arrays alike."""

from __future__ import annotations

from typing import Any


class MulLayer:
    """out = x * y; dx = dout * y, dy = dout * x."""

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x = x
        self.y = y
        return x * y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        if self.x is None:
            raise ValueError(
                "[MulLayer.backward] x: expected forward() before backward(), got no saved input"
            )
        return dout * self.y, dout * self.x


class AddLayer:
    """out = x + y; dx = dy = dout."""

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        return dout * 1, dout * 1
