//! How the connector is linked: what is about its size.

use std::env;

/// A stack that nothing here comes near. It lies below the data (or an overflow
/// would write over them), and at the default of twice as much each address of
/// data takes a byte more in the code.
const STACK: u32 = 512 * 1024;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-zstack-size={STACK}");
    // The linker leaves room for the largest number in each call and address,
    // unless it is told; it can't with what debuggers need.
    let is_for_debugging = env::var("DEBUG").is_ok_and(|debug| debug != "false");
    if !is_for_debugging && env::var("OPT_LEVEL").is_ok_and(|level| level == "z") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
