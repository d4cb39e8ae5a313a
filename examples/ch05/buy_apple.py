"""Two apples at 100 with 10 % tax as a computational graph: forward the price, backward what each
number contributes to it.

expects: price 220
expects: dApple 2.2, dApple_num 110, dTax 200
"""

from pynet.layers import MulLayer

apple, apple_num, tax = 100, 2, 1.1
mul_apple, mul_tax = MulLayer(), MulLayer()

apple_price = mul_apple.forward(apple, apple_num)
price = mul_tax.forward(apple_price, tax)
print(f"price {price:.0f}")

# Backward in the opposite order. A multiplication swaps its inputs: the derivative by one of them
# is the other.
dapple_price, dtax = mul_tax.backward(1)
dapple, dapple_num = mul_apple.backward(dapple_price)
print(f"dApple {dapple:.1f}, dApple_num {dapple_num:.0f}, dTax {dtax:.0f}")
# One apple dearer by 1 costs 2.2 more; one more apple costs 110.
