"""What one answer may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Budgets of `ask`, handed in at composition."""

    question_chars: int = 4_000
    passages: int = 100
    # Sentences whose embeddings are compared with the question's; the others were behind by their words.
    sentences: int = 12
    # The same where rows are listed: some of each.
    row_sentences: int = 16
    # A run of words without an end, such as a cell of codes, is cut into pieces of this length to be quoted.
    sentence_chars: int = 600
    # Words of the question that no passage holds and that are looked for in all the data.
    looked_up_words: int = 6
    quoted_sentences: int = 4
    listed_rows: int = 5
    # Rows whose sentences are weighed for the list: the others hold less of what was asked.
    weighed_rows: int = 8
    # Of one passage, and of all that a model is shown: about 6,000 tokens.
    passage_chars: int = 6_000
    evidence_chars: int = 24_000
    written_tokens: int = 1_200
    statement_tokens: int = 600
    reply_chars: int = 40_000
    # From the first to the last piece of one reply.
    model_seconds: float = 120.0
    described_datasets: int = 20
    described_columns: int = 60
    sample_rows: int = 2
    sample_cell_chars: int = 60
    shown_result_rows: int = 10
