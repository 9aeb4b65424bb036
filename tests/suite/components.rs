//! Components that only the tests need. They are built when the first test asks
//! for them, since a build script can't tell a build of the tests from any other.

use std::path::Path;

#[path = "../../host-harness/build/component.rs"]
mod component;

/// Builds a package of this workspace.
pub fn build(package: &str, features: &[&str]) -> Vec<u8> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // Beside the folder of the tests' own files; the same one in which the
    // build script builds connectors, so that their dependencies are there.
    let mut target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("connector");
    target_dir.extend(features);
    let file = component::build(&workspace, package, features, &target_dir)
        .unwrap_or_else(|problem| panic!("{}\n  hint: run `{}`", problem.cause, problem.command));
    std::fs::read(file).expect("it was built just now")
}

/// The component with other text behind `name`, where it has room for 32 bytes.
pub fn with_slot(component: &[u8], name: &[u8; 32], text: &str) -> Vec<u8> {
    let mut component = component.to_owned();
    let found = component
        .windows(name.len())
        .position(|window| window == name)
        .expect("it is in there");
    let slot = &mut component[found + name.len()..][..32];
    slot.fill(b' ');
    slot[..text.len()].copy_from_slice(text.as_bytes());
    component
}

/// The component with `new` wherever `old` was. Both are of the same length, so
/// that nothing moves.
pub fn with_text(component: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len(), "nothing may move");
    let mut component = component.to_owned();
    let places: Vec<usize> = component
        .windows(old.len())
        .enumerate()
        .filter(|(_, window)| *window == old)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "it is in there");
    for at in places {
        component[at..at + new.len()].copy_from_slice(new);
    }
    component
}
