"""The apples' graph as a picture: values forward, gradients backward on every edge.

The picture goes to the file given as argument, or to apples.svg; any browser shows it.

expects: price 220.0
expects: 2 apples more expensive by 1: 2.2
expects: wrote
"""

import sys

from pynet import graph

apple, number = graph.Number(100, "apple"), graph.Number(2, "number")
tax = graph.Number(1.1, "tax")
price = apple * number * tax  # arithmetic builds the graph
price.backward()
print(f"price {price.value:.1f}")
print(f"2 apples more expensive by 1: {apple.grad:.1f}")
print(f"one apple more: {number.grad:.0f}, tax up by 100 %: {tax.grad:.0f}")

path = sys.argv[1] if len(sys.argv) > 1 else "apples.svg"
graph.of(price).save(path)
print("wrote", path)
