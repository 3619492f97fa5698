"""Published incidences of resorption under conservative treatment, each with its source.

"Resorbed" means what each paper took it for. Meta-analyses pool papers that defined it differently,
so their figures stand beside a definition of ours only where they name one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mri_resorb.cohort.incidence import Definition, wilson_percent
from mri_resorb.model import Estimate, HerniationType


@dataclass(frozen=True)
class Source:
    """A paper.

    Attributes:
        reference: short, for people.
        found_at: DOI, PubMed or PMC number.
        what: was pooled or followed up.
    """

    reference: str
    found_at: str
    what: str


@dataclass(frozen=True)
class PublishedIncidence:
    """A share of herniations (of people, in some papers) that were resorbed.

    Attributes:
        definition: ours that it fits; "as-defined-by-each-paper" where none does.
        group: of what: a type of herniation, a country, or "all".
        percent: as printed; from the printed counts, where there are.
        interval: 95 %, percent: as printed, or Wilson's from the printed counts; None where the
            source as far as read gives neither.
        counts: (resorbed, cases) as printed.
    """

    source: Source
    definition: Definition | Literal["as-defined-by-each-paper"]
    group: HerniationType | str
    percent: float
    interval: tuple[float, float] | None = None
    counts: tuple[int, int] | None = None


ZOU = Source(
    "Zou 2024, meta-analysis", "doi 10.1097/BSD.0000000000001490", "31 studies, 2233 patients"
)
CHIU = Source("Chiu 2015, systematic review", "PMID 25009200", "9 of 31 studies pooled by type")
WANG = Source(
    "Wang 2020, meta-analysis", "doi 10.1186/s12891-020-03548-z", "38 studies, 2219 patients"
)
SEO = Source("Seo 2016, volumes", "doi 10.1007/s00586-014-3587-1", "56 levels of 43 patients, 3-D")
LEE = Source("Lee 2017, volumes", "doi 10.1155/2017/2147408", "505 patients of a register, 3-D")
KJAER = Source(
    "Kjaer 2016, general population, 8 years",
    "PMC4714478",
    "140 levels of 106 people; beyond the limits of agreement of the measurement",
)
TCM = Source("ruptured herniations, 2 years", "PMC6583552", "83 patients not operated on, volumes")

_EACH: Literal["as-defined-by-each-paper"] = "as-defined-by-each-paper"


def _counted(
    source: Source, definition: Definition, *, resorbed: int, cases: int
) -> PublishedIncidence:
    share = wilson_percent(resorbed, cases)
    assert share is not None
    return PublishedIncidence(
        source, definition, "all", share.value, (share.low, share.high), (resorbed, cases)
    )


PUBLISHED: tuple[PublishedIncidence, ...] = (
    PublishedIncidence(ZOU, _EACH, "all", 70.39),
    PublishedIncidence(WANG, _EACH, "all", 63.0, (49.0, 77.0)),
    PublishedIncidence(ZOU, _EACH, "sequestration", 87.77),
    PublishedIncidence(ZOU, _EACH, "extrusion", 66.91),
    PublishedIncidence(ZOU, _EACH, "protrusion", 37.53),
    PublishedIncidence(ZOU, _EACH, "bulge", 13.33),
    PublishedIncidence(CHIU, _EACH, "sequestration", 96.0),
    PublishedIncidence(CHIU, _EACH, "extrusion", 70.0),
    PublishedIncidence(CHIU, _EACH, "protrusion", 41.0),
    PublishedIncidence(CHIU, _EACH, "bulge", 13.0),
    PublishedIncidence(ZOU, _EACH, "Turkey", 83.68),
    PublishedIncidence(ZOU, _EACH, "Korea", 83.52),
    PublishedIncidence(ZOU, _EACH, "UK", 78.30),
    PublishedIncidence(ZOU, _EACH, "Japan", 66.98),
    PublishedIncidence(ZOU, _EACH, "USA", 61.66),
    PublishedIncidence(ZOU, _EACH, "China", 60.68),
    PublishedIncidence(ZOU, _EACH, "Italy", 56.70),
    _counted(SEO, "any-decrease", resorbed=35, cases=56),
    _counted(LEE, "any-decrease", resorbed=486, cases=505),
    PublishedIncidence(KJAER, "beyond-error", "all", 17.5),
    PublishedIncidence(ZOU, "over-50", "all", 43.62),
    _counted(LEE, "over-50", resorbed=220, cases=505),
    _counted(TCM, "over-50", resorbed=20, cases=83),
    PublishedIncidence(ZOU, "complete", "all", 36.89),
    PublishedIncidence(CHIU, "complete", "sequestration", 43.0),
    PublishedIncidence(CHIU, "complete", "extrusion", 15.0),
)


def published(
    *, definition: Definition | Literal["as-defined-by-each-paper"], group: str = "all"
) -> tuple[PublishedIncidence, ...]:
    """Those of one definition and group, in the order of the list."""
    return tuple(
        entry for entry in PUBLISHED if entry.definition == definition and entry.group == group
    )


def share(entry: PublishedIncidence) -> Estimate | None:
    """The share with its interval, percent; None where the source gives no interval."""
    return None if entry.interval is None else Estimate(entry.percent, *entry.interval)
