"""UNet++ and CenterNet in plain PyTorch, the references of the speed ratios; written from the papers."""

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


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut, as in ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


class CenterNet(nn.Module):
    """ResNet-18, three transposed convolutions, and heads of heat maps, sizes and offsets."""

    def __init__(self, classes: int, width: int = 64):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        inputs = width
        for stage in range(4):
            outputs = width * 2**stage
            layers += [Residual(inputs, outputs, 1 + (stage > 0)), Residual(outputs, outputs, 1)]
            inputs = outputs
        for _ in range(3):
            layers += [
                nn.ConvTranspose2d(inputs, 4 * width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(4 * width),
                nn.ReLU(),
            ]
            inputs = 4 * width
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, width, 3, 1, 1), nn.ReLU(), nn.Conv2d(width, channels, 1))
            for channels in (classes, 2, 2)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.body(x)
        return [head(x) for head in self.heads]
