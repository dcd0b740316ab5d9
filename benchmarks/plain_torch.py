"""UNet++ in plain PyTorch, the reference of the speed ratios; written from the paper."""

import torch
from torch import nn


class Pair(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        parts = []
        for channels in (inputs, outputs):
            parts += [
                nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        super().__init__(*parts)


class UNetPlusPlus(nn.Module):
    """Nested dense skips, transposed convolutions up, a 1x1 head per column."""

    def __init__(self, filters: tuple[int, ...], channels: int, classes: int):
        super().__init__()
        self.depth = len(filters)
        self.nodes, self.ups = nn.ModuleDict(), nn.ModuleDict()
        for i, width in enumerate(filters):
            self.nodes[f"{i}_0"] = Pair(filters[i - 1] if i else channels, width)
            for j in range(1, self.depth - i):
                self.ups[f"{i}_{j}"] = nn.ConvTranspose2d(filters[i + 1], width, 2, stride=2)
                self.nodes[f"{i}_{j}"] = Pair((j + 1) * width, width)
        self.heads = nn.ModuleList(nn.Conv2d(filters[0], classes, 1) for _ in filters[1:])
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        rows: list[list[torch.Tensor]] = []
        for i in range(self.depth):
            rows.append([self.nodes[f"{i}_0"](self.pool(rows[-1][0]) if i else x)])
        for j in range(1, self.depth):
            for i in range(self.depth - j):
                up = self.ups[f"{i}_{j}"](rows[i + 1][j - 1])
                rows[i].append(self.nodes[f"{i}_{j}"](torch.cat([up, *rows[i]], 1)))
        return [head(node) for head, node in zip(self.heads, rows[0][1:], strict=True)]
