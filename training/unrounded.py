"""Turn 8-bit weights back into a checkpoint that training can go on from.

    python -m training.unrounded --close-up --weights mri_resorb/segment/weights/close_up.onnx \
        --data SPIDER_FOLDER --implants FOLDER --checkpoint close_up.pt

The file holds convolutions with their batch normalisation folded in. What the normalisation is
given is looked up on some batches of the training, and undone in its own weights: the network says
what the file says, but for roundings, and learns as one that has never been folded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.network import AnatomyNetwork, CloseUpNetwork
from training.train import averaging, optimiser_of, pool_without_fold, save, slices_drawn

_BATCHES_WATCHED = 20


def network_of(file: Path, *, close_up: bool) -> AnatomyNetwork:
    """The network of an 8-bit file (`training.integer_graph`), its normalisation doing nothing."""
    graph = onnx.load(file).graph
    constants = {c.name: numpy_helper.to_array(c) for c in graph.initializer}
    channels = tuple(len(constants[f"weight{k}"]) for k in (1, 3, 5, 7, 9))
    network = CloseUpNetwork(channels) if close_up else AnatomyNetwork(channels=channels)
    # SpaceToDepth puts the pixels of a block before the planes, PixelUnshuffle after them.
    inputs = constants["weight0"].shape[1]
    order = np.arange(inputs).reshape(4, inputs // 4).T.ravel()
    with torch.no_grad():
        if isinstance(network, CloseUpNetwork):
            network.place.copy_(_tensor(constants["place"][:, order]))
        for k, (convolution, normalisation) in enumerate(_layers(network)):
            weight, bias = constants[f"weight{k}"], constants[f"bias{k}"]
            if k:
                scale = constants[f"weight_step{k}"]
                before = constants[_step_before(graph, k)].item()
                weight, bias = weight * scale[:, None, None, None], bias * (before * scale)
            else:
                weight = weight[:, order]
            convolution.weight.copy_(_tensor(weight))
            normalisation.running_mean.zero_()
            normalisation.running_var.fill_(1 - normalisation.eps)
            normalisation.weight.fill_(1)
            normalisation.bias.copy_(_tensor(bias))
        network.head.weight.copy_(_tensor(constants["head"]))
        network.head.bias.copy_(_tensor(constants["head_bias"]))
    return network.eval()


def normalise_again(network: AnatomyNetwork, batches: list[Tensor]) -> None:
    """Give the normalisations the statistics of what they see; what comes out stays the same."""
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def watch(layer: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        seen.setdefault(layer, []).append(
            (given[0].mean((0, 2, 3)), given[0].square().mean((0, 2, 3)))
        )

    normalisations = [normalisation for _, normalisation in _layers(network)]
    hooks = [layer.register_forward_hook(watch) for layer in normalisations]
    with torch.no_grad():
        for batch in batches:
            network(batch)
        for hook in hooks:
            hook.remove()
        for layer in normalisations:
            mean, square = (torch.stack(part).mean(0) for part in zip(*seen[layer], strict=True))
            variance = (square - mean.square()).clamp(min=1e-6)
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)
            layer.weight.copy_((variance + layer.eps).sqrt())
            layer.bias += mean


def _layers(network: AnatomyNetwork) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    return [(part[0], part[1]) for block in [*network.down, *network.up] for part in block]


def _step_before(graph: onnx.GraphProto, k: int) -> str:
    return next(str(node.input[1]) for node in graph.node if node.name == f"convolved{k}")


def _tensor(values: npt.NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def main() -> None:
    """Read the command line and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--implants", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--leave-out-fold", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--close-up", action="store_true", help="it is of the one for single discs")
    chosen = parser.parse_args()
    torch.set_flush_denormal(True)  # numbers next to 0 slow convolutions
    cv2.setNumThreads(1)
    pool = pool_without_fold(
        chosen.leave_out_fold, data=chosen.data, implants=chosen.implants, close_up=chosen.close_up
    )
    rng = np.random.default_rng(0)
    batches = [slices_drawn(pool, rng) for _ in range(_BATCHES_WATCHED)]
    network = network_of(chosen.weights, close_up=chosen.close_up)
    with torch.no_grad():
        before = network(batches[0]).softmax(1)
        normalise_again(network, batches)
        apart = (network(batches[0]).softmax(1) - before).abs().mean()
    print(f"mean difference of an occupancy by the normalisation: {float(apart):.1e}")
    save(chosen.checkpoint, network, averaging(network), optimiser_of(network, 1e-3), step=0)


if __name__ == "__main__":
    main()
