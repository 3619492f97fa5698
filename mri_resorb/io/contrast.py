"""What a series shows: weighting, fat suppression, part of the body.

The weighting is judged from echo and repetition time, and from descriptions only where these say
nothing. Limits (ms) for spin echo at 0.2-3 T are convention, wide enough for the protocols of
lumbar spines: T2 has TE from 60 and TR from 1000 (3-D turbo spin echo repeats that fast), T1 has
TE to 40 and TR to 1100, or an inversion of 500-1200 (T1 FLAIR); an inversion of 80-300 nulls fat
(STIR) and shows fluid bright as T2 does.
"""

from __future__ import annotations

import re
from typing import Literal

from mri_resorb.io.stacks import Stack

Weighting = Literal["T2", "T1", "PD", "other", "unknown"]

_OTHER_CONTRAST = re.compile(
    r"\b(?:loc|locali[sz]er|scout|survey|3[ -]?plane|calibration|dwi|adc|diff)\b|\bmyelo"
    r"|t2 ?(?:\*|star)"
)
_FAT_SUPPRESSED = re.compile(r"stir|tirm|spair|spir\b|\bfs\b|fat[ -]?(?:sat|sup)|\bwater\b|\bw\b")
_T2 = re.compile(r"t2|stir|tirm")
_T1 = re.compile(r"t1")
_OTHER_REGION = re.compile(
    r"cerv|\bc[ -]?spine|hws|thor|\bt[ -]?spine|bws|brain|head|knee|\bhip|pelv"
)
_LUMBAR = re.compile(r"lumb|\bl[ -]?spine|lws|\blsp|l-s")


def weighting(stack: Stack) -> Weighting:
    """Weighting of a stack, from its times, else from its descriptions (see the module)."""
    header, contrast = stack.header, stack.frames[0].contrast
    if _OTHER_CONTRAST.search(header.description) or {"P", "PHASE", "ADC"} & header.image_type:
        return "other"
    if contrast.gradient_echo or contrast.b_value:
        return "other"
    echo, repetition = contrast.echo_time_ms, contrast.repetition_time_ms
    inversion = contrast.inversion_time_ms or 0.0
    if echo and repetition:
        if 80 <= inversion <= 300 and repetition >= 1500:
            return "T2"
        if echo >= 60 and repetition >= 1000:
            return "T2"
        if echo <= 40 and (repetition <= 1100 or 500 <= inversion <= 1200):
            return "T1"
        return "PD" if repetition >= 1500 else "other"
    if _T2.search(header.description):
        return "T2"
    return "T1" if _T1.search(header.description) else "unknown"


def fat_suppressed(stack: Stack) -> bool | None:
    """Whether fat is suppressed, from inversion time and options, else from descriptions."""
    header, contrast = stack.header, stack.frames[0].contrast
    if 80 <= (contrast.inversion_time_ms or 0) <= 300 or contrast.fat_suppressed:
        return True
    if _FAT_SUPPRESSED.search(header.description):
        return True
    return False if header.description.strip() else contrast.fat_suppressed


def is_other_region(stack: Stack) -> bool:
    """Whether a series is named after a part of the body that is not the lumbar spine."""
    return names_other_region(f"{stack.header.body_part} {stack.header.description}")


def names_other_region(description: str) -> bool:
    """Whether words name a part of the body that is not the lumbar spine, and not that one too."""
    words = description.lower().replace("_", " ")
    return bool(_OTHER_REGION.search(words)) and not _LUMBAR.search(words)


def telling_words(description: str) -> list[str]:
    """The words that these rules look for, in the order in which a description has them.

    They are of a fixed set, none of which can name a person; the rules say of them what they say of
    the whole description.
    """
    text = description.lower().replace("_", " ")
    rules = (_OTHER_CONTRAST, _FAT_SUPPRESSED, _T2, _T1, _OTHER_REGION, _LUMBAR)
    found = sorted((match.start(), match[0]) for rule in rules for match in rule.finditer(text))
    return list(dict.fromkeys(word for _, word in found))
