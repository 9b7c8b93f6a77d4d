"""Amounts, dates and the like as texts write them; patterns only."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORDS = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen"
    r"|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|dozen"
    r"|half|third|quarter|twice|once|single|both|none|zero"
)
# A number, not the end of a code such as E17, HX-3102 or PG-503, and not a list's own.
_NUMBER = r"(?<![\w#-])(?<!\w[./])\d+(?:[.,’' ]\d{3})*(?:[.,]\d+)?"
_ANY = rf"(?:{_NUMBER}|\b(?:{_WORDS}|a|an|several|few|half an?)\b)"
_TIME_UNIT = (
    r"(?:ms|milliseconds?|µs|us|s|secs?|seconds?|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|fortnights?|months?|years?"
    r"|nights?|quarters?|decades?|centur(?:y|ies)|shifts?|working days?|business days?)"
)
_LENGTH_UNIT = (
    r"(?:mm|cm|m|km|miles?|feet|foot|ft|inch(?:es)?|yards?|met(?:er|re)s?|kilomet(?:er|re)s?|pages|words|characters)"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_CURRENCY = (
    r"(?:€|\$|£|¥|eur|usd|gbp|chf|jpy|inr|rs|aud|cad|sek|nok|dkk|rmb|kr|pln|zł|euros?|dollars?|pounds?|cents?|pence"
    r"|pesos?|yuan|francs?|yen|rupees?|crowns?)"
)
_PRICED = r"(?:price|cost|costs|fee|salary|wage|rent|amount|total|revenue|budget|deposit|eur|usd|gbp)"

MONEY = re.compile(
    rf"{_CURRENCY}\s?\d[\d.,]*|\d[\d.,]*(?:\s?(?:k|m|bn|thousand|million|billion))?\s?(?:-\s?)?{_CURRENCY}(?!\w)"
    rf"|\b(?:{_WORDS})\s{_CURRENCY}\b|\b{_PRICED}\w*\b[^.;\n]{{0,40}}?(?<![\w-])\d[\d.,]*"
    r"|\bfree of charge\b|\b(?:is|are|enters?|for) free\b|\bno charge\b",
    re.IGNORECASE,
)
PERCENT = re.compile(
    rf"\d\s?%|\bper ?cent\b|\bpercentage points?\b|\b(?:half|(?:a|one|two|three)[ -](?:third|quarter"
    r"|fifth|tenth|half)s?)\b"
    rf"|{_ANY} (?:out )?of (?:the )?{_NUMBER}|\b(?:all|none|most|majority)\b",
    re.IGNORECASE,
)
DURATION = re.compile(
    rf"{_ANY}[\s-]?(?:(?:working|business|consecutive|calendar|full|more|whole)\s)?{_TIME_UNIT}\b"
    rf"|{_NUMBER}\s?{_LENGTH_UNIT}\b|\b(?:overnight|indefinitely|permanently|for ever|forever|for life|immediately"
    rf"|at once|straight away)\b|\d{{1,2}}[:.]\d\d\s?(?:-|–|to|until)\s?\d{{1,2}}[:.]\d\d",
    re.IGNORECASE,
)
FREQUENCY = re.compile(
    rf"\b(?:every|each|per|daily|weekly|fortnightly|biweekly|monthly|quarterly|yearly|annual(?:ly)?|hourly|nightly"
    rf"|once|twice|times|never|always|rarely|seldom|occasionally|regularly|alternate|on {_WEEKDAY})\b",
    re.IGNORECASE,
)
DATE = re.compile(
    rf"\b(?:1[0-9]|20)\d\d\b|\b{_MONTH}\b\.?(?=[\s,]*\d)|\b\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}\b"
    rf"|\b(?:in|of|until|by|from|since|between|and|every|early|late|mid|next|last)[\s-]{_MONTH}\b|\b{_WEEKDAY}\b"
    r"|\b\d{1,2}[:.]\d\d(?:\s?[ap]\.?m\b)?|\b\d{1,2}\s?(?:[ap]\.?m\b|o'clock)|\b\d{4}-\d\d-\d\d|\b\d{1,2}[./]\d{1,2}[./]\d"
    r"|\b(?:at|until|till|before|after|from|by) \d{1,2}(?= (?:on|and|to|in the|every|each)\b|\s*[.,;)]|\s*$)"
    r"|\b(?:noon|midnight|morning|evening|afternoon|today|tomorrow|yesterday|spring|summer|autumn|winter|easter|christmas"
    r"|week(?:end|day)s?|century|centuries|quarter|(?:first|last|second|third|fourth|fifth|same|next|previous|working"
    r"|following) (?:\w+ )?(?:day|week|month|year))\b",
    re.IGNORECASE,
)
# What happens then, where no date does.
OCCASION = re.compile(
    r"\b(?:when|after|before|until|once|during|while|as soon as|upon|if|on (?:leaving|arrival|return|request"
    r"|completion)|at the (?:end|start|beginning)|following|whenever|immediately)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(rf"{_NUMBER}|\b(?:{_WORDS})\b(?! of the\b)", re.IGNORECASE)
_TIME_OR_DATE = re.compile(rf"\s?(?:{_MONTH}\b|[:/-]\d)|[:]\d\d", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d$")
# What stands before a year and not before an amount.
_BEFORE_YEAR = re.compile(
    r"(?:^|\b(?:in|since|until|till|by|during|year|before|after|from|to|and|between|of|early|late|mid)[\s-]|[(,–-]\s?)$",
    re.IGNORECASE,
)
_BEFORE_DATE = re.compile(rf"(?:\b{_MONTH}\.?\s|\d[:/-])$", re.IGNORECASE)
_LIST_MARK = re.compile(r"\s*\d{1,3}[.)]\s")


def amounts(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each amount stands (start, end) and how it is written; no dates, times, years, codes or list marks."""
    mark = _LIST_MARK.match(text)
    for match in _AMOUNT.finditer(text):
        if mark and match.start() < mark.end():
            continue
        value = match[0]
        before = text[max(0, match.start() - 12) : match.start()]
        if value.isdigit() and _YEAR.match(value) and _BEFORE_YEAR.search(before):
            continue
        if value[0].isdigit() and (_TIME_OR_DATE.match(text, match.end()) or _BEFORE_DATE.search(before)):
            continue
        yield match.start(), match.end(), value


def number_tokens(text: str) -> list[str]:
    """The numbers of a text as they are written."""
    return [match[0] for match in _AMOUNT.finditer(text) if match[0][0].isdigit()]
