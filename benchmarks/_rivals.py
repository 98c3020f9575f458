"""What `unet_speed.py` compares with: hand-written loops, stock layers, PyTorch."""

import importlib.util
import itertools
import os

import keras
import numpy as np
import tensorflow as tf

from instantdl.networks import build_loss, count_noise, dropout_noise

MAX_FILTERS = 512
LEARNING_RATE = 1e-3
DROPOUT = 0.2


class KerasLoop:
    """A `train_step` as one writes it by hand, over batches that are ready."""

    def __init__(self, network, images, masks):
        self.network = network
        self.n_noise = count_noise(network)
        self.optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self.optimizer.build(network.trainable_variables)
        self.loss = build_loss("dice_crossentropy")
        self.batches = [
            (tf.constant(x), tf.constant(y)) for x, y in zip(images, masks, strict=True)
        ]
        self.train_step = tf.function(self._train_step)
        self.predict_step = tf.function(self._predict_step)

    def _train_step(self, x, y):
        noise = tf.random.uniform((x.shape[0], self.n_noise)) if self.n_noise else None
        ones = tf.ones(2), tf.ones(x.shape[0])
        with tf.GradientTape() as tape, dropout_noise(noise):
            loss = self.loss(y, self.network(x, training=True), *ones)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _predict_step(self, x):
        return tf.sigmoid(self.network(x, training=False))

    def train(self, steps):
        for x, y in itertools.islice(itertools.cycle(self.batches), steps):
            float(self.train_step(x, y))

    def predict(self, steps):
        for x, _ in itertools.islice(itertools.cycle(self.batches), steps):
            self.predict_step(x).numpy()


def level_widths(filters, levels):
    """Return the filters of each level, as `build_unet` chooses them."""
    return [min(filters * 2**level, MAX_FILTERS) for level in range(levels + 1)]


def build_stock_unet(channels, *, filters, levels, dtype):
    """Build the U-Net from Keras' own layers, as most code on the web has it."""
    layers = keras.layers

    def convolve(x, width):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False, dtype=dtype)(x)
        x = layers.BatchNormalization(momentum=0.9, dtype=dtype)(x)
        return layers.ReLU(dtype=dtype)(x)

    widths = level_widths(filters, levels)
    inputs = keras.Input((None, None, channels))
    x, skips = inputs, []
    for level, width in enumerate(widths):
        x = convolve(convolve(x, width), width)
        if level >= min(2, levels):
            x = layers.SpatialDropout2D(DROPOUT, dtype=dtype)(x)
        if level < levels:
            skips.append(x)
            x = layers.MaxPooling2D(dtype=dtype)(x)
    for level in reversed(range(levels)):
        width = widths[level]
        x = layers.Conv2DTranspose(width, 2, strides=2, dtype=dtype)(x)
        x = layers.Concatenate(dtype=dtype)([x, skips[level]])
        x = convolve(convolve(x, width), width)
    return keras.Model(inputs, layers.Conv2D(1, 1, dtype="float32")(x))


def has_torch():
    """Tell whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


class TorchLoop:
    """The network of instantdl in PyTorch: channels last, bfloat16 where it pays."""

    def __init__(self, images, masks, *, filters, levels, bfloat16):
        import torch

        self.torch = torch
        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(os.cpu_count())
        torch.manual_seed(0)
        self.bfloat16 = bfloat16
        network = build_torch_unet(images[0].shape[-1], filters=filters, levels=levels)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(
            network.parameters(), lr=LEARNING_RATE, fused=True
        )
        self.batches = [
            (
                torch.from_numpy(np.ascontiguousarray(x))
                .permute(0, 3, 1, 2)
                .contiguous(memory_format=torch.channels_last),
                torch.from_numpy(np.asarray(y, np.float32)),
            )
            for x, y in zip(images, masks, strict=True)
        ]

    def autocast(self):
        torch = self.torch
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16)

    def loss(self, logits, y):
        """Return Dice + cross-entropy over two classes, as instantdl has it."""
        both_sides = self.torch.nn.functional.binary_cross_entropy_with_logits
        p, loss = logits.sigmoid(), both_sides(logits, y)
        for truth, found in ((y, p), (1 - y, 1 - p)):
            overlap = 2 * (truth * found).sum() + 1
            loss = loss + (1 - overlap / (truth.sum() + found.sum() + 1)) / 2
        return loss

    def train(self, steps):
        self.network.train()
        for x, y in itertools.islice(itertools.cycle(self.batches), steps):
            self.optimizer.zero_grad(set_to_none=True)
            with self.autocast():
                logits = self.network(x)
            loss = self.loss(logits.float()[:, 0], y)
            loss.backward()
            self.optimizer.step()
            loss.item()

    def predict(self, steps):
        self.network.eval()
        with self.torch.inference_mode():
            for x, _ in itertools.islice(itertools.cycle(self.batches), steps):
                with self.autocast():
                    logits = self.network(x)
                logits.float().sigmoid().numpy()


def build_torch_unet(channels, *, filters, levels):
    """Build the network of `instantdl.networks.build_unet` in PyTorch."""
    import torch
    from torch import nn

    def convolve(before, width):
        return nn.Sequential(
            nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width, eps=1e-3, momentum=0.1),
            nn.ReLU(inplace=True),
        )

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = level_widths(filters, levels)
            self.down, self.up = nn.ModuleList(), nn.ModuleList()
            self.raised = nn.ModuleList()
            before = channels
            for level, width in enumerate(widths):
                block = [convolve(before, width), convolve(width, width)]
                if level >= min(2, levels):
                    block.append(nn.Dropout2d(DROPOUT))
                self.down.append(nn.Sequential(*block))
                before = width
            for width in reversed(widths[:-1]):
                self.raised.append(
                    nn.Sequential(
                        nn.Conv2d(before, width, 1, bias=False),
                        nn.Upsample(scale_factor=2, mode="nearest"),
                    )
                )
                self.up.append(
                    nn.Sequential(convolve(2 * width, width), convolve(width, width))
                )
                before = width
            self.pool = nn.MaxPool2d(2)
            self.head = nn.Conv2d(before, 1, 1)

        def forward(self, x):
            skips = []
            for block in self.down[:-1]:
                skips.append(block(x))
                x = self.pool(skips[-1])
            x = self.down[-1](x)
            for raised, block in zip(self.raised, self.up, strict=True):
                x = block(torch.cat([raised(x), skips.pop()], dim=1))
            return self.head(x)

    return UNet()
