"""What kind of value a question asks for, and whether a text holds one that the question did not bring. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_lakehouse.answer.amounts import (
    DATE,
    DURATION,
    FREQUENCY,
    MONEY,
    OCCASION,
    PERCENT,
    amounts,
    number_tokens,
)

NUMBER, MONEY_KIND, PERCENT_KIND, SPAN = "number", "money", "percentage", "duration"
# What words may tell as well as a number: "very strong".
SIZE = "size"
OFTEN, TIME, DAY, PERSON, PLACE = "frequency", "time", "date", "person", "place"
PHONE, MAIL, LINK = "telephone number", "e-mail address", "link"

_TAIL = (
    r"(?=\s+(?:of|for|in|on|at|to|per|by|with|within|is|was|are|were|does|do|did|can|could|may|must|should|will|would"
    r"|has|have|had|when|if|after|before|during|between|from|a|an|the|this|that|allowed|permitted|used|required|needed)\b"
    r"|\W*$)"
)
_ASKS = (
    r"\b(?:what|which|whats|what['’]s)(?: (?:is|was|are|were))?(?: (?:the|a|an|our|your|its|my|their))?"
    r"(?: [\w-]+){0,3}? "
)
_MONEY_WORDS = (
    r"cost|costs|price|prices|pay|pays|paid|fee|fees|salary|wage|wages|rent|fine|deposit|charge|charges|charged|revenue"
    r"|budget|spend|spent|worth|money|funding|sold|bonus|allowance|refund|compensation|premium|turnover|profit|loss"
)
_VERB = r"(?:is|are|was|were|do|does|did|will|would|can|could|may|might|must|should|shall|has|have|had)"
_QUESTIONS: tuple[tuple[str, str], ...] = (
    (PHONE, rf"{_ASKS}(?P<says>(?:tele)?phone number|telephone|phone){_TAIL}"),
    (MAIL, rf"{_ASKS}(?P<says>e-?mail(?: address)?){_TAIL}"),
    (LINK, rf"{_ASKS}(?P<says>url|web ?site|web address|link){_TAIL}"),
    (PERCENT_KIND, r"\b(?:what|which|how many) (?:\w+ ){0,2}(?P<says>per ?cent|percentage|share|proportion)\b"),
    (OFTEN, r"\bhow (?:often|frequently)\b"),
    (
        SPAN,
        rf"\bhow (?:long|soon|quickly|far ahead|far in advance)\b"
        rf"|{_ASKS}(?P<says>duration|time ?out|delay|interval|notice period|period|waiting time){_TAIL}",
    ),
    (NUMBER, r"\bhow many\b"),
    (
        MONEY_KIND,
        rf"\bhow much (?:money\b|(?:{_MONEY_WORDS})\b|{_VERB}\b.*\b(?:{_MONEY_WORDS})\b)"
        rf"|{_ASKS}(?P<says>cost|price|fee|salary|wage|rent|fine){_TAIL}",
    ),
    (
        NUMBER,
        rf"\bhow (?:old|high|tall|wide|deep|heavy|far|thick)\b|\bhow much (?!{_VERB}\b|more\b|less\b)\w"
        rf"|{_ASKS}(?:(?P<says>number|amount|quantity|count)|temperature|speed|weight|length|width|height|diameter"
        r"|capacity|dose|dosage|voltage|pressure|ph|dilution|port|threshold|population|depth|volume|concentration"
        rf"|altitude|distance){_TAIL}",
    ),
    (SIZE, r"\bhow (?:much|large|big|fast|loud|hot|cold|strong|small|warm)\b"),
    (DAY, rf"{_ASKS}(?P<says>year|date|day|month|deadline){_TAIL}"),
    (TIME, rf"\bwhen {_VERB}\b|\b(?:what|which) (?P<says>time){_TAIL}"),
    (PERSON, r"\b(?:who|whom|whose)\b"),
    (PLACE, rf"\bwhere {_VERB}\b"),
)
_MONEY_WORD = re.compile(rf"\b(?:{_MONEY_WORDS})\b", re.IGNORECASE)
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _QUESTIONS)
# A word of asking that stands later in the question introduces a clause of it: "what happens when …".
_ASKING = re.compile(r"\b(?:what|which|how|why|who|whom|whose|where|when)\b", re.IGNORECASE)
_NAME_OF = re.compile(
    r"\bnames? of (?:(?:the|a|an|our|your|my|his|her|their|two|three|all) )*"
    r"(?P<whose>[\w-]+(?: (?!who\b|that\b|of\b|in\b|on\b|at\b|is\b|was\b)[\w-]+)?)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:how many|(?:number|amount|quantity|count) of)\s+(?:of\s+)?(?:(?:the|our|their|these|those|all)\s+)?"
    r"((?:[\w-]+\s*){1,6})",
    re.IGNORECASE,
)
_ENDS_PHRASE = frozenset(
    """is are was were be been do does did can could may might must should shall will would has have had of in on at
    per for to from with by as if when where who that which there not it they we you i he she the a an this these get
    gets need needs take takes""".split()
)
_NAMES = re.compile(
    r"(?<![\w.])(?:[A-ZÀ-Þ][\w'’-]+|[A-Z]\.)(?:\s+(?:(?:de|van|von|der|den|of|the|and|&)\s+)*(?:[A-ZÀ-Þ][\w'’-]+|[A-Z]\.))*"
)
_ADDRESS = re.compile(r"\b(?:by|dr\.?|mr\.?|mrs\.?|ms\.?|prof\.?|professor|sir|cllr\.?|judge) $", re.IGNORECASE)
_INITIAL = re.compile(r"\b[a-z]\. ?(?:[a-z]\. ?)*[a-z]{3,}")
_ROLE = re.compile(
    r"\b(?:\w{2,}(?:er|or|ist|ian|ant|ent|man|men|woman|women|ee)s?|lead|leads|head|heads|chair|chairs|clerk|team|teams"
    r"|staff|department|committee|board|council|company|group|authority|agency|office|people|person|member|members"
    r"|host|nurse|nurses|user|users|everyone|everybody|anyone|anybody|someone|nobody|no one|researchers?|parents?"
    r"|family|couple|union|bank|court|police|government|ministry|university|institute|foundation|association"
    r"|maintenance|facilities|finance|payroll|accounting|accounts|hr|human resources|security|reception|front desk"
    r"|help ?desk|procurement|purchasing|logistics|dispatch|legal|sales|marketing|engineering|operations|compliance)\b",
    re.IGNORECASE,
)
# Words with such an ending that are nobody.
_NOBODY = frozenset(
    """after other another over under never ever either neither whether rather water paper number order letter later
    matter center centre computer server container folder parameter error for or nor per her their other former latter
    larger smaller higher lower greater better longer shorter older newer more counter corner power tower layer meter
    filter printer scanner sensor motor reactor factor vector floor door color colour prior major minor minister's
    september october november december winter summer quarter together further however moreover different current
    important present recent document statement payment equipment treatment management department environment content
    event moment percent patent agent want front print point independent sufficient efficient apparent significant
    constant plant important relevant amount account restaurant fee free see three tree degree employee's guarantee
    committee coffee week been seen need feed between then when open even often""".split()
)
# They have names that are no person's.
_BODIES = frozenset(
    """team teams department committee board council company group authority agency office union bank court police
    government ministry university institute foundation association reception security maintenance""".split()
)
_CALENDAR = frozenset(
    """january february march april may june july august september october november december jan feb mar apr jun jul
    aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    the a an this that these those it its if in on at for from to of by as and or but no not all each every any when
    where while after before during since until i we you he she they there here what who how why which our your
    english german french eu us uk utc gmt""".split()
)
_WHERE = re.compile(
    r"\b(?:in|at|on|to|from|near|behind|under|inside|outside|next to|above|below|beside|opposite|between|via|through"
    r"|into|by|onto|within|across)\s+[\w'’/~.\"`-]|[~.]?/[\w.-]{2,}|https?://",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.])\+?\d[\d ()/.-]{5,}\d(?![\w])")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_LINK = re.compile(r"https?://|\bwww\.|\b[\w-]+\.(?:com|org|net|io|gov|edu|eu|de|uk|fr|dev)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\w+")
_NEAR = 5
_UNIT_ELSEWHERE = 0.7


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` is what is asked for; `counted` the word it is counted in, `says` the words that only say
    the kind, `brought` the numbers in the question itself.
    """

    name: str
    says: str
    counted: str
    question: str
    brought: frozenset[str]


def kind_of(question: str) -> Kind | None:
    """The kind of value the question asks for; `None` where any sentence may answer."""
    first = _ASKING.search(question)
    named = _NAME_OF.search(question)
    if named and _ROLE.search(named["whose"]) and not (_NOBODY | _BODIES) & set(named["whose"].lower().split()):
        return Kind(PERSON, "name", "", question, frozenset())
    for name, pattern in _COMPILED:
        match = pattern.search(question)
        if match is None or (name in (TIME, PERSON, PLACE) and (first is None or first.start() < match.start())):
            continue
        says = match.groupdict().get("says") or ""
        if name == MONEY_KIND:
            says = " ".join(_MONEY_WORD.findall(question))
        return Kind(
            name, says, _counted(question) if name == NUMBER else "", question, frozenset(number_tokens(question))
        )
    return None


def _counted(question: str) -> str:
    """What is counted: the noun after "how many"."""
    match = _COUNTED.search(question)
    if match is None:
        return ""
    words: list[str] = []
    for word in match[1].split():
        if word.lower() in _ENDS_PHRASE:
            break
        words.append(word)
    return words[-1] if words else ""


def held(kind: Kind, text: str) -> float:
    """How surely the text holds a value of the kind, one that is not in the question, from 0 to 1."""
    if kind.name in _STRICT:
        return float(_STRICT[kind.name].search(text) is not None)
    if kind.name == PERSON:
        return _person(kind.question, text)
    if kind.name == NUMBER:
        return _count(kind, text)
    if kind.name == SIZE:
        return max(0.5, _count(kind, text))
    if kind.name == MONEY_KIND:
        return float(any(not kind.brought & set(number_tokens(each[0])) for each in MONEY.finditer(text)))
    if kind.name == SPAN and kind.says and not DURATION.search(text):
        # A table of settings may leave the unit to their names.
        return _UNIT_ELSEWHERE * float(any(value not in kind.brought for _, _, value in amounts(text)))
    for pattern, worth in _GRADED[kind.name]:
        if any(not _repeats(each[0], kind.question) for each in pattern.finditer(text)):
            return worth
    return 0.0


_STRICT = {PHONE: _PHONE, MAIL: _MAIL, LINK: _LINK, PLACE: _WHERE}
_GRADED: dict[str, Sequence[tuple[re.Pattern[str], float]]] = {
    PERCENT_KIND: ((PERCENT, 1.0),),
    SPAN: ((DURATION, 1.0),),
    OFTEN: ((FREQUENCY, 1.0),),
    TIME: ((DATE, 1.0), (DURATION, 1.0), (FREQUENCY, 1.0), (OCCASION, 0.5)),
    DAY: ((DATE, 1.0), (DURATION, 0.5)),
}


def _repeats(found: str, question: str) -> bool:
    return found.strip().lower() in question.lower()


def _count(kind: Kind, text: str) -> float:
    spans = [(start, end) for start, end, value in amounts(text) if value not in kind.brought]
    if not spans:
        return 0.0
    stem = kind.counted.lower().rstrip("s")[:6]
    if len(stem) < 3:
        return 1.0
    tokens = [(match.start(), match[0].lower()) for match in _TOKEN.finditer(text)]
    places = [n for n, (_, token) in enumerate(tokens) if token.startswith(stem)]
    at = [n for n, (begins, _) in enumerate(tokens) if any(start <= begins < end for start, end in spans)]
    return 1.0 if any(abs(one - other) <= _NEAR for one in places for other in at) else 0.5


def _person(question: str, text: str) -> float:
    asked = {token.lower() for token in _TOKEN.findall(question)}
    nobody = _CALENDAR | asked
    surest = 0.0
    for match in _NAMES.finditer(text):
        words = [token for token in _TOKEN.findall(match[0]) if not {token.lower(), token.lower().rstrip("s")} & nobody]
        if len(words) > 1 or (words and _ADDRESS.search(text, 0, match.start())):
            return 1.0
        # One capital at the start of a sentence names nobody.
        if words and (match.start() > 0 or words[0].isupper()):
            surest = 0.5
    if _MAIL.search(text) or (text == text.lower() and _INITIAL.search(text)):
        return 1.0
    roles = {match[0].lower() for match in _ROLE.finditer(text)} - _NOBODY - asked
    return max(surest, 0.5 if roles else 0.0)
