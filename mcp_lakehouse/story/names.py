"""What people and companies are called. Every letter is in Windows-1252, which PDFs of one byte a letter can show."""

from __future__ import annotations

GIVEN = tuple(
    """
Aaliyah Aaron Abdi Adaeze Adriana Agnieszka Ahmed Aiko Aisha Alejandro Alexei Alicia Amara Amina Amir Ana Andre Anita
Anjali Antonio Arjun Armando Asha Ayodele Beatriz Ben Bianca Binh Brandon Brenda Brianna Bruno Calvin Camila Carlos
Carmen Cedric Chandra Chiara Chloe Christina Claire Colin Connor Cristina Curtis Dalia Damon Daniel Darius Darnell
Deepa Denise Deshawn Desmond Destiny Diego Dmitri Dolores Dominic Dorothy Dylan Ebony Eduardo Elena Eli Elijah Emeka
Emilia Enrique Erica Ernesto Esi Esther Ethan Evelyn Farah Farid Fatima Felix Fernando Florence Francisco Gabriela
Gerald Gloria Gordon Grace Graciela Gustavo Hana Hannah Harold Hassan Hector Heidi Henry Hiroshi Hugo Ian Ibrahim
Ignacio Imani Ines Irina Isaac Isabel Ivan Jamal Jamie Janelle Jasmine Javier Jerome Jessica Jin Joanna Joaquín Jonas
Jorge José Joy Juan Julia Kareem Karen Katarzyna Kayla Keisha Kenji Kevin Khalid Kofi Krystal Kwame Lamar Latoya Laura
Leila Leon Leticia Liam Linda Linh Lorenzo Lucía Luis Lydia Malik Manuel Marcus María Marisol Marta Martin Mateo Maya
Mei Melissa Miguel Mina Miriam Mohamed Monique Nadia Naomi Natalia Nathan Nia Nikhil Nina Noor Nora Octavio Olga Oliver
Omar Oscar Owen Pablo Patrice Patricia Paulina Pedro Peter Priya Quentin Rachel Rafael Ramón Ravi Rebecca Renée Ricardo
Rosa Ruben Ruth Salma Samuel Sandra Santiago Sean Sergio Shanice Sofía Stefan Tamika Tanya Tariq Teresa Terrence
Thandiwe Theo Thomas Tomás Trevor Tyrone Uma Valentina Vanessa Victor Vikram Vivian Wanda Wei Wesley Xavier Yasmin
Yolanda Yusuf Zainab Zoe
""".split()
)
FAMILY = tuple(
    """
Abara Acosta Adams Adeyemi Aguilar Ahmadi Alvarez Andersen Appiah Arroyo Asante Bailey Baker Banerjee Barnes Becker
Bell Beltrán Bennett Bhatt Blake Boateng Booker Brandt Briggs Brooks Bui Burke Byrne Caldwell Campos Cárdenas Carroll
Castillo Chan Chavez Chen Cho Clarke Coleman Contreras Cooper Cortez Costa Cruz Cunningham Dang Das Davenport Delgado
Desai Diallo Dixon Dominguez Dorsey Doyle Dubois Duong Edwards Ellis Eriksen Escobar Espinoza Evans Farah Fernandes
Figueroa Fischer Fleming Flores Foster Franklin Fuentes Gallagher García Gibson Gill Goldberg Gómez Gonzales Graham
Grant Greene Guerrero Gupta Gutierrez Hale Hampton Hansen Harper Hassan Hayes Henderson Hernández Hicks Hoang Holloway
Hossain Howard Huang Hughes Hussein Ibarra Ito Jackson James Jankowski Jansen Jefferson Jenkins Jensen Jiménez Johansson
Johnson Jordan Joshi Kamara Kaplan Kapoor Keller Kelly Khan Kim Kovacs Kowalski Kumar Lam Larsen Lawson Le Lewis Li
Lindqvist Liu Lombardi López Lozano Lucas Luna Mahmoud Maldonado Malone Mansour Marsh Martínez Mason Mbeki McBride
McCoy Medina Mehta Mejía Mendoza Mensah Meyer Mitchell Mohamud Molina Montoya Moore Morales Moreno Morgan Morris Moss
Müller Murphy Murray Musa Nair Navarro Nelson Newman Ngo Nguyen Nichols Novak Nowak Nuñez Nwosu Oakley O'Brien Ochoa
O'Connor Odom Okafor Okeke Oliveira Olsen Ortega Ortiz Osei Owens Pacheco Padilla Park Parker Patel Payne Peña Perkins
Petrov Pham Pierce Popescu Porter Powell Price Quinn Quintero Rahman Ramírez Ramos Rao Reed Reyes Rhodes Rice Richter
Rivera Robinson Rojas Romero Rossi Rowe Ruiz Russo Salazar Sanders Sandoval Santos Sato Schmidt Schultz Serrano Shah
Sharma Shaw Silva Simmons Singh Soto Spencer Stewart Stone Suárez Suzuki Swanson Tanaka Tate Taylor Thompson Torres
Tran Tucker Underwood Valdez Vargas Vasquez Vega Velasco Villanueva Vu Wade Walker Wallace Walsh Wang Ward Washington
Watkins Weaver Webb Weber West Whitaker Williams Wojcik Wong Wright Yamamoto Yang Young Zamora Zapata Zhang Zimmerman
""".split()
)
COMPANY = tuple(
    """
Amberline Bluestem Brightwater Calumet Cedarpoint Copperfield Crosswind Drumlin Eastbank Fairlane Fieldgate Foxglove
Graniteway Greatmark Harborline Hawthorn Hearthside Ironvale Juniper Keystream Lakeshore Larkfield Limestone Longacre
Maplegrove Meridale Millrace Northspan Oakmoor Overlook Pinecrest Prairiegate Quarry Redbrick Ridgeline Riverbend
Sablewood Saltmarsh Silverton Southfork Stonebridge Summitview Tallgrass Thornbury Timberlake Tradewind Twinpines
Upland Valleyview Wabashfield Westmoor Whitewater Wildrose Windrow Wolfcreek
""".split()
)
# The second half of a company's name, by what it does.
TRADE = {
    "warehousing": ("Distribution", "Logistics", "Fulfillment", "Warehousing", "Supply"),
    "transport": ("Freight", "Trucking", "Carriers", "Express", "Transport"),
    "manufacturing": ("Industries", "Manufacturing", "Components", "Fabrication", "Plastics"),
    "construction": ("Builders", "Construction", "Contracting", "Structures", "Concrete"),
    "food": ("Foods", "Provisions", "Kitchens", "Bakeries", "Cold Pack"),
}
SITE = {
    "warehousing": ("Distribution Center", "Fulfillment Center", "Cross-Dock", "Warehouse"),
    "transport": ("Terminal", "Freight Yard", "Hub", "Intermodal Ramp"),
    "manufacturing": ("Plant", "Works", "Assembly Plant", "Shop"),
    "construction": ("Job Site", "Tower Project", "Bridge Project", "School Project"),
    "food": ("Commissary", "Production Kitchen", "Bakery", "Packing House"),
}
SUFFIX = ("LLC", "Inc.", "Co.", "Group")
SCHOOL = (
    "Lincoln Park", "Roosevelt", "Washington", "Jefferson", "Eastview", "Northside", "Central", "Riverside", "Douglass",
    "St. Brendan", "Hillcrest", "Parkway", "Lakeside", "Kennedy", "Grant", "Westfield", "Franklin", "Cesar Chavez",
)  # fmt: skip
