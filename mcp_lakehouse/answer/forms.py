"""English words that a question and its answer write differently: irregular forms, close synonyms, slips of a key.

The two lists are words of everyday English, one group a line: whoever asks for the price reads of the cost, too. A
group holds what may stand for each other in most texts, not what is merely near (a cat is no dog, dinner no breakfast).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

IRREGULAR = """
become became
begin began begun
break broke broken
build built
burn burnt
buy bought
catch caught
child children
choose chose chosen
die dead death died
draw drew drawn
drink drank drunk
drive drove driven
eat ate eaten
fall fell fallen
feel felt
fight fought
fly flew flown
foot feet
forget forgot forgotten
freeze froze frozen
grow grew grown
hear heard
hide hid hidden
keep kept
lead led
learn learnt
leave left
lend lent
lose lost loss losing
man men
meet met
mouse mice
person people
ride rode ridden
ring rang rung
rise rose risen
run ran
sell sold sale
send sent
shake shook shaken
shoot shot
sing sang sung
sink sank sunk
sit sat
sleep slept
speak spoke spoken speech
spend spent
spill spilt
spoil spoilt
stand stood
steal stole stolen theft
stick stuck
strike struck
sweep swept
swim swam
teach taught
tear tore torn
throw threw thrown
tooth teeth
understand understood
wake woke woken
wear wore worn
win won
woman women
write wrote written writer author
"""
SYNONYMS = """
aircraft airplane aeroplane plane
approve authorise authorize sign-off
arrive arrival
autumn fall
ban forbid forbidden prohibit prohibited
begin commence start
bicycle bike
boss manager supervisor
broken defective faulty
buy purchase acquire
captain capt master skipper
car automobile vehicle
cause reason
child kid
choose select pick
clean wash
client customer
close shut
collect pick-up
collision collide crash accident strike
company firm
cost price fee charge rate tariff
couch sofa
course training
deadline due
delete remove erase
deliver delivery ship dispatch
depart departure leave
depth deep
die deceased
dimensions size
dinner supper
discount reduction
doctor physician
email e-mail mail
employ hire recruit
employee worker staff personnel
end finish
enough sufficient
error fault failure
exam examination test
fast quick rapid speed
film movie
fix repair mend
flat apartment
found founded establish
garbage rubbish trash waste
guarantee warranty
hazard danger risk
height high tall
hurt injure injury wounded
illness disease sickness sick ill
increase raise rise grow
inspect check examine verify
job position role
laptop notebook
large big
length long
lease rent hire
lift elevator
maximum max most
medicine medication drug
method procedure
minimum min least
motorcycle motorbike
occur happen
package parcel
passcode password
phone telephone
photo photograph picture
pupil student
purpose aim goal objective
quit resign
reduce decrease lower
refund reimburse repay
refuse reject decline deny
road street
salary pay wage earnings
shop store
stop halt cease
talk speak
teacher instructor
temperature temp
terminate cancel
toilet restroom bathroom washroom
trip journey
vacation holiday leave
vessel ship boat
weight weigh
width wide
wrong incorrect
"""
# A shorter word may be another one with any letter changed.
_SLIP_LETTERS, _TWO_SLIPS_LETTERS = 5, 8


class Forms:
    """Which stems stand for each other. `stems` gives those of a text."""

    def __init__(self, stems: Callable[[str], Iterable[str]]) -> None:
        self._of: dict[str, set[str]] = {}
        for line in IRREGULAR.strip().split("\n"):
            self._add({stem for word in line.split() for stem in stems(word)})
        irregular = {stem: frozenset(others) for stem, others in self._of.items()}
        for line in SYNONYMS.strip().split("\n"):
            group = {stem for word in line.split() for stem in stems(word) if "-" not in word or len(stem) > 1}
            self._add(group.union(*(irregular.get(stem, ()) for stem in group)))

    def _add(self, group: set[str]) -> None:
        for stem in group:
            self._of.setdefault(stem, set()).update(group - {stem})

    def others(self, stem: str) -> frozenset[str]:
        """The stems that may stand for this one."""
        return frozenset(self._of.get(stem, ()))


def slips(asked: Iterable[str], terms: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Of these terms those that asked words are a slip away from, each with those words.

    A slip is a letter left out, added, changed, or two letters exchanged, and never the first one; long words may
    have two (Damerau, 1964, found four of five spelling errors to be one such slip).
    """
    found: dict[str, frozenset[str]] = {}
    known = frozenset(terms)
    for word in asked:
        if word in known or len(word) < _SLIP_LETTERS or not word.isalpha():
            continue
        most = 2 if len(word) >= _TWO_SLIPS_LETTERS else 1
        for term in known:
            if term[0] == word[0] and term.isalpha() and _distance(word, term, most) <= most:
                found[term] = found.get(term, frozenset()) | {word}
    return found


def _distance(one: str, other: str, most: int) -> int:
    """The slips between two words, counted up to one more than `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, its in enumerate(other, 1):
            least = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                least = min(least, before[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return last[-1]
