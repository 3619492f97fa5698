"""Networks of training taken through their forms: 8 bits and back, and made wider."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training's packages are not installed")

from training.integer_graph import as_onnx  # noqa: E402
from training.network import CloseUpNetwork  # noqa: E402
from training.rounding import EightBit  # noqa: E402
from training.unrounded import network_of, normalise_again  # noqa: E402
from training.widen import widened  # noqa: E402

NARROW = (8, 8, 12, 12, 16)


@pytest.fixture
def network() -> CloseUpNetwork:
    """Small, and with statistics that batch normalisation has to undo."""
    torch.manual_seed(1)
    made = CloseUpNetwork(NARROW)
    with torch.no_grad():
        made.place.normal_(0, 0.1)
        for _ in range(20):
            made(_planes())
    return made.eval()


def _planes() -> torch.Tensor:
    return torch.rand(2, 6, 128, 96)


@torch.no_grad()
def test_eight_bit_file_read_back_says_what_it_says(
    network: CloseUpNetwork, tmp_path: Path
) -> None:
    rounded = EightBit(network)
    for _ in range(5):
        rounded(_planes())
    rounded.watch(False)
    file = tmp_path / "close_up.onnx"
    file.write_bytes(as_onnx(rounded).SerializeToString())
    back = network_of(file, close_up=True)
    planes = _planes()
    assert (back(planes) - rounded(planes)).abs().mean() < 0.05 * rounded(planes).std()


@torch.no_grad()
def test_normalising_again_changes_nothing_but_what_training_sees(
    network: CloseUpNetwork, tmp_path: Path
) -> None:
    rounded = EightBit(network)
    rounded(_planes())
    rounded.watch(False)
    file = tmp_path / "close_up.onnx"
    file.write_bytes(as_onnx(rounded).SerializeToString())
    back = network_of(file, close_up=True)
    batches = [_planes() for _ in range(4)]
    before = back(batches[0])
    normalise_again(back, batches)
    assert torch.allclose(back(batches[0]), before, atol=1e-3)
    # Training normalises by the batch: now that is close to what the weights were made for.
    assert (back.train()(batches[0]) - before).abs().mean() < 0.1 * before.std()


@torch.no_grad()
def test_wider_network_says_the_same(network: CloseUpNetwork) -> None:
    wide = widened(network, channels=tuple(3 * n // 2 for n in NARROW)).eval()
    planes = _planes()
    assert len(wide.down[0][0][0].weight) == 12
    assert (wide(planes) - network(planes)).abs().mean() < 0.1 * network(planes).std()
