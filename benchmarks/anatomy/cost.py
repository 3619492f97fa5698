"""What the anatomy of one study costs: seconds and memory in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from mri_resorb.segment.network import WEIGHTS

_ONE_STUDY = """
import json, resource, sys, time
from pathlib import Path
import SimpleITK as sitk
from mri_resorb.segment.network import find_anatomy
from training.patients import read_patient
sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
volume = read_patient(Path(sys.argv[1]), sys.argv[2]).volume
image = sitk.Cast(volume, sitk.sitkFloat32)
seconds = []
for _ in range(3):
    wall, used = time.perf_counter(), time.process_time()
    find_anatomy(image)
    seconds.append((time.perf_counter() - wall, time.process_time() - used))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"slices": image.GetSize()[2], "size": image.GetSize()[:2], "peak_mb": peak,
                  "wall_s": [s[0] for s in seconds], "cpu_s": [s[1] for s in seconds]}))
"""
STUDY = "5"
"""Has 18 slices of 512 x 640 pixels, 240 x 300 mm."""


def measure_cost(data: Path) -> dict[str, object]:
    """Three times the anatomy of an 18-slice study; the first also loads the weights."""
    run = subprocess.run(
        [sys.executable, "-c", _ONE_STUDY, str(data), STUDY],
        check=True,
        capture_output=True,
        text=True,
    )
    return {**json.loads(run.stdout), "weights_mb": WEIGHTS.stat().st_size / 1e6}
