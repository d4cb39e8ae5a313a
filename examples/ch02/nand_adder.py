"""NAND alone builds any circuit: a half adder, a full adder, and a machine that adds numbers.

expects: 1 + 1 = sum 0, carry 1
expects: 5 + 6 = 11
"""

from pynet.perceptron import full_adder, half_adder

for x1 in (0, 1):
    for x2 in (0, 1):
        total, carry = half_adder(x1, x2)  # five NAND gates
        print(f"{x1} + {x2} = sum {total}, carry {carry}")


def add(a, b, bits=8):
    """Add two numbers from the lowest bit up, as on paper: each place hands on its carry."""
    result = carry = 0
    for place in range(bits):
        bit, carry = full_adder((a >> place) & 1, (b >> place) & 1, carry)
        result += bit << place
    return result


print("5 + 6 =", add(5, 6))
print("100 + 155 =", add(100, 155))
