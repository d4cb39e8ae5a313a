"""The chain rule: z = (x + y)^2 in two steps, t = x + y and z = t^2.

dz/dx = dz/dt * dt/dx = 2t * 1. Each node knows its own derivative only.

expects: z 49, dz/dx 14, dz/dy 14
expects: by differences 14.000 14.000
"""

from pynet.gradient import numerical_diff
from pynet.layers import AddLayer, MulLayer

x, y = 3, 4
add, square = AddLayer(), MulLayer()

t = add.forward(x, y)
z = square.forward(t, t)

dt1, dt2 = square.backward(1)
dt = dt1 + dt2  # t is used twice: where paths join, gradients add up
dx, dy = add.backward(dt)
print(f"z {z}, dz/dx {dx}, dz/dy {dy}")

by_x = numerical_diff(lambda x: (x + y) ** 2, x)
by_y = numerical_diff(lambda y: (x + y) ** 2, y)
print(f"by differences {by_x:.3f} {by_y:.3f}")
