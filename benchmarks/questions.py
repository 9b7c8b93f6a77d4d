"""Labelled questions over test collections: what their documents answer, and what they do not."""

from __future__ import annotations

import json
import os
import random
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mcp_lakehouse.story import questions as story

SPANS = Path(__file__).with_name("answer_spans.jsonl")
PAGES_FILE = Path(__file__).with_name("answer_pages.jsonl")
COLLECTIONS = ("cranfield", "scifact_train")
# Written for this: a handbook, a reference with tables, minutes, a study, and a table of things.
PAGES = "pages"
# The staffing story's résumés: a table, and questions that ask for rows of it.
STORY = "resumes"
_SEED = 20_261
_DOCUMENTS = 1_000
_OF_EACH = 100
_SYLLABLES = "vor lan din qua zel mir tek ros bal une kri som dav ost pel gra nim hul".split()

_NO_WORK = (
    "kangaroo trainer", "astronaut", "wine sommelier", "ballet dancer", "patent lawyer", "beekeeper", "court judge",
    "violin maker", "marine biologist", "opera singer", "dentist", "glaciologist", "puppeteer", "tax advisor",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """`kind`: judged, span; foreign, named, near, removed. `span` is the part of `document` that answers it."""

    collection: str
    text: str
    kind: str
    document: str = ""
    span: str = ""
    relevant: frozenset[str] = frozenset()

    @property
    def answerable(self) -> bool:
        """Whether the collection's documents answer it."""
        return self.kind in ("judged", "span")

    @property
    def fitting(self) -> bool:
        """Whether it is in the half that thresholds are chosen on; the other half is reported."""
        return zlib.crc32(self.text.encode()) % 2 == 0


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents by id (title, text), and judged queries with the documents that answer them."""

    name: str
    documents: dict[str, tuple[str, str]]
    judged: list[tuple[str, frozenset[str]]]


def folder() -> Path | None:
    """Where the test collections lie (`NAME/corpus.jsonl`): `LAKEHOUSE_BENCH_DATA`."""
    given = os.environ.get("LAKEHOUSE_BENCH_DATA")
    return (
        Path(given) if given and all((Path(given) / name / "corpus.jsonl").is_file() for name in COLLECTIONS) else None
    )


@cache
def collection(name: str) -> Collection:
    """A collection, its documents cut to a seeded sample that holds all that its questions need."""
    place = (folder() or Path()) / name
    documents = {d["_id"]: (d["title"], d["text"]) for d in _lines(place / "corpus.jsonl")}
    relevant: defaultdict[str, set[str]] = defaultdict(set)
    for line in (place / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant[query].add(document)
    queries = [(q["text"], frozenset(relevant[q["_id"]])) for q in _lines(place / "queries.jsonl")]
    judged = _random(name).sample([each for each in queries if each[1]], _OF_EACH)
    needed = set().union(*(ids for _, ids in judged)) | {s.document for s in spans() if s.collection == name}
    needed.discard("")
    others = sorted(documents.keys() - needed)
    kept = needed | set(_random(name).sample(others, max(0, min(len(others), _DOCUMENTS - len(needed)))))
    return Collection(name, {id_: documents[id_] for id_ in documents if id_ in kept}, judged)


@cache
def pages() -> dict[str, str]:
    """The texts of the files of `PAGES` by their names."""
    return {page["name"]: page["text"] for page in _lines(PAGES_FILE)}


@cache
def spans() -> list[Question]:
    """Hand-written questions: with the words that answer them, or about what their documents do not tell."""
    return [
        Question(d["collection"], d["question"], "span" if d["span"] else "near", d["document"], d["span"])
        for d in _lines(SPANS)
    ]


def labelled(name: str) -> list[Question]:
    """All questions asked of a collection.

    `foreign` are the other collections' questions. `named` ask about something that was made up: a name put
    into a judged query for one of its words, or a question about an invented thing in the words of a title.
    `near` are about the documents, which do not tell it. `removed` are judged queries whose answering documents are
    left out of the search.
    """
    if name == STORY:
        return _of_the_story()
    if name == PAGES:
        return _of_the_pages()
    here = collection(name)
    chance = _random(f"{name} foreign")
    asked = [Question(name, text, "judged", relevant=ids) for text, ids in here.judged]
    asked += [span for span in spans() if span.collection == name]
    for other in COLLECTIONS:
        if other != name:
            foreign = [text for text, _ in collection(other).judged]
            foreign += [span.text for span in spans() if (span.collection, span.kind) == (other, "span")]
            asked += [Question(name, text, "foreign") for text in chance.sample(foreign, _OF_EACH // 2)]
    asked += [Question(name, text, "named") for text in _made_up(here)]
    asked += [Question(name, f"{text} ", "removed", relevant=ids) for text, ids in here.judged[: 2 * _OF_EACH // 3]]
    return asked


def _of_the_pages() -> list[Question]:
    chance = _random(PAGES)
    asked = [span for span in spans() if span.collection == PAGES]
    foreign = [text for other in COLLECTIONS for text, _ in collection(other).judged]
    foreign += [span.text for span in spans() if span.collection != PAGES and span.kind == "span"]
    asked += [Question(PAGES, text, "foreign") for text in chance.sample(foreign, _OF_EACH // 2)]
    for span in spans():
        if (span.collection, span.kind) == (PAGES, "span"):
            asked.append(Question(PAGES, _with_a_name(span.text, chance), "named"))
    return asked


def _of_the_story() -> list[Question]:
    asked = [Question(STORY, question.text, "judged") for question in story.questions()]
    chance = _random(STORY)
    foreign = [text for other in COLLECTIONS for text, _ in collection(other).judged]
    asked += [Question(STORY, text, "foreign") for text in chance.sample(foreign, _OF_EACH // 2)]
    for question, work in zip(
        story.questions(), [*_NO_WORK, *(_name(chance) for _ in story.questions())], strict=False
    ):
        text = question.text.replace(question.role, work).replace(question.certification, _name(chance))
        asked.append(Question(STORY, text, "named"))
    return asked


def _made_up(here: Collection) -> list[str]:
    chance = _random(f"{here.name} named")
    titles = [title.rstrip(" .") for title, _ in here.documents.values() if 4 <= len(title.split()) <= 14]
    made = []
    for text, _ in here.judged[: _OF_EACH // 3]:
        made.append(_with_a_name(text, chance))
    forms = (
        "what did {name} report about {title}",
        "who is the director of {name}?",
        "how does {name} treatment change {title}?",
        "what is the price of the {name} kit?",
        "in which year was the {name} facility built?",
    )
    for n in range(_OF_EACH // 3):
        made.append(forms[n % len(forms)].format(name=_name(chance), title=chance.choice(titles).lower()))
    return made


def _with_a_name(text: str, chance: random.Random) -> str:
    """The text with a made-up name for one of its long words."""
    words = text.split()
    long_ones = [n for n, word in enumerate(words) if len(word) > 6] or [len(words) - 1]
    words[chance.choice(long_ones)] = _name(chance)
    return " ".join(words)


def _name(chance: random.Random) -> str:
    """A name, a code or a small-letter word that no document holds."""
    word = "".join(chance.sample(_SYLLABLES, 3))
    return (word, word.capitalize(), f"{word[:3].upper()}-{chance.randrange(100, 999)}")[chance.randrange(3)]


def _random(what: str) -> random.Random:
    return random.Random(zlib.crc32(what.encode()) + _SEED)


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
