//! A description that makes no sense is refused before anything is called.

use host_harness::LoadError;

use super::load;

#[test]
fn a_connector_that_declares_what_makes_no_sense_does_not_load() {
    for (variant, said) in [
        ("delete-is-a-read", "calls `DELETE /users/{id}` a read"),
        ("a-read-that-writes", "is a read, and declares the change"),
        ("a-method-that-is-none", "declares the method"),
        ("a-path-that-climbs", "which is no template"),
        ("more-than-it-exports", "which it does not export"),
        ("plain-http", "would send the credential in the clear"),
        ("the-credential-in-a-cookie", "not a credential header"),
        ("settings-that-are-no-schema", "settings"),
    ] {
        let error = load(variant).expect_err(variant);
        assert!(matches!(error, LoadError::Description(_)), "{error}");
        assert!(error.to_string().contains(said), "{variant}: {error}");
        assert_eq!(error.hint(), "this is a defect of the connector");
    }
    for (variant, said) in [
        ("uses-the-network", "it used the network"),
        ("panics", "unreachable"),
    ] {
        let error = load(variant).expect_err(variant);
        assert!(matches!(error, LoadError::Describe(_)), "{error}");
        assert!(error.to_string().contains(said), "{variant}: {error}");
    }
}
