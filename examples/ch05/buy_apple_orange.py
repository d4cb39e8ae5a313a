"""Apples and oranges: an addition joins two branches and hands the gradient to both unchanged.

expects: price 715
expects: dApple 2.2, dApple_num 110, dOrange 3.3, dOrange_num 165, dTax 650
"""

from pynet.layers import AddLayer, MulLayer

apple, apple_num, orange, orange_num, tax = 100, 2, 150, 3, 1.1
mul_apple, mul_orange, add, mul_tax = MulLayer(), MulLayer(), AddLayer(), MulLayer()

apple_price = mul_apple.forward(apple, apple_num)
orange_price = mul_orange.forward(orange, orange_num)
all_price = add.forward(apple_price, orange_price)
price = mul_tax.forward(all_price, tax)
print(f"price {price:.0f}")

dall_price, dtax = mul_tax.backward(1)
dapple_price, dorange_price = add.backward(dall_price)
dapple, dapple_num = mul_apple.backward(dapple_price)
dorange, dorange_num = mul_orange.backward(dorange_price)
print(
    f"dApple {dapple:.1f}, dApple_num {dapple_num:.0f}, "
    f"dOrange {dorange:.1f}, dOrange_num {dorange_num:.0f}, dTax {dtax:.0f}"
)
