//! The misbehaviours by name. Each theme is a file and lists its own.

use crate::seen::Seen;
use crate::{exhaustion, flooding, headers, levels, places, saying, snooping};

/// A name, in kebab case, and what it stands for.
pub type Misbehaviour = (&'static str, fn(&mut Seen));

const THEMES: [&[Misbehaviour]; 7] = [
    levels::MISBEHAVIOURS,
    places::MISBEHAVIOURS,
    headers::MISBEHAVIOURS,
    snooping::MISBEHAVIOURS,
    flooding::MISBEHAVIOURS,
    exhaustion::MISBEHAVIOURS,
    saying::MISBEHAVIOURS,
];

pub fn named(name: &str) -> Option<fn(&mut Seen)> {
    THEMES
        .iter()
        .flat_map(|theme| theme.iter())
        .find(|(known, _)| *known == name)
        .map(|(_, misbehave)| *misbehave)
}
