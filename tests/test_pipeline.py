"""Pipelines: those shipped are whole, and a wrong word is met with the nearest right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mri_resorb.errors import PipelineError
from mri_resorb.model import Level
from mri_resorb.pipeline import Remote, read_pipeline, shipped_pipelines


def test_every_shipped_pipeline_reads_and_says_what_it_is_for() -> None:
    assert {"clinic", "research"} <= set(shipped_pipelines())
    for name in shipped_pipelines():
        assert read_pipeline(name).description.endswith(".")


def test_a_copy_of_the_users_own_overrules(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('description = "Mine."\noutputs = []\n')
    assert read_pipeline(str(own)).outputs == frozenset()
    assert read_pipeline(str(own)).layout == "plain"
    assert "picture" in read_pipeline("clinic").outputs
    assert read_pipeline("research").layout == "bids"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('description = "x"\noutputs = []\noutput = []', "at 'output'.*did you mean 'outputs'"),
        ('description = "x"\noutputs = []\ncolour = 1', "keys are description, outputs, layout"),
        ('description = "x"\noutputs = ["pictur"]', "no 'pictur'; did you mean 'picture'"),
        ('description = "x"\noutputs = ["x-ray"]', "no 'x-ray'; it takes.*picture"),
        ('description = "x"\noutputs = []\nlayout = "bid"', "did you mean 'bids'"),
        ('description = "x"\noutputs = []\nlanguage = "kz"', "did you mean 'kk'"),
        ('description = "x"\noutputs = "picture"', "at 'outputs'"),
        ('description = "x"\n', "at 'outputs'"),
        ("outputs = = []", "TOML"),
        ('description = "x"\noutputs = []\n[remote]\nlevel = []', "'level'.*did you mean 'levels'"),
        ('description = "x"\noutputs = []\n[remote]\nlevels = ["L4-S1"]', "at 'levels'.*'L4-S1'"),
        ('description = "x"\noutputs = []\n[remote]\nquiet_seconds = 0', "at 'quiet_seconds'"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(tmp_path: Path, content: str, word: str) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(content)
    with pytest.raises(PipelineError, match=word) as caught:
        read_pipeline(str(own))
    assert "\n" not in str(caught.value)


def test_levels_of_the_service_are_read_by_their_names() -> None:
    assert read_pipeline("remote").remote.levels == (Level.L4_L5, Level.L5_S1)
    assert read_pipeline("clinic").remote == Remote()


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(PipelineError, match="did you mean 'clinic'"):
        read_pipeline("clinc")
