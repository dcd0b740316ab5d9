"""CycleGAN's training in plain PyTorch, from the paper and the published order of updates."""

import torch
from torch import nn
from torch.nn import functional


class Generator(nn.Module):
    """Residual blocks between two convolutions down and two up."""

    def __init__(self, width, blocks, channels=3):
        super().__init__()
        self.blocks = range(1, blocks + 1)
        self.conv = nn.Conv2d(channels, width, 7)
        self.down1 = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, 2, 1)
        for block in self.blocks:
            for step in (1, 2):
                self.add_module(f"block{block}_conv{step}", nn.Conv2d(4 * width, 4 * width, 3))
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1)
        self.up2 = nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1)
        self.out = nn.Conv2d(width, channels, 7)

    def forward(self, x):
        x = normalised(self.conv(reflected(x, 3)))
        x = normalised(self.down2(normalised(self.down1(x))))
        for block in self.blocks:
            first, second = (self.get_submodule(f"block{block}_conv{step}") for step in (1, 2))
            inner = normalised(first(reflected(x, 1)))
            x = x + functional.instance_norm(second(reflected(inner, 1)))
        x = normalised(self.up2(normalised(self.up1(x))))
        return torch.tanh(self.out(reflected(x, 3)))


class Discriminator(nn.Module):
    """Convolutions of stride 2, one of stride 1, the logits."""

    def __init__(self, width, depth):
        super().__init__()
        self.depth, channels = depth, 3
        for step in range(1, depth + 2):
            filters = width * 2 ** (step - 1)
            conv = nn.Conv2d(channels, filters, 4, 2 if step <= depth else 1, 1)
            self.add_module(f"conv{step}", conv)
            channels = filters
        self.logits = nn.Conv2d(channels, 1, 4, 1, 1)

    def forward(self, x):
        x = functional.leaky_relu(self.conv1(x), 0.2)
        for step in range(2, self.depth + 2):
            x = functional.instance_norm(self.get_submodule(f"conv{step}")(x))
            x = functional.leaky_relu(x, 0.2)
        return self.logits(x)


def reflected(x, margin):
    return functional.pad(x, (margin,) * 4, mode="reflect")


def normalised(x):
    return functional.relu(functional.instance_norm(x))


class ImagePool:
    """The history of translations, with the draws given from outside."""

    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, image, draws):
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if draws[0] <= 0.5:
            return image
        place = min(int(draws[1] * self.size), self.size - 1)
        old, self.images[place] = self.images[place], image
        return old


class Training:
    """Both generators in one optimizer and both discriminators in another, which moves after it."""

    def __init__(self, width, dtype, optimizer, cycle=(10.0, 10.0), identity=0.5, pool=2, blocks=1, depth=2):
        self.networks = {
            "AtoB": Generator(width, blocks),
            "BtoA": Generator(width, blocks),
            "A": Discriminator(width, depth),
            "B": Discriminator(width, depth),
        }
        for network in self.networks.values():
            network.to(dtype)
        self.dtype, self.cycle, self.identity = dtype, cycle, identity
        self.pools = {"A": ImagePool(pool), "B": ImagePool(pool)}
        self.optimizers = [
            optimizer([p for name in pair for p in self.networks[name].parameters()])
            for pair in (("AtoB", "BtoA"), ("A", "B"))
        ]

    def step(self, real_a, real_b, draws):
        """Train on images (1, 3, H, W) and return the gradients by network and parameter."""
        real_a, real_b = real_a.to(self.dtype), real_b.to(self.dtype)
        generators, discriminators = self.optimizers
        ab, ba, discriminator_a, discriminator_b = (
            self.networks[name] for name in ("AtoB", "BtoA", "A", "B")
        )
        fake_b, fake_a = ab(real_a), ba(real_b)
        weight_a, weight_b = self.cycle
        loss = square(discriminator_b(fake_b), 1) + square(discriminator_a(fake_a), 1)
        loss = loss + weight_a * absolute(ba(fake_b), real_a) + weight_b * absolute(ab(fake_a), real_b)
        loss = loss + self.identity * weight_a * absolute(ba(real_a), real_a)
        loss = loss + self.identity * weight_b * absolute(ab(real_b), real_b)
        generators.zero_grad()
        loss.backward()
        gradients = self.gradients("AtoB", "BtoA")
        generators.step()
        discriminators.zero_grad()
        for index, (domain, discriminator, real, fake) in enumerate(
            (("A", discriminator_a, real_a, fake_a), ("B", discriminator_b, real_b, fake_b))
        ):
            shown = self.pools[domain].query(fake.detach(), draws[index])
            ((square(discriminator(real), 1) + square(discriminator(shown), 0)) / 2).backward()
        gradients |= self.gradients("A", "B")
        discriminators.step()
        return gradients

    def weights(self):
        return {
            f"{name}_{path}": parameter.detach()
            for name, network in self.networks.items()
            for path, parameter in network.named_parameters()
        }

    def gradients(self, *names):
        return {
            f"{name}_{path}": parameter.grad.clone()
            for name in names
            for path, parameter in self.networks[name].named_parameters()
        }


class Adam:
    """Adam as Kingma and Ba state it at the end of section 2, where epsilon is not corrected for bias."""

    def __init__(self, parameters, rate=2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-3):
        self.parameters, self.settings, self.count = list(parameters), (rate, beta_1, beta_2, epsilon), 0
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters]

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        rate, beta_1, beta_2, epsilon = self.settings
        self.count += 1
        rate *= (1 - beta_2**self.count) ** 0.5 / (1 - beta_1**self.count)
        for parameter, (first, second) in zip(self.parameters, self.moments, strict=True):
            first.mul_(beta_1).add_(parameter.grad, alpha=1 - beta_1)
            second.mul_(beta_2).add_(parameter.grad**2, alpha=1 - beta_2)
            parameter -= rate * first / (second.sqrt() + epsilon)


def square(logits, truth):
    return ((logits - truth) ** 2).mean()


def absolute(made, real):
    return (made - real).abs().mean()
