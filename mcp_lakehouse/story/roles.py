"""What people work as: wages, the certificates they tend to hold, what contracts ask of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of work.

    `share` of all workers (any unit); `wage` in dollars per hour for a beginner where wages are average;
    `scarce` from 0 (easy to find) to 1; `least` years of experience; `holds`: certificate → how many of
    100 workers have or had it; `asks`: certificate → how many of 100 contracts ask for it. What 100 of
    100 contracts ask for is kept up to date by nearly everybody.
    """

    name: str
    trade: str
    share: float
    wage: float
    scarce: float
    least: int
    holds: tuple[tuple[str, int], ...]
    asks: tuple[tuple[str, int], ...]
    skills: tuple[str, ...]
    # Earlier jobs of such people.
    before: tuple[str, ...]


ROLES = (
    Role(
        "forklift operator", "warehousing", 9.0, 18.6, 0.4, 0,
        (("Forklift Operator", 97), ("OSHA-10", 44), ("OSHA-30", 8), ("First Aid/CPR", 14), ("HAZMAT", 3)),
        (("Forklift Operator", 100), ("OSHA-10", 55)),
        ("counterbalance", "reach truck", "RF scanning", "dock loading",
         "pallet stacking", "WMS", "cycle counts", "bilingual English/Spanish"),
        ("warehouse associate", "order picker", "loader"),
    ),
    Role(
        "warehouse associate", "warehousing", 14.0, 16.2, 0.1, 0,
        (("OSHA-10", 22), ("Forklift Operator", 16), ("First Aid/CPR", 9)),
        (("OSHA-10", 15),),
        ("packing", "labeling", "RF scanning", "pallet jack",
         "stretch wrapping", "returns", "inventory", "bilingual English/Spanish"),
        ("retail clerk", "loader", "general laborer"),
    ),
    Role(
        "order picker", "warehousing", 10.0, 16.6, 0.1, 0,
        (("OSHA-10", 18), ("Forklift Operator", 21)),
        (("OSHA-10", 10),),
        ("voice picking", "RF scanning", "pick to light", "packing",
         "pallet jack", "order picker lift", "quality checks", "WMS"),
        ("warehouse associate", "retail clerk"),
    ),
    Role(
        "shipping and receiving clerk", "warehousing", 4.0, 18.2, 0.3, 1,
        (("OSHA-10", 28), ("Forklift Operator", 34), ("HAZMAT", 9)),
        (("OSHA-10", 20), ("Forklift Operator", 25)),
        ("bills of lading", "carrier scheduling", "WMS", "spreadsheets",
         "cycle counts", "parcel systems", "returns", "dock planning"),
        ("warehouse associate", "order picker"),
    ),
    Role(
        "loader", "transport", 7.0, 17.0, 0.2, 0,
        (("OSHA-10", 20), ("Forklift Operator", 14), ("TWIC", 7)),
        (("OSHA-10", 15), ("TWIC", 6)),
        ("floor loading", "trailer unloading", "pallet jack", "load securing",
         "sorting", "heavy lifting", "night work", "scanning"),
        ("general laborer", "warehouse associate"),
    ),
    Role(
        "truck driver", "transport", 5.0, 25.5, 0.8, 1,
        (("CDL-A", 100), ("HAZMAT", 27), ("TWIC", 24), ("OSHA-10", 9)),
        (("CDL-A", 100), ("HAZMAT", 15), ("TWIC", 10)),
        ("tractor-trailer", "pre-trip inspection", "electronic logs", "drop and hook",
         "reefer", "flatbed", "regional routes", "docking"),
        ("delivery driver", "loader", "yard driver"),
    ),
    Role(
        "delivery driver", "transport", 5.0, 19.4, 0.4, 0,
        (("CDL-B", 58), ("OSHA-10", 8), ("First Aid/CPR", 9), ("HAZMAT", 5)),
        (("CDL-B", 50),),
        ("box truck", "liftgate", "route planning", "proof of delivery",
         "customer service", "load securing", "vehicle checks", "city driving"),
        ("loader", "warehouse associate"),
    ),
    Role(
        "yard driver", "transport", 2.0, 21.8, 0.5, 1,
        (("CDL-A", 74), ("TWIC", 28), ("OSHA-10", 21)),
        (("CDL-A", 60), ("TWIC", 15)),
        ("yard tractor", "trailer spotting", "gate checks", "radio",
         "night work", "container moves", "seal control", "docking"),
        ("loader", "truck driver"),
    ),
    Role(
        "dock supervisor", "transport", 1.6, 25.8, 0.7, 4,
        (("OSHA-30", 47), ("OSHA-10", 31), ("Forklift Operator", 52), ("First Aid/CPR", 38)),
        (("OSHA-30", 40),),
        ("crew scheduling", "WMS", "carrier relations", "safety talks",
         "coaching", "KPI reports", "dock planning", "bilingual English/Spanish"),
        ("loader", "forklift operator", "shipping and receiving clerk"),
    ),
    Role(
        "machine operator", "manufacturing", 8.0, 19.0, 0.3, 0,
        (("OSHA-10", 33), ("Forklift Operator", 13), ("First Aid/CPR", 10)),
        (("OSHA-10", 30),),
        ("press setup", "lockout/tagout", "calipers", "injection molding",
         "packaging lines", "work orders", "5S", "changeovers"),
        ("assembler", "general laborer"),
    ),
    Role(
        "assembler", "manufacturing", 8.0, 17.2, 0.1, 0,
        (("OSHA-10", 19),),
        (("OSHA-10", 10),),
        ("hand tools", "torque tools", "soldering", "work instructions",
         "kitting", "5S", "blueprint reading", "crimping"),
        ("retail clerk", "warehouse associate"),
    ),
    Role(
        "CNC machinist", "manufacturing", 2.6, 26.4, 0.9, 2,
        (("OSHA-10", 34), ("OSHA-30", 6)),
        (("OSHA-10", 25),),
        ("G-code", "mills", "lathes", "micrometers", "GD&T", "fixture setup", "CAM", "tool offsets"),
        ("machine operator", "assembler"),
    ),
    Role(
        "welder", "manufacturing", 3.6, 24.2, 0.7, 1,
        (("AWS D1.1", 66), ("OSHA-10", 46), ("Confined Space", 16), ("Aerial Lift", 12)),
        (("AWS D1.1", 60), ("OSHA-10", 40)),
        ("MIG", "TIG", "stick", "blueprint reading", "grinding", "plasma cutting", "fit-up", "pipe"),
        ("assembler", "general laborer"),
    ),
    Role(
        "quality inspector", "manufacturing", 2.4, 21.0, 0.5, 1,
        (("OSHA-10", 24), ("First Aid/CPR", 8)),
        (("OSHA-10", 15),),
        ("calipers", "first articles", "sampling plans", "nonconformance reports",
         "spreadsheets", "SPC", "audits", "GD&T"),
        ("assembler", "machine operator"),
    ),
    Role(
        "maintenance technician", "manufacturing", 3.0, 27.0, 0.8, 2,
        (("OSHA-10", 51), ("OSHA-30", 12), ("EPA 608", 22), ("Aerial Lift", 31), ("Confined Space", 18)),
        (("OSHA-10", 45), ("Aerial Lift", 15)),
        ("PLC basics", "hydraulics", "pneumatics", "motors",
         "preventive maintenance", "conveyors", "lockout/tagout", "480V"),
        ("machine operator", "electrician"),
    ),
    Role(
        "general laborer", "construction", 8.0, 18.0, 0.2, 0,
        (("OSHA-10", 42), ("First Aid/CPR", 12), ("Aerial Lift", 10), ("Confined Space", 9)),
        (("OSHA-10", 60),),
        ("demolition", "concrete", "site cleanup", "hand tools",
         "jackhammer", "flagging", "scaffolding", "heavy lifting"),
        ("loader", "warehouse associate", "retail clerk"),
    ),
    Role(
        "carpenter", "construction", 2.6, 26.2, 0.6, 2,
        (("OSHA-10", 57), ("OSHA-30", 13), ("Aerial Lift", 21), ("First Aid/CPR", 13)),
        (("OSHA-10", 70),),
        ("framing", "formwork", "drywall", "finish work",
         "blueprint reading", "power tools", "layout", "doors and hardware"),
        ("general laborer",),
    ),
    Role(
        "electrician", "construction", 2.4, 32.0, 0.9, 3,
        (("Electrician License", 92), ("OSHA-10", 48), ("OSHA-30", 24), ("Aerial Lift", 30)),
        (("Electrician License", 100), ("OSHA-10", 50)),
        ("conduit", "panels", "motor controls", "NEC", "troubleshooting", "fire alarm", "blueprint reading", "480V"),
        ("general laborer", "maintenance technician"),
    ),
    Role(
        "crane operator", "construction", 0.9, 36.0, 1.0, 4,
        (("NCCCO Crane", 95), ("OSHA-10", 36), ("OSHA-30", 37), ("Rigging & Signal", 61), ("CDL-A", 24)),
        (("NCCCO Crane", 100), ("OSHA-10", 40)),
        ("mobile cranes", "load charts", "lift plans", "rigging",
         "hand signals", "inspections", "tower cranes", "radio"),
        ("general laborer", "forklift operator"),
    ),
    Role(
        "site safety officer", "construction", 0.9, 34.0, 0.9, 4,
        (("OSHA-30", 91), ("OSHA-10", 33), ("First Aid/CPR", 76), ("Confined Space", 38)),
        (("OSHA-30", 100), ("First Aid/CPR", 50)),
        ("toolbox talks", "incident reports", "job hazard analysis", "fall protection",
         "audits", "permits", "training", "bilingual English/Spanish"),
        ("carpenter", "general laborer"),
    ),
    Role(
        "food production worker", "food", 6.0, 16.0, 0.1, 0,
        (("ServSafe", 41), ("OSHA-10", 10)),
        (("ServSafe", 30),),
        ("packaging lines", "sanitation", "cold rooms", "GMP", "HACCP", "weighing", "labeling", "knife work"),
        ("retail clerk", "line cook"),
    ),
    Role(
        "line cook", "food", 3.6, 17.6, 0.4, 0,
        (("ServSafe", 68), ("First Aid/CPR", 6)),
        (("ServSafe", 70),),
        ("grill", "prep", "knife work", "banquets", "inventory", "HACCP", "fry station", "cold line"),
        ("food production worker", "retail clerk"),
    ),
)  # fmt: skip
ROLE_NAMES = tuple(role.name for role in ROLES)
TRADES = ("warehousing", "transport", "manufacturing", "construction", "food")
SHIFTS = ("day", "evening", "night", "any")
