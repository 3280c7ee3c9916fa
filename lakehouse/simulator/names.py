"""Invented people and places. Any likeness is chance; the postcodes belong to the cities."""

FIRST_NAMES = (
    "Aaliyah", "Adam", "Aiko", "Alejandro", "Amara", "Andrei", "Anna", "Arjun", "Beatriz", "Ben",
    "Camille", "Carlos", "Chloë", "Dana", "Daniel", "Elena", "Emeka", "Emma", "Farid", "Fiona",
    "Gabriel", "Grace", "Hana", "Hassan", "Ines", "Isaac", "Ivy", "Jakub", "Jasmine", "José",
    "Kenji", "Laila", "Leo", "Lin", "Lucía", "Marco", "Maya", "Mei", "Mohammed", "Nadia",
    "Noah", "Olga", "Omar", "Priya", "Quinn", "Rosa", "Sam", "Siobhán", "Tariq", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Adeyemi", "Ahmed", "Baker", "Becker", "Brown", "Castillo", "Chen", "Cohen", "Díaz",
    "Dubois", "Evans", "Fischer", "Garcia", "Gonzalez", "Green", "Gupta", "Haddad", "Hughes",
    "Ito", "Jackson", "Johnson", "Kaya", "Khan", "Kim", "Kowalski", "Lee", "Lopez", "Martin",
    "Mbeki", "Meyer", "Miller", "Nguyen", "Novak", "O'Brien", "Okafor", "Park", "Patel", "Petrov",
    "Reyes", "Rossi", "Santos", "Sato", "Silva", "Singh", "Smith", "Torres", "Walker", "Wang",
    "Young",
)  # fmt: skip
STREETS = (
    "Alder Way", "Bay Street", "Cedar Lane", "Dune Road", "Elm Street", "Foothill Blvd",
    "Grand Ave", "Harbor Drive", "Iris Court", "Juniper St", "Kings Road", "Lake View",
    "Maple Ave", "Oak Hill",
    "Park Place, Apt 4", "Quarry Road", "River Walk", "Sunset Blvd", "Third Street", "Vine Street",
)  # fmt: skip
# city, state, least and greatest postcode
CITIES = (
    ("Los Angeles", "CA", 90001, 90089),
    ("San Diego", "CA", 92101, 92139),
    ("San Jose", "CA", 95110, 95139),
    ("San Francisco", "CA", 94102, 94134),
    ("Fresno", "CA", 93701, 93730),
    ("Sacramento", "CA", 95811, 95838),
    ("Long Beach", "CA", 90802, 90815),
    ("Oakland", "CA", 94601, 94621),
    ("Boston", "MA", 2108, 2137),
    ("Phoenix", "AZ", 85003, 85054),
)
