"""How résumés say things: other names for each kind of work, what one did there, headings, sentences."""

from __future__ import annotations

# The first of each is what the tables call it.
TITLES = {
    "forklift operator": (
        "Forklift Operator", "Lift Truck Operator", "Fork Truck Driver", "Reach Truck Operator", "PIT Operator",
        "Stand-up Forklift Driver", "Powered Industrial Truck Operator",
    ),
    "warehouse associate": ("Warehouse Associate", "Material Handler", "Warehouse Worker", "Fulfillment Associate"),
    "order picker": ("Order Picker", "Order Selector", "Picker/Packer", "Order Filler"),
    "shipping and receiving clerk": ("Shipping and Receiving Clerk", "Receiving Clerk", "Shipping Coordinator"),
    "loader": ("Loader", "Dock Worker", "Freight Handler", "Package Handler"),
    "truck driver": ("Truck Driver", "Tractor-Trailer Driver", "Regional Driver", "Over-the-Road Driver"),
    "delivery driver": ("Delivery Driver", "Box Truck Driver", "Route Driver", "Courier"),
    "yard driver": ("Yard Driver", "Yard Jockey", "Hostler", "Yard Spotter"),
    "dock supervisor": ("Dock Supervisor", "Dock Lead", "Shift Lead, Shipping", "Warehouse Team Lead"),
    "machine operator": ("Machine Operator", "Press Operator", "Production Operator", "Line Operator"),
    "assembler": ("Assembler", "Production Assembler", "Assembly Technician", "Line Assembler"),
    "CNC machinist": ("CNC Machinist", "CNC Mill Operator", "CNC Lathe Machinist", "Precision Machinist"),
    "welder": ("Welder", "Welder/Fabricator", "MIG Welder", "Structural Welder"),
    "quality inspector": ("Quality Inspector", "QC Technician", "Quality Control Inspector", "Inspection Technician"),
    "maintenance technician": ("Maintenance Technician", "Industrial Mechanic", "Maintenance Mechanic", "Millwright"),
    "general laborer": ("General Laborer", "Construction Laborer", "Site Laborer", "Construction Helper"),
    "carpenter": ("Carpenter", "Framing Carpenter", "Finish Carpenter", "Form Carpenter"),
    "electrician": ("Electrician", "Journeyman Electrician", "Commercial Electrician", "Industrial Electrician"),
    "crane operator": ("Crane Operator", "Mobile Crane Operator", "Hoisting Engineer", "Tower Crane Operator"),
    "site safety officer": ("Site Safety Officer", "Safety Coordinator", "EHS Technician", "Site Safety Manager"),
    "food production worker": ("Food Production Worker", "Packaging Worker", "Food Processor", "Sanitation Worker"),
    "line cook": ("Line Cook", "Prep Cook", "Banquet Cook", "Grill Cook"),
    "retail clerk": ("Retail Clerk", "Stock Clerk", "Store Associate", "Cashier"),
}  # fmt: skip
DUTIES = {
    "forklift operator": (
        "Moved up to {many} pallets a shift with sit-down counterbalance and reach trucks",
        "Put away and replenished racking up to {few}0 feet high without product damage",
        "Loaded and unloaded trailers from {few} dock doors, checking weight and balance",
        "Did the daily lift truck inspection and reported faults before the shift",
        "Staged outbound freight by route using an RF scanner",
        "Drove clamp and slip-sheet attachments for paper rolls and appliances",
    ),
    "warehouse associate": (
        "Packed and labeled about {many} orders a day",
        "Brought pallets to the forklift operators with an electric pallet jack",
        "Kept aisles clear and took part in cycle counts",
        "Handled returns and restocked {few} zones",
    ),
    "order picker": (
        "Picked {many} lines an hour by voice with few errors",
        "Built stable mixed pallets and wrapped them for shipping",
        "Checked lot numbers and dates before release",
        "Met pick-rate goals {few} quarters in a row",
    ),
    "shipping and receiving clerk": (
        "Checked inbound loads against purchase orders and booked them in the WMS",
        "Prepared bills of lading for {few} carriers",
        "Scheduled dock appointments and lift truck crews",
        "Traced {many} shipments a week and answered customers",
    ),
    "loader": (
        "Floor-loaded trailers, about {many} cartons an hour",
        "Secured mixed freight with straps and load bars",
        "Sorted parcels by route on the night shift",
        "Worked alongside forklift drivers at {few} doors",
    ),
    "truck driver": (
        "Drove a tractor-trailer {many},000 miles a year without a preventable accident",
        "Kept electronic logs and passed every roadside inspection",
        "Hauled refrigerated and dry freight to {few} states",
        "Did drop-and-hook at customers' yards",
    ),
    "delivery driver": (
        "Made {many} deliveries a day in a box truck with liftgate",
        "Planned routes and collected signatures",
        "Kept a clean driving record for {few} years",
        "Checked the vehicle before and after each run",
    ),
    "yard driver": (
        "Spotted {many} trailers a shift to {few}0 doors",
        "Kept gate records and seal numbers",
        "Moved containers between ramp and yard",
        "Talked to dock and gate by radio",
    ),
    "dock supervisor": (
        "Led a crew of {few} loaders and forklift operators",
        "Planned dock doors for {many} trailers a day",
        "Held safety talks at the start of each shift",
        "Cut detention time by {few} percent",
    ),
    "machine operator": (
        "Ran {few} presses and did changeovers within the hour",
        "Locked and tagged out equipment before clearing jams",
        "Measured parts every {many} cycles with calipers",
        "Kept the line's 5S board",
    ),
    "assembler": (
        "Built {many} units a shift from work instructions",
        "Used torque tools and checked them daily",
        "Kitted parts for {few} stations",
        "Trained new people on the line",
    ),
    "CNC machinist": (
        "Set up and ran {few} mills and lathes to tight tolerances",
        "Wrote and edited G-code and set tool offsets",
        "Checked first articles with micrometers and gauges",
        "Cut scrap by {few} percent with better fixtures",
    ),
    "welder": (
        "Welded frames and brackets, MIG and flux core, about {many} joints a day",
        "Read prints and fitted parts within a sixteenth of an inch",
        "Passed visual and bend tests for {few} procedures",
        "Cut plate with plasma and cleaned welds",
    ),
    "quality inspector": (
        "Inspected {many} parts a shift to sampling plans",
        "Wrote nonconformance reports and followed them up",
        "Calibrated gauges for {few} lines",
        "Took part in customer audits",
    ),
    "maintenance technician": (
        "Repaired conveyors, motors and hydraulics on {few} lines",
        "Did preventive maintenance on {many} machines, forklifts among them",
        "Found faults with meter and PLC screens",
        "Raised uptime by {few} percent",
    ),
    "general laborer": (
        "Poured and finished concrete and stripped forms",
        "Unloaded materials and kept the site clean",
        "Flagged traffic and spotted for equipment operators",
        "Demolished interiors of {few} floors",
    ),
    "carpenter": (
        "Framed walls and set trusses on {many} houses",
        "Built and stripped wall forms",
        "Hung doors and hardware on {few} floors",
        "Laid out from prints",
    ),
    "electrician": (
        "Bent conduit and pulled wire for {few}-story buildings",
        "Wired panels and motor controls to code",
        "Found and cleared faults in 480V equipment",
        "Mentored {few} apprentices",
    ),
    "crane operator": (
        "Ran mobile cranes up to {many} tons",
        "Read load charts and planned lifts with riggers",
        "Inspected wire rope and rigging daily",
        "Set steel for {few}-story buildings",
    ),
    "site safety officer": (
        "Held weekly toolbox talks for crews of {many}",
        "Taught the 10-hour course to new hires",
        "Wrote job hazard analyses and incident reports",
        "Went {few}00 days without a lost-time injury",
    ),
    "food production worker": (
        "Ran a packaging line of {many} cartons an hour",
        "Cleaned and sanitized equipment to GMP",
        "Logged temperatures in {few} cold rooms",
        "Weighed and labeled finished goods",
    ),
    "line cook": (
        "Ran the grill for {many} covers a night",
        "Prepared sauces and stocks",
        "Kept temperatures and labels in order",
        "Ordered for {few} stations",
    ),
    "retail clerk": (
        "Served customers and kept shelves full",
        "Unloaded the weekly truck with a pallet jack",
        "Counted {few} departments at year's end",
    ),
}
HEADINGS = {
    "summary": ("Summary", "Professional summary", "Profile", "About me"),
    "experience": ("Experience", "Work history", "Employment", "Work experience"),
    "certifications": ("Certifications", "Licenses and certifications", "Certificates and training"),
    "education": ("Education", "Education and training"),
    "skills": ("Skills", "Strengths"),
}
SUMMARIES = (
    "{title} with {years} of experience in {place}. {strength}. {wish}",
    "Reliable {title}, {years} in the trade. {wish} {strength}.",
    "{years} as {article} {title}. {strength}. Based in {place}. {wish}",
    "I have worked {years} as {article} {title} and live in {place}. {strength}. {wish}",
    "Hands-on {title}. {strength}. {years} on the job, most of it around {place}. {wish}",
)
STRENGTHS = (
    "Known for perfect attendance", "Safety comes first, always", "Quick to learn new equipment",
    "Works well alone or with a crew", "Used to fast-paced sites and overtime", "No lost-time accidents",
    "Comfortable training new hires", "Clean background and drug screen",
)  # fmt: skip
WISHES = {
    "day": ("Looking for first shift.", "Prefers days."),
    "evening": ("Looking for second shift.", "Open to evenings."),
    "night": ("Looking for third shift.", "Prefers nights."),
    "any": ("Open to any shift.", "Flexible on hours, weekends included."),
}
# In résumés of people who do not have a certificate: what makes a search stumble.
LAPSED = (
    "{written} (expired {when})",
    "{written}, lapsed {when}, renewal planned",
    "{written} - ran out {when}, not renewed",
    "Previously held: {written} (until {when})",
)
ENROLLED = (
    "Enrolled in the {written} course, starts next month",
    "{written}: class booked, not yet taken",
    "Willing to take {written}",
)
VALID = (
    "{written}", "{written}, valid through {until}", "{written} (issued {when})", "{written}, current",
    "{written} - {when}",
)  # fmt: skip
ACROSS = (
    "Would also take work across the line in {state}.",
    "Willing to relocate to {state}.",
    "Worked several seasons in {state}.",
)
SCHOOLING = {
    "high school": ("{school} High School, diploma, {year}", "High school diploma, {school} High School ({year})"),
    "GED": ("GED, {year}", "High school equivalency (GED), {year}"),
    "trade school": ("{school} Vocational Center, certificate, {year}", "{school} Technical Institute, {year}"),
    "associate degree": ("Associate degree, {school} Community College, {year}",),
}
