//! The bundled connector conforms.

use crate::command_line::harness;

#[test]
fn the_bundled_connector_conforms_on_the_simulator() {
    let output = harness().args(["conformance"]).output().expect("it runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}
