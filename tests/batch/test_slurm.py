"""A batch whose workers are SLURM's jobs, on a cluster of one node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from batch_cases import make_cases, run_stand_ins
from slurm import one_node, why_not

from mri_resorb.batch.cluster import SlurmJobs
from mri_resorb.batch.run import Counted
from mri_resorb.pipeline import Slurm


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_jobs_of_slurm_do_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studies = make_cases(
        tmp_path / "studies", dict.fromkeys("abcd", "fine") | {"e": "corrupt", "f": "killed"}
    )
    tests = Path(__file__).parents[1]
    (tmp_path / "slurm").mkdir()
    with one_node(tmp_path / "slurm") as environment:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, environment[name])
        monkeypatch.setenv("PYTHONPATH", f"{tests}:{tests.parent}")
        options = Slurm(memory="500MB", walltime="00:10:00")
        counted = run_stand_ins(studies, tmp_path / "out", workers=SlurmJobs(2, options))
        jobs = subprocess.run(
            ["scontrol", "show", "jobs", "--oneliner"], capture_output=True, text=True, check=True
        ).stdout
    assert counted == Counted(done=4, failed=2)
    assert len([line for line in jobs.splitlines() if "mri-resorb" in line]) >= 2
    failed = (tmp_path / "out" / "failed.csv").read_text()
    assert "f,comparing,The worker process was ended from outside" in failed
