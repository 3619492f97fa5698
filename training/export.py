"""Turn a checkpoint into the ONNX file that the package ships.

python -m training.export --checkpoint FILE --output mri_resorb/segment/weights/anatomy.onnx
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch

from training.network import SLICES, AnatomyNetwork


def averaged_network(checkpoint: Path) -> AnatomyNetwork:
    """The network with the moving average of its weights, for inference."""
    network = AnatomyNetwork()
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.load_state_dict(torch.load(checkpoint)["averaged"])
    network.load_state_dict(averaged.module.state_dict())
    return network.eval()


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        averaged_network(chosen.checkpoint),
        (torch.zeros(1, SLICES, 448, 352),),
        str(chosen.output),
        input_names=["slices"],
        output_names=["logits"],
        dynamic_axes={"slices": {2: "rows", 3: "columns"}, "logits": {2: "rows", 3: "columns"}},
        opset_version=17,
        dynamo=False,
    )
    content = chosen.output.read_bytes()
    print(f"{len(content) / 1e6:.1f} MB  SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
