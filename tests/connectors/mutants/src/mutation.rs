//! In which way the connector is broken.

use std::hint::black_box;

/// The tests write the name of a mutation over the second part of this text in
/// the component's bytes, up to a space. As it is built, the connector is sound.
static MUTATION: [u8; 64] = *b"the-mutant-connector-differs-in:nothing                         ";

/// Whether it is broken in this way.
pub fn is(name: &str) -> bool {
    // Read at run time, whatever the compiler thinks to know of its value.
    let text = String::from_utf8_lossy(black_box(&MUTATION)).into_owned();
    text.split_once(':')
        .is_some_and(|(_, mutation)| mutation.trim_end() == name)
}
