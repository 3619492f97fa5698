"""Turn a checkpoint into an ONNX file that the package ships.

python -m training.export --checkpoint FILE --output mri_resorb/segment/weights/anatomy.onnx
python -m training.export --close-up --checkpoint FILE --output .../close_up.onnx
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch

from mri_resorb.segment.close_up import SHAPE
from training.network import SLICES, AnatomyNetwork, CloseUpNetwork


def averaged_network(checkpoint: Path, *, close_up: bool) -> AnatomyNetwork:
    """The network with the moving average of its weights, for inference."""
    network = CloseUpNetwork() if close_up else AnatomyNetwork()
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.load_state_dict(torch.load(checkpoint)["averaged"])
    network.load_state_dict(averaged.module.state_dict())
    return network.eval()


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--close-up", action="store_true", help="it is of the one for single discs")
    chosen = parser.parse_args()
    free = {2: "rows", 3: "columns"}
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        averaged_network(chosen.checkpoint, close_up=chosen.close_up),
        (torch.zeros(1, 6, *SHAPE) if chosen.close_up else torch.zeros(1, SLICES, 448, 352),),
        str(chosen.output),
        input_names=["slices"],
        output_names=["logits"],
        dynamic_axes=None if chosen.close_up else {"slices": free, "logits": free},
        opset_version=17,
        dynamo=False,
    )
    content = chosen.output.read_bytes()
    print(f"{len(content) / 1e6:.1f} MB  SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
