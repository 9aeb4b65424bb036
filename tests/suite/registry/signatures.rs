//! Who made a component.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use host_harness::registry::{
    LoadFailure, LoadRequest, SignatureError, SignaturePolicy, Stage, TrustedKeys,
    audit::AuditEvent,
};
use rcgen::{KeyPair, SigningKey};

use super::{config, last, load, open, serving, version};
use crate::support::run;

/// As minisign signs, in its form without a hash.
struct Signer {
    key: KeyPair,
    id: [u8; 8],
}

impl Signer {
    fn new(id: u8) -> Self {
        Self {
            key: KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key"),
            id: [id; 8],
        }
    }

    fn public(&self, name: &str) -> String {
        let key = [b"Ed", &self.id[..], self.key.public_key_raw()].concat();
        format!("untrusted comment: {name}\n{}\n", STANDARD.encode(key))
    }

    fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.key.sign(bytes).expect("signed");
        let comment = "timestamp:1700000000";
        let both = [&signature[..], comment.as_bytes()].concat();
        let global = self.key.sign(&both).expect("signed");
        format!(
            "untrusted comment: made by a test\n{}\ntrusted comment: {comment}\n{}\n",
            STANDARD.encode([b"Ed", &self.id[..], &signature].concat()),
            STANDARD.encode(global)
        )
    }
}

fn keys(folder: &Path, signers: &[(&str, &Signer)]) -> TrustedKeys {
    let text: String = signers
        .iter()
        .map(|(name, signer)| signer.public(name))
        .collect();
    let file = folder.join("trusted.pub");
    fs::write(&file, text).expect("written");
    TrustedKeys::read(&file).expect("keys")
}

#[test]
fn where_signatures_are_required_only_trusted_ones_let_a_component_in() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (ada, bob, eve) = (Signer::new(1), Signer::new(2), Signer::new(3));
        let mut config = config(folder.path());
        let trusted = keys(folder.path(), &[("ada", &ada), ("bob", &bob)]);
        config.signatures = SignaturePolicy::Require(trusted);
        let registry = open(config).await;
        let component = version("0.1.0");
        let other = version("0.1.1");
        let invalid = SignatureError::Invalid {
            signer: "ada".to_owned(),
        };
        for (request, expected) in [
            (load(&component), SignatureError::Missing),
            (
                load(&component).signature("what is this?"),
                SignatureError::Malformed,
            ),
            (
                load(&component).signature(&eve.sign(&component)),
                SignatureError::UnknownKey,
            ),
            (load(&component).signature(&ada.sign(&other)), invalid),
        ] {
            let failure = registry.load(request.accept(true)).await;
            let failure = failure.expect_err("it is refused");
            assert_eq!(failure.stage(), Stage::Signature);
            assert!(
                matches!(&failure, LoadFailure::Signature(error) if *error == expected),
                "{failure}"
            );
            assert!(!failure.hint().is_empty());
        }
        assert!(registry.current("pagerduty").is_none());

        // From a file, with the signature beside it.
        let file = folder.path().join("connector.wasm");
        fs::write(&file, &component).expect("written");
        fs::write(
            folder.path().join("connector.wasm.minisig"),
            bob.sign(&component),
        )
        .expect("written");
        let report = registry.load(LoadRequest::file(&file, "ada")).await;
        assert_eq!(report.expect("it is signed").signer.as_deref(), Some("bob"));
        let swap = last(&registry, AuditEvent::Swap);
        assert_eq!(swap.component.signer.as_deref(), Some("bob"));
        assert!(swap.component.sha256.is_some());
    });
}

#[test]
fn where_signatures_are_wanted_their_lack_is_a_warning_and_a_forgery_is_refused() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let ada = Signer::new(1);
        let mut config = config(folder.path());
        config.signatures = SignaturePolicy::Warn(keys(folder.path(), &[("ada", &ada)]));
        let registry = open(config).await;
        let report = registry.load(load(&version("0.1.0"))).await;
        let report = report.expect("it is let in");
        assert_eq!(report.warning.as_deref(), Some("it is not signed"));
        assert_eq!(report.signer, None);
        let forged = load(&version("0.1.1")).signature(&ada.sign(b"something else"));
        registry.load(forged).await.expect_err("it was changed");
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
    });
}

#[test]
fn a_file_that_minisign_itself_has_signed_by_its_hash_is_let_in_and_no_other() {
    // From the documentation of `minisign-verify`: signs the text `test`.
    const KEY: &str = "untrusted comment: the author\n\
        RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("trusted.pub");
        fs::write(&file, KEY).expect("written");
        let mut config = config(folder.path());
        config.signatures = SignaturePolicy::Require(TrustedKeys::read(&file).expect("a key"));
        let registry = open(config).await;
        for (bytes, stage) in [
            // Whose it is is known; that it is no component shows later.
            (&b"test"[..], Stage::Verify),
            (b"Test", Stage::Signature),
        ] {
            let failure = registry.load(load(bytes).signature(SIGNATURE)).await;
            let failure = failure.expect_err("it is no component");
            assert_eq!(failure.stage(), stage, "{failure}");
        }
        let refused = registry.history(None).expect("the chain holds");
        assert_eq!(refused[0].component.signer.as_deref(), Some("the author"));
        assert_eq!(refused[1].component.signer, None);
    });
}

#[test]
fn a_candidate_s_signature_is_checked_once_more_by_the_keys_of_that_day() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (ada, bob) = (Signer::new(1), Signer::new(2));
        let next = version("0.2.0");
        let required = |signers: &[(&str, &Signer)]| {
            let mut config = config(folder.path());
            config.signatures = SignaturePolicy::Require(keys(folder.path(), signers));
            config
        };
        let registry = open(required(&[("ada", &ada), ("bob", &bob)])).await;
        let first = version("0.1.0");
        let first = load(&first).signature(&bob.sign(&first));
        registry.load(first).await.expect("it is signed");
        let staged = registry.stage(load(&next).signature(&ada.sign(&next)));
        assert_eq!(staged.await.expect("signed").signer.as_deref(), Some("ada"));
        registry.close().await.expect("it is closed");

        let registry = open(required(&[("bob", &bob)])).await;
        let waits = registry.list()[0].candidate.clone().expect("it waits");
        assert_eq!(waits.signer.as_deref(), Some("ada"));
        let failure = registry.swap_candidate("pagerduty", "bob", true).await;
        let failure = failure.expect_err("her key is not trusted any more");
        assert_eq!(failure.stage(), Stage::Signature);
        assert_eq!(serving(&registry).as_deref(), Some("0.1.0"));
        registry.close().await.expect("it is closed");

        let registry = open(required(&[("ada", &ada)])).await;
        let report = registry.swap_candidate("pagerduty", "bob", false).await;
        assert_eq!(report.expect("it is signed").signer.as_deref(), Some("ada"));
        assert_eq!(serving(&registry).as_deref(), Some("0.2.0"));
    });
}
