"""The sizes of U-Net without padding: what goes in, what is lost at the borders.

With s = 2^(depth - 1), a side of s * b + 4 (2 s - 1) pixels reaches the deepest level at b + 4
pixels and leaves the network with s * b - 4 (s - 1): 572 -> 388 at depth 5 and b = 28.
"""


def valid_margin(depth: int) -> int:
    """Return the pixels by which the output is smaller than the input on each side: 92 at depth 5."""
    return 2 * (3 * 2 ** (depth - 1) - 2)


def valid_size(size: int, depth: int) -> int:
    """Return the least input side >= `size` whose maps are even wherever they are pooled."""
    step = 2 ** (depth - 1)
    lost, smallest = 4 * (2 * step - 1), 4 * (step - 1) // step + 1
    return step * max(-((lost - size) // step), smallest) + lost
