"""The certificates of the story: how long each holds, and the ways people write it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Certificate:
    """`years` it holds (0: for life), and how résumés put it; the tables use `name`."""

    name: str
    years: int
    written: tuple[str, ...]


# The law puts no end to an OSHA card; this agency's clients ask for one of the last five years.
CERTIFICATES = (
    Certificate(
        "OSHA-10",
        5,
        ("OSHA-10", "OSHA 10-hour card", "10-hour OSHA card (general industry)", "OSHA10",
         "10 hr OSHA safety training"),
    ),
    Certificate("OSHA-30", 5, ("OSHA-30", "OSHA 30-hour card", "30-hour OSHA card", "OSHA30", "OSHA 30 hr")),
    Certificate(
        "Forklift Operator",
        3,
        ("Forklift operator certification", "Lift truck license", "Powered industrial truck (PIT) certification",
         "Fork truck license", "Certified on sit-down and stand-up lifts"),
    ),
    Certificate("CDL-A", 4, ("CDL-A", "Class A commercial driver's license", "Class A CDL")),
    Certificate("CDL-B", 4, ("CDL-B", "Class B commercial driver's license", "Class B CDL")),
    Certificate("HAZMAT", 5, ("HAZMAT endorsement", "Hazardous materials endorsement (H)", "HazMat")),
    Certificate("TWIC", 5, ("TWIC", "TWIC card", "Transportation Worker Identification Credential")),
    Certificate("First Aid/CPR", 2, ("First aid and CPR", "CPR/AED", "First aid course with CPR")),
    Certificate("Aerial Lift", 3, ("Aerial lift", "Scissor and boom lift", "MEWP operator card")),
    Certificate("Rigging & Signal", 5, ("Rigging and signal person", "Qualified rigger", "Rigger level I")),
    Certificate("Confined Space", 2, ("Confined space entry", "Permit-required confined space entrant")),
    Certificate("AWS D1.1", 3, ("AWS D1.1", "Structural welding to AWS D1.1", "Certified welder (D1.1)")),
    Certificate("ServSafe", 5, ("ServSafe", "ServSafe food handler", "Food protection course (ServSafe)")),
    Certificate("EPA 608", 0, ("EPA 608", "EPA section 608, universal", "Refrigerant handling (EPA 608)")),
    Certificate("Electrician License", 3, ("Journeyman electrician license", "Licensed electrician")),
    Certificate("NCCCO Crane", 5, ("NCCCO crane operator", "Mobile crane operator, NCCCO")),
)  # fmt: skip
NAMES = tuple(certificate.name for certificate in CERTIFICATES)
