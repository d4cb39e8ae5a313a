"""A Python class: data and the functions that use them, in one object.

Layers, optimizers and networks are all classes of this form.

expects: Hello, Ada.
expects: Ada counts 3
"""


class Man:
    def __init__(self, name):  # runs when an object is made
        self.name = name
        self.count = 0

    def hello(self):
        print(f"Hello, {self.name}.")

    def step(self):
        self.count += 1


man = Man("Ada")
man.hello()
for _ in range(3):
    man.step()
print(man.name, "counts", man.count)
