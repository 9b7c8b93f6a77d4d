"""Résumés: what a worker's record says, in the worker's own words.

The wording makes finding hard on purpose: kinds of work and certificates under several names, certificates
that have run out, courses not yet taken, other states named in passing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from mcp_lakehouse.story import wording
from mcp_lakehouse.story.certificates import CERTIFICATES
from mcp_lakehouse.story.names import COMPANY, SCHOOL, SUFFIX, TRADE
from mcp_lakehouse.story.places import CITIES, STATES, City
from mcp_lakehouse.story.roles import ROLES, SHIFTS, TRADES
from mcp_lakehouse.story.workers import EDUCATION, LONG_AGO, NEVER, NOW, TODAY, Workers

_EPOCH = date(1970, 1, 1)
_MONTHS_A_JOB = (9, 52)
_MONTHS_BETWEEN = (0, 5)
_MOST_JOBS = 4
_TRADE_OF = {role.name: role.trade for role in ROLES}


@dataclass(frozen=True, slots=True)
class Resume:
    """One worker's résumé, and what is true of the worker."""

    worker_id: str
    name: str
    role: str
    city: str
    state: str
    certifications: str | None
    resume_text: str


@dataclass(frozen=True, slots=True)
class Person:
    """One worker's record, as the tables show it."""

    worker_id: str
    name: str
    certifications: str | None
    skills: str
    zip: str
    phone: str
    email: str


def make_resumes(seed: int, workers: Workers, people: list[Person]) -> Iterator[Resume]:
    """The résumés of the first `len(people)` of these workers."""
    for place, person in enumerate(people):
        # Seeding by text goes through a cryptographic hash, the same in every version and process.
        chance = random.Random(f"{seed} {person.worker_id}")
        city, role = CITIES[int(workers.city[place])], ROLES[int(workers.role[place])]
        text = _Writer(chance, workers, place, person).text()
        yield Resume(person.worker_id, person.name, role.name, city.name, city.state, person.certifications, text)


class _Writer:
    """Writes one résumé."""

    def __init__(self, chance: random.Random, workers: Workers, place: int, person: Person) -> None:
        self._chance = chance
        self._person = person
        self._city: City = CITIES[int(workers.city[place])]
        self._role = ROLES[int(workers.role[place])]
        self._years = int(workers.years[place])
        self._shift = SHIFTS[int(workers.shift[place])]
        self._education = EDUCATION[int(workers.education[place])]
        self._issued = workers.issued[place].tolist()
        self._expires = workers.expires[place].tolist()
        self._title = chance.choice(wording.TITLES[self._role.name])

    def text(self) -> str:
        """The whole, in sections."""
        jobs, began = self._experience()
        certifications = ("certifications", self._certifications())
        middle = (
            [("experience", jobs), certifications]
            if self._chance.random() < 0.6
            else [certifications, ("experience", jobs)]
        )
        sections = [("summary", [self._summary()]), *middle, ("education", [self._schooling(began)])]
        if self._chance.random() < 0.7:
            sections.append(("skills", [self._person.skills.replace("; ", ", ")]))
        parts = [self._head()]
        for name, lines in sections:
            if lines:
                heading = self._chance.choice(wording.HEADINGS[name])
                parts.append("\n".join([heading, *lines]))
        return "\n\n".join(parts) + "\n"

    def _head(self) -> str:
        state = STATES[self._city.state].name if self._chance.random() < 0.3 else self._city.state
        place = f"{self._city.name}, {state} {self._person.zip}"
        return f"{self._person.name}\n{place}\n{self._person.phone} | {self._person.email}"

    def _summary(self) -> str:
        years = "under a year" if self._years == 0 else f"{self._years} year{'s' if self._years > 1 else ''}"
        if self._years > 2 and self._chance.random() < 0.3:
            years = f"{self._years - 1}+ years"
        title = _in_sentence(self._title)
        pattern = self._chance.choice(wording.SUMMARIES)
        text = pattern.format(
            title=title,
            article="an" if title[0] in "aeioE" else "a",
            years=years,
            place=f"{self._city.name}, {self._city.state}",
            strength=self._chance.choice(wording.STRENGTHS),
            wish=self._chance.choice(wording.WISHES[self._shift]),
        )
        near = STATES[self._city.state].near
        if near and self._chance.random() < 0.15:
            text += " " + self._chance.choice(wording.ACROSS).format(state=STATES[self._chance.choice(near)].name)
        return text[0].upper() + text[1:]

    def _experience(self) -> tuple[list[str], int]:
        """Lines, newest job first, and the month (counted from year 0) in which the first began."""
        chance = self._chance
        months = max(self._years * 12 + chance.randrange(12), 2)
        end = TODAY.year * 12 + TODAY.month - 1
        first = end - months
        lines: list[str] = []
        for number in range(_MOST_JOBS):
            last = number == _MOST_JOBS - 1
            begin = first if last else max(first, end - chance.randint(*_MONTHS_A_JOB))
            # A month or two is no job worth a line of its own.
            begin = first if begin - first < 3 else begin
            # The work of today is also that of the last job; before it people did other things too.
            role = self._role.name if number == 0 or chance.random() < 0.5 else chance.choice(self._role.before)
            lines += self._job(role, begin, end, newest=number == 0)
            if begin == first:
                break
            end = max(begin - chance.randint(*_MONTHS_BETWEEN), first + 1)
        return lines, first

    def _job(self, role: str, begin: int, end: int, *, newest: bool) -> list[str]:
        chance = self._chance
        title = self._title if newest else chance.choice(wording.TITLES[role])
        trade = _TRADE_OF.get(role, chance.choice(TRADES))
        employer = f"{chance.choice(COMPANY)} {chance.choice(TRADE[trade])} {chance.choice(SUFFIX)}"
        city = self._city if chance.random() < 0.7 else chance.choice(CITIES)
        until = "Present" if newest and chance.random() < 0.6 else _month(end)
        duties = wording.DUTIES[role]
        done = chance.sample(duties, min(len(duties), chance.randint(2, 3)))
        bullets = [f"- {duty.format(many=chance.randint(20, 95), few=chance.randint(2, 9))}" for duty in done]
        dates = f"{_month(begin)} - {until}"
        heading = chance.choice(
            (
                f"{title}, {employer}, {city.name}, {city.state} ({dates})",
                f"{dates}  {title}, {employer}, {city.name} {city.state}",
            )
        )
        return [heading, *bullets]

    def _certifications(self) -> list[str]:
        chance = self._chance
        lines = []
        for certificate, issued, expires in zip(CERTIFICATES, self._issued, self._expires, strict=True):
            written = chance.choice(certificate.written)
            if expires == LONG_AGO:
                if certificate.name in ("OSHA-10", "Forklift Operator", "OSHA-30") and chance.random() < 0.04:
                    lines.append(chance.choice(wording.ENROLLED).format(written=written))
            elif expires < NOW:
                lines.append(chance.choice(wording.LAPSED).format(written=written, when=_day(expires)))
            else:
                patterns = wording.VALID if expires != NEVER else wording.VALID[:1]
                until = _day(expires) if expires != NEVER else ""
                lines.append(chance.choice(patterns).format(written=written, when=_day(issued), until=until))
        chance.shuffle(lines)
        return lines

    def _schooling(self, began: int) -> str:
        year = began // 12 - self._chance.randint(0, 2)
        return self._chance.choice(wording.SCHOOLING[self._education]).format(
            school=self._chance.choice(SCHOOL), year=year
        )


def _in_sentence(title: str) -> str:
    """A title in small letters, its abbreviations (CNC, PIT) as they are."""
    return " ".join(word if word.isupper() else word.lower() for word in title.split())


def _month(months: int) -> str:
    return date(months // 12, months % 12 + 1, 1).strftime("%m/%Y")


def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).strftime("%m/%Y")
