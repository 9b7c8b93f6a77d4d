"""How well a sentence answers, beside the other sentences found. Pure."""

from __future__ import annotations

from mcp_lakehouse.answer.blocks import header_of, is_code
from mcp_lakehouse.answer.candidates import ENDS_A_SENTENCE
from mcp_lakehouse.answer.reading import Sentence
from mcp_lakehouse.records import Hit

_REACH_WEIGHT, _HIT_WEIGHT = 0.8, 0.3
# A sentence that holds the kind of value that is asked for is so much better than one without.
_KIND_WEIGHT = 0.3
# What a title says is what the passage is about, seldom the answer.
_TITLE_PENALTY = 0.3
# Code repeats the names that are asked about; prose tells of them.
_CODE_PENALTY = 0.6


def worth(sentence: Sentence, hit: Hit) -> float:
    """By meaning, words, the kind of value it holds, and how its passage was found."""
    penalty = _TITLE_PENALTY if _is_title(sentence, hit) else 0.0
    if is_code(hit.text, sentence.start):
        penalty = _CODE_PENALTY
    return (
        sentence.cosine
        + _REACH_WEIGHT * sentence.reach
        + _HIT_WEIGHT * hit.score
        + _KIND_WEIGHT * sentence.held
        - penalty
    )


def _is_title(sentence: Sentence, hit: Hit) -> bool:
    """Whether it is what its passage is called, or a line without an end that stands above others."""
    if header_of(hit.text, sentence.start):
        return False
    if hit.title and sentence.text.startswith(hit.title.rstrip("… .")[:60]) and len(sentence.text) < len(hit.text):
        return True
    # A row of a table stands above others and is none.
    ends = sentence.text[-1] in ENDS_A_SENTENCE or "|" in sentence.text
    return hit.text[sentence.end : sentence.end + 1] == "\n" and not ends
