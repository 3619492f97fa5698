"""Turn a trained network into the 8-bit one that the package ships.

    python -m training.eight_bit --data SPIDER_FOLDER --implants FOLDER --checkpoint FILE \
        --output mri_resorb/segment/weights/anatomy.onnx --minutes 15
    python -m training.eight_bit --close-up ... --output mri_resorb/segment/weights/close_up.onnx

Rounding alone shifts outlines, so the rounded network (`training.rounding`) is trained to say what
the unrounded one says.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import nn

from training.integer_graph import as_onnx
from training.network import AnatomyNetwork, averaged_network
from training.patients import all_patients, fold, number_of
from training.rounding import EightBit
from training.train import Pool, batches

_CALIBRATION_BATCHES = 30


def distil(
    teacher: AnatomyNetwork,
    student: EightBit,
    *,
    pool: Pool,
    minutes: float,
    rate: float,
    seed: int,
) -> None:
    """Train the rounded network to say what the unrounded one says."""
    ready = batches(pool, seed=seed, workers=1)
    with torch.no_grad():
        for _ in range(_CALIBRATION_BATCHES):
            student(ready.get()[0])
    student.watch(False)
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate, weight_decay=0)
    averaged = torch.optim.swa_utils.AveragedModel(
        student, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    began, losses, step = time.monotonic(), [], 0
    while (done := (time.monotonic() - began) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * max(0.01, 1 - done)
        slices = ready.get()[0].contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                said = teacher(slices).float().softmax(1)
            logits = student(slices)
        log_said = logits.float().log_softmax(1)
        loss = nn.functional.kl_div(log_said, said, reduction="none").sum(1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        averaged.update_parameters(student)
        losses.append(loss.item())
        step += 1
        if step % 100 == 0:
            print(
                f"{done * minutes:6.1f} min  step {step}  {np.mean(losses[-100:]):.5f}", flush=True
            )
    student.load_state_dict(averaged.module.state_dict())


def check(content: bytes, network: EightBit, *, slices: torch.Tensor) -> None:
    """Hold what ONNX Runtime makes of the file against the network that was trained.

    Raises:
        ValueError: they differ by more than roundings that fall the other way.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"slices": slices[None].numpy()})
    with torch.no_grad():
        apart = torch.from_numpy(logits).softmax(1) - network(slices[None]).softmax(1)
    if float(apart.abs().mean()) > 3e-3:
        raise ValueError("The file does not say what the network was trained to say.")


def main() -> None:
    """Read the command line, train and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--implants", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leave-out-fold", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--close-up", action="store_true", help="it is of the one for single discs")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    cv2.setNumThreads(1)
    kept_out = fold(chosen.leave_out_fold)
    pool = Pool(
        data=chosen.data,
        implants=chosen.implants,
        patients=[p for p in all_patients(chosen.data) if number_of(p) not in kept_out],
        fragment_weight=1.0,
        close_up=chosen.close_up,
    )
    teacher = averaged_network(chosen.checkpoint, close_up=chosen.close_up)
    teacher = teacher.to(memory_format=torch.channels_last)
    student = EightBit(averaged_network(chosen.checkpoint, close_up=chosen.close_up))
    distil(
        teacher,
        student,
        pool=pool,
        minutes=chosen.minutes,
        rate=chosen.learning_rate,
        seed=chosen.seed,
    )
    content = as_onnx(student).SerializeToString()
    check(content, student, slices=torch.from_numpy(pool.draw(np.random.default_rng(0))[0]))
    beside = chosen.output.with_suffix(".part")
    beside.write_bytes(content)
    beside.rename(chosen.output)
    print(f"{len(content) / 1e6:.1f} MB  SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
