"""The staffing story: an invented agency's workers, certificates, clients, contracts, fills and résumés.

Nobody in it is real: names are put together from lists, telephone numbers are of the fictional
range 555-01xx, addresses end in example.com. The same seed gives the same story.
"""
