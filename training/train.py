"""Train the anatomy network, or the one that looks closely at single discs.

    python -m training.train --data SPIDER_FOLDER --implants FOLDER --checkpoint FILE --minutes 60
    python -m training.train --close-up --begin-with FILE ...

Implanted volumes are looked for anew as training goes on, so they may still be in the making.
Stopped and started again, it goes on from the checkpoint.
"""

from __future__ import annotations

import argparse
import math
import queue
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.close_ups import CloseUpVolume, Frames, draw_close_up, frames_of, phantom_frames
from training.network import AnatomyNetwork, CloseUpNetwork, averaged_network, channels_of
from training.patients import all_patients, fold, number_of, read_patient
from training.samples import Volume, draw_crop, focus_points

BATCH = 12


class Pool:
    """The volumes to draw from: every training patient, and what implants there are by now."""

    def __init__(
        self,
        *,
        data: Path,
        implants: Path | None,
        patients: list[str],
        fragment_weight: float,
        close_up: bool,
    ) -> None:
        self.implants = implants
        self.fragment_weight = fragment_weight
        self.close_up = close_up
        self.frames: dict[str, Frames] = {}
        self.real: list[Volume | CloseUpVolume] = []
        for patient in patients:
            read = read_patient(data, patient)
            self.frames[number_of(patient)] = frames_of(read) if close_up else ()
            self.real.append(
                self._volume(read.image, read.labels, read.spacing_mm, number_of(patient))
            )
        self.made: dict[Path, Volume | CloseUpVolume] = {}
        self.look()

    def look(self) -> None:
        """Take in implanted volumes that have been finished since the last look."""
        if self.implants is None:
            return
        for file in sorted(self.implants.glob("*.npz")):
            whose = file.name.split("_")[0]
            if file in self.made or whose not in {*self.frames, "phantom"}:
                continue
            small = np.load(file)
            image, labels = np.load(file.with_suffix(".npy"), mmap_mode="r")
            made = self._volume(image, labels, tuple(small["spacing_mm"]), whose, small["focus"])
            self.made[file] = made

    def _volume(
        self,
        image: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        spacing_mm: tuple[float, float, float],
        whose: str,
        focus: npt.NDArray[np.intp] | None = None,
    ) -> Volume | CloseUpVolume:
        # A phantom's fragments stand out more than real tissue lets them: no weight for them.
        weight = 1.0 if whose == "phantom" else self.fragment_weight
        if not self.close_up:
            focus = focus_points(labels) if focus is None else focus
            return Volume(image, labels, spacing_mm, focus, weight)
        frames = self.frames.get(whose) or phantom_frames(labels, spacing_mm)
        return CloseUpVolume(image, labels, spacing_mm, frames, weight)

    def draw(self, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], ...]:
        """A crop of a random volume: a phantom, an implanted one, or a patient as is."""
        volume = self._drawn(rng)
        if isinstance(volume, CloseUpVolume):
            return draw_close_up(volume, rng=rng)
        return draw_crop(volume, rng=rng)

    def _drawn(self, rng: np.random.Generator) -> Volume | CloseUpVolume:
        phantoms = [v for file, v in self.made.items() if file.name.startswith("phantom")]
        implanted = [v for file, v in self.made.items() if not file.name.startswith("phantom")]
        for volumes, share in ((phantoms, 0.3), (implanted, 0.8)):
            if volumes and rng.random() < share:
                return volumes[rng.integers(len(volumes))]
        return self.real[rng.integers(len(self.real))]


def pool_without_fold(left_out: int, *, data: Path, implants: Path | None, close_up: bool) -> Pool:
    """What a network is trained on that leaves a fold out, fragments weighing as the rest."""
    kept_out = fold(left_out)
    return Pool(
        data=data,
        implants=implants,
        patients=[p for p in all_patients(data) if number_of(p) not in kept_out],
        fragment_weight=1.0,
        close_up=close_up,
    )


def slices_drawn(pool: Pool, rng: np.random.Generator) -> Tensor:
    """A batch of what a network is shown, (BATCH, planes, rows, columns)."""
    return torch.from_numpy(np.stack([pool.draw(rng)[0] for _ in range(BATCH)]))


def batches(pool: Pool, *, seed: int, workers: int) -> queue.Queue[tuple[Tensor, ...]]:
    """A queue of ready batches, filled by threads (the array work lets go of the lock)."""
    ready: queue.Queue[tuple[Tensor, ...]] = queue.Queue(maxsize=6)

    def fill(worker: int) -> None:
        rng = np.random.default_rng([seed, worker])
        while True:
            crops = [pool.draw(rng) for _ in range(BATCH)]
            ready.put(tuple(torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True)))

    for worker in range(workers):
        threading.Thread(target=fill, args=(worker,), daemon=True).start()
    return ready


def loss_of(logits: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """Soft cross-entropy plus soft Dice over the foreground classes, unlabelled pixels left out."""
    log_probability = logits.float().log_softmax(1)
    entropy = -(classes * log_probability).sum(1)
    entropy = (entropy * weight).sum() / weight.sum()
    seen = (weight > 0).float()[:, None]
    probability = log_probability.exp() * seen
    truth = classes * seen
    overlap = (probability * truth).sum((0, 2, 3))[1:]
    total = (probability.square() + truth.square()).sum((0, 2, 3))[1:]
    return entropy + 0.5 * (1 - (2 * overlap + 1) / (total + 1)).mean()


def averaging(network: AnatomyNetwork) -> torch.optim.swa_utils.AveragedModel:
    """The moving average of its weights."""
    return torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )


def optimiser_of(network: AnatomyNetwork, learning_rate: float) -> torch.optim.Optimizer:
    """What moves its weights."""
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-3)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--implants", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--fragment-weight",
        type=float,
        default=1.0,
        help="of those implanted in patients; 1 draws them too small, 4 too large",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leave-out-fold", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument(
        "--close-up", action="store_true", help="train the network for single discs"
    )
    parser.add_argument("--begin-with", type=Path, help="checkpoint of an anatomy network")
    parser.add_argument("--all-patients", action="store_true", help="train on every patient")
    chosen = parser.parse_args()
    if chosen.close_up and not chosen.begin_with and not chosen.checkpoint.exists():
        parser.error("--close-up starts from an anatomy network: give --begin-with its checkpoint")
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(chosen.seed)
    torch.set_flush_denormal(True)  # numbers next to 0 slow convolutions
    cv2.setNumThreads(1)

    kept_out = frozenset() if chosen.all_patients else fold(chosen.leave_out_fold)
    patients = [p for p in all_patients(chosen.data) if number_of(p) not in kept_out]
    pool = Pool(
        data=chosen.data,
        implants=chosen.implants,
        patients=patients,
        fragment_weight=chosen.fragment_weight,
        close_up=chosen.close_up,
    )
    state = torch.load(chosen.checkpoint) if chosen.checkpoint.exists() else None
    network: AnatomyNetwork = AnatomyNetwork()
    if state and chosen.close_up:
        network = CloseUpNetwork(channels_of(state["network"]))
    elif chosen.close_up:
        anatomy = averaged_network(chosen.begin_with, close_up=False)
        network = CloseUpNetwork.beginning_as(anatomy)
    network = network.to(memory_format=torch.channels_last)
    averaged = averaging(network)
    optimiser = optimiser_of(network, chosen.learning_rate)
    step = 0
    if state:
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]

    ready = batches(pool, seed=chosen.seed + step, workers=chosen.workers)
    began, losses, first_step = time.monotonic(), [], step
    last_save = began
    while (done := (time.monotonic() - began) / (60 * chosen.minutes)) < 1:
        warm = min(1.0, (step - first_step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = (
                chosen.learning_rate * warm * max(0.01, 0.5 * (1 + math.cos(math.pi * done)))
            )
        image, classes, weight = ready.get()
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(image.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, classes, weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        averaged.update_parameters(network)
        losses.append(loss.item())
        step += 1
        if step % 100 == 0:
            pool.look()
            minutes = (time.monotonic() - began) / 60
            print(
                f"{minutes:6.1f} min  step {step}  loss {np.mean(losses[-100:]):.4f}"
                f"  implanted volumes {len(pool.made)}  queue {ready.qsize()}",
                flush=True,
            )
        if time.monotonic() - last_save > 120 or done >= 1:
            save(chosen.checkpoint, network, averaged, optimiser, step)
            last_save = time.monotonic()
    save(chosen.checkpoint, network, averaged, optimiser, step)


def save(
    file: Path,
    network: torch.nn.Module,
    averaged: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
) -> None:
    """Write the checkpoint beside its place, then rename it there."""
    beside = file.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "step": step,
        },
        beside,
    )
    beside.rename(file)


if __name__ == "__main__":
    main()
