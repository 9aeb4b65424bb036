//! Names for generated people and things.

/// A name as it is written, and in ASCII for e-mail addresses.
pub(super) type Name = (&'static str, &'static str);

pub(super) const GIVEN: [Name; 40] = [
    ("José", "jose"), ("Łukasz", "lukasz"), ("Zoë", "zoe"), ("Ada", "ada"), ("Grace", "grace"),
    ("Wei", "wei"), ("Ngozi", "ngozi"), ("Søren", "soren"), ("Amélie", "amelie"), ("Fatima", "fatima"),
    ("Kenji", "kenji"), ("Priya", "priya"), ("Olga", "olga"), ("Mateo", "mateo"), ("Björn", "bjorn"),
    ("Chloé", "chloe"), ("Dmitri", "dmitri"), ("Aisha", "aisha"), ("Tomás", "tomas"), ("Ingrid", "ingrid"),
    ("Samuel", "samuel"), ("Noor", "noor"), ("Emeka", "emeka"), ("Hana", "hana"), ("Šárka", "sarka"),
    ("Liam", "liam"), ("Maya", "maya"), ("Jürgen", "juergen"), ("Elif", "elif"), ("Rosa", "rosa"),
    ("Anaïs", "anais"), ("Viktor", "viktor"), ("Leila", "leila"), ("Paulo", "paulo"), ("Kwame", "kwame"),
    ("Yuki", "yuki"), ("Nils", "nils"), ("Inés", "ines"), ("Arjun", "arjun"), ("Ruth", "ruth"),
];

pub(super) const FAMILY: [Name; 40] = [
    ("李", "li"), ("García", "garcia"), ("Nowak", "nowak"), ("Lovelace", "lovelace"), ("Hopper", "hopper"),
    ("O'Brien", "obrien"), ("Müller", "mueller"), ("Øberg", "oberg"), ("Dvořák", "dvorak"), ("Okafor", "okafor"),
    ("Tanaka", "tanaka"), ("Sharma", "sharma"), ("Ivanova", "ivanova"), ("Silva", "silva"), ("Lindqvist", "lindqvist"),
    ("Lefèvre", "lefevre"), ("Petrov", "petrov"), ("Rahman", "rahman"), ("Núñez", "nunez"), ("Haugen", "haugen"),
    ("Adler", "adler"), ("van der Berg", "vanderberg"), ("Eze", "eze"), ("Kobayashi", "kobayashi"), ("Novotná", "novotna"),
    ("Murphy", "murphy"), ("Cohen", "cohen"), ("Weiß", "weiss"), ("Yılmaz", "yilmaz"), ("Moreno", "moreno"),
    ("Dubois", "dubois"), ("Horvat", "horvat"), ("Haddad", "haddad"), ("Costa", "costa"), ("Mensah", "mensah"),
    ("Sato", "sato"), ("Jansen", "jansen"), ("Ortega", "ortega"), ("Patel", "patel"), ("Smith-Jones", "smithjones"),
];

pub(super) const TOPICS: [&str; 20] = [
    "Payments", "Platform", "Search", "Checkout", "Identity", "Data", "Mobile", "Network", "Storage",
    "Billing", "Security", "Frontend", "Messaging", "Analytics", "Observability", "Support", "Catalogue",
    "Shipping", "Machine Learning", "Database",
];

pub(super) const JOB_TITLES: [&str; 8] = [
    "Site Reliability Engineer", "Software Engineer", "Engineering Manager", "Support Engineer",
    "Product Manager", "Database Administrator", "Security Engineer", "Director of Operations",
];

pub(super) const COLORS: [&str; 8] = [
    "purple", "red", "green", "blue", "teal", "orange", "brown", "turquoise",
];

pub(super) const ZONES: [&str; 8] = [
    "Etc/UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata",
    "Africa/Nairobi", "Asia/Tokyo", "Australia/Sydney",
];

pub(super) const TROUBLES: [&str; 6] = [
    "error rate above 5 %", "disk almost full", "latency above 2 s", "host is down",
    "certificate expires soon", "queue is not drained",
];
