//! What is no connector is not loaded, and the message says why.

use host_harness::{Connector, LoadError};

use crate::support::{connector, engine, run};

fn load(bytes: &[u8]) -> LoadError {
    run(async { Connector::load(engine(), bytes).await }).expect_err("it is no connector")
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

#[test]
fn files_that_are_no_components_are_told_apart() {
    assert!(matches!(load(b""), LoadError::NotWasm));
    assert!(matches!(load(b"#!/bin/sh\n"), LoadError::NotWasm));
    assert!(matches!(
        load(&component("(module)")),
        LoadError::CoreModule
    ));
    assert!(matches!(
        load(b"\0asm\x0d\0\x01\0\xff\xff\xff"),
        LoadError::Invalid(_)
    ));
    let whole = host_harness::connector::BUNDLED;
    assert!(matches!(
        load(&whole[..whole.len() / 2]),
        LoadError::Invalid(_)
    ));
}

#[test]
fn a_component_that_wants_sockets_or_files_is_refused_by_name() {
    for import in ["wasi:sockets/tcp@0.2.0", "wasi:filesystem/preopens@0.2.3"] {
        let error = load(&component(&format!(
            "(component (import \"{import}\" (instance)))"
        )));
        assert!(matches!(error, LoadError::ForbiddenImports(_)), "{error}");
        assert!(error.to_string().contains(import), "{error}");
    }
}

#[test]
fn a_component_that_wants_what_nobody_has_is_refused_by_name() {
    for import in [
        "acme:host/log@1.0.0",
        "wasi:http/outgoing-handler@0.3.0",
        "wasi:keyvalue/store@0.2.0",
    ] {
        let error = load(&component(&format!(
            "(component (import \"{import}\" (instance)))"
        )));
        assert!(matches!(error, LoadError::UnknownImports(_)), "{error}");
        assert!(error.to_string().contains(import), "{error}");
    }
}

#[test]
fn another_version_of_the_contract_is_told_with_both_versions() {
    let text = "(component (instance $i) (export \"iga:connector/metadata@0.7.0\" (instance $i)))";
    let error = load(&component(text));
    assert!(
        matches!(error, LoadError::UnsupportedContract { .. }),
        "{error}"
    );
    let said = error.to_string();
    assert!(
        said.contains("iga:connector@0.7.0") && said.contains("iga:connector@0.1.0"),
        "{said}"
    );
}

#[test]
fn a_component_without_the_required_exports_is_refused() {
    let error = load(&component("(component)"));
    assert!(matches!(error, LoadError::MissingExports(_)), "{error}");
    assert!(error.to_string().contains("metadata.describe"), "{error}");
}

#[test]
fn every_load_error_says_what_to_do() {
    for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"] {
        assert!(!load(bytes).hint().is_empty());
    }
}

#[test]
fn the_bundled_connector_imports_standard_wasi_only_and_declares_what_it_exports() {
    let connector = connector();
    let declared: Vec<&str> = connector
        .descriptor()
        .capabilities
        .iter()
        .map(|capability| capability.name.as_str())
        .collect();
    for function in connector.functions() {
        assert!(
            declared.contains(&function) || function == "metadata.describe",
            "{function} is not declared"
        );
    }
}

/// The size that the project has set itself for the component.
#[test]
fn the_bundled_connector_keeps_to_its_budget() {
    let manifest: toml::Table = include_str!("../../guest/Cargo.toml")
        .parse()
        .expect("a manifest");
    let budget = manifest["package"]["metadata"]["component"]["max-bytes"]
        .as_integer()
        .expect("a number of bytes");
    let size = host_harness::connector::BUNDLED.len();
    assert!(
        i64::try_from(size).is_ok_and(|size| size <= budget),
        "{size} bytes, of {budget}"
    );
}
