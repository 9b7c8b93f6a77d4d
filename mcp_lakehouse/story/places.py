"""Where the story happens: cities with their share of the workers, states with their level of wages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """A state: its name, the level of its wages (1 is average), and the states next to it."""

    name: str
    wages: float
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class City:
    """A city: its share of the workers (any unit), the first three digits of its ZIP codes, its area code."""

    name: str
    state: str
    share: float
    zip3: str
    area: str


# The agency sits in Chicago: most of its people live near, some where its clients ship to.
STATES = {
    "IL": State("Illinois", 1.06, ("IN", "WI", "IA", "MO", "KY")),
    "IN": State("Indiana", 0.95, ("IL", "MI", "OH", "KY")),
    "WI": State("Wisconsin", 0.98, ("IL", "MN", "IA", "MI")),
    "IA": State("Iowa", 0.93, ("IL", "WI", "MN", "MO")),
    "MO": State("Missouri", 0.95, ("IL", "IA", "KY", "TN")),
    "MI": State("Michigan", 1.00, ("IN", "OH", "WI")),
    "OH": State("Ohio", 0.97, ("IN", "MI", "KY", "PA")),
    "KY": State("Kentucky", 0.93, ("IL", "IN", "OH", "TN", "MO")),
    "TN": State("Tennessee", 0.92, ("KY", "MO", "GA")),
    "MN": State("Minnesota", 1.08, ("WI", "IA")),
    "TX": State("Texas", 0.97, ()),
    "GA": State("Georgia", 0.95, ("TN",)),
    "PA": State("Pennsylvania", 1.02, ("OH", "NJ")),
    "NJ": State("New Jersey", 1.16, ("PA",)),
    "CA": State("California", 1.22, ()),
}
CITIES = (
    City("Chicago", "IL", 7.0, "606", "312"),
    City("Joliet", "IL", 2.0, "604", "815"),
    City("Aurora", "IL", 1.5, "605", "630"),
    City("Rockford", "IL", 1.5, "611", "779"),
    City("Elgin", "IL", 1.0, "601", "847"),
    City("Bolingbrook", "IL", 1.0, "604", "630"),
    City("Peoria", "IL", 0.8, "616", "309"),
    City("Springfield", "IL", 0.7, "627", "217"),
    City("Romeoville", "IL", 0.6, "604", "815"),
    City("East St. Louis", "IL", 0.5, "622", "618"),
    City("Moline", "IL", 0.5, "612", "309"),
    City("Indianapolis", "IN", 4.0, "462", "317"),
    City("Hammond", "IN", 1.5, "463", "219"),
    City("Fort Wayne", "IN", 1.5, "468", "260"),
    City("Gary", "IN", 1.2, "464", "219"),
    City("Plainfield", "IN", 0.8, "461", "317"),
    City("East Chicago", "IN", 0.6, "463", "219"),
    City("Michigan City", "IN", 0.5, "463", "219"),
    City("Milwaukee", "WI", 3.0, "532", "414"),
    City("Kenosha", "WI", 1.2, "531", "262"),
    City("Madison", "WI", 1.2, "537", "608"),
    City("Racine", "WI", 0.8, "534", "262"),
    City("Green Bay", "WI", 0.8, "543", "920"),
    City("Beloit", "WI", 0.5, "535", "608"),
    City("Des Moines", "IA", 1.5, "503", "515"),
    City("Davenport", "IA", 1.0, "528", "563"),
    City("Cedar Rapids", "IA", 0.8, "524", "319"),
    City("Dubuque", "IA", 0.5, "520", "563"),
    City("St. Louis", "MO", 2.5, "631", "314"),
    City("Kansas City", "MO", 2.2, "641", "816"),
    City("Springfield", "MO", 0.7, "658", "417"),
    City("Detroit", "MI", 2.5, "482", "313"),
    City("Grand Rapids", "MI", 1.2, "495", "616"),
    City("Lansing", "MI", 0.7, "489", "517"),
    City("Kalamazoo", "MI", 0.5, "490", "269"),
    City("Columbus", "OH", 2.5, "432", "614"),
    City("Cleveland", "OH", 1.8, "441", "216"),
    City("Cincinnati", "OH", 1.8, "452", "513"),
    City("Toledo", "OH", 1.0, "436", "419"),
    City("Louisville", "KY", 1.8, "402", "502"),
    City("Lexington", "KY", 0.7, "405", "859"),
    City("Florence", "KY", 0.6, "410", "859"),
    City("Memphis", "TN", 2.4, "381", "901"),
    City("Nashville", "TN", 1.8, "372", "615"),
    City("Minneapolis", "MN", 1.8, "554", "612"),
    City("St. Paul", "MN", 1.0, "551", "651"),
    City("Shakopee", "MN", 0.4, "553", "952"),
    City("Dallas", "TX", 3.0, "752", "214"),
    City("Houston", "TX", 3.0, "770", "713"),
    City("Fort Worth", "TX", 1.8, "761", "817"),
    City("Laredo", "TX", 0.6, "780", "956"),
    City("Atlanta", "GA", 2.6, "303", "404"),
    City("Savannah", "GA", 1.0, "314", "912"),
    City("Philadelphia", "PA", 1.8, "191", "215"),
    City("Allentown", "PA", 1.0, "181", "610"),
    City("Pittsburgh", "PA", 1.0, "152", "412"),
    City("Harrisburg", "PA", 0.9, "171", "717"),
    City("Newark", "NJ", 1.4, "071", "973"),
    City("Edison", "NJ", 1.0, "088", "732"),
    City("Elizabeth", "NJ", 0.8, "072", "908"),
    City("Ontario", "CA", 1.6, "917", "909"),
    City("Long Beach", "CA", 1.2, "908", "562"),
    City("Oakland", "CA", 1.0, "946", "510"),
    City("Fresno", "CA", 0.7, "937", "559"),
)
