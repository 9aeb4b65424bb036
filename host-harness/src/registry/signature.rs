//! Who made a component: signatures in minisign's format, beside the component as
//! `NAME.minisig`, checked against a file of trusted keys.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use minisign_verify::{PublicKey, Signature};

use super::built_in::BUILT_IN;
use crate::text::printable;

/// What a signature is needed for.
#[derive(Clone, Debug, Default)]
pub enum SignaturePolicy {
    /// Nothing is loaded without the signature of a trusted key.
    Require(TrustedKeys),
    /// What is not signed, or by somebody unknown, is loaded with a warning. A
    /// signature of a trusted key that does not fit is refused all the same:
    /// somebody has changed the component.
    Warn(TrustedKeys),
    /// Nobody looks.
    #[default]
    Off,
}

/// Keys whose signatures count. Cheap to clone.
#[derive(Clone)]
pub struct TrustedKeys(Arc<[(String, PublicKey)]>);

impl TrustedKeys {
    /// Reads a file of public keys as minisign writes them, one after the other:
    /// the comment line is the signer's name.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = fs::read_to_string(path).map_err(|cause| KeyFileError::Read {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(&text).map_err(|line| KeyFileError::Parse {
            path: path.to_owned(),
            line,
        })
    }

    /// The number of the line that is no key, if there is one.
    fn parse(text: &str) -> Result<Self, usize> {
        let mut keys = Vec::new();
        let mut name = None;
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(comment) = line.strip_prefix("untrusted comment:") {
                name = Some(printable(comment.trim()).into_owned());
                continue;
            }
            let key = PublicKey::from_base64(line).map_err(|_| at + 1)?;
            let name = name.take().filter(|name| !name.is_empty());
            keys.push((name.unwrap_or_else(|| line.to_owned()), key));
        }
        Ok(Self(keys.into()))
    }
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Why the file of trusted keys can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Could not be read.
    #[error("the trusted keys `{path}` can't be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A line that is no key.
    #[error("line {line} of the trusted keys `{path}` is no public key of minisign")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl KeyFileError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "put the public keys that `minisign -G` has written one after the other into the file"
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is none.
    #[error("it is not signed")]
    Missing,
    /// There is something else.
    #[error("its signature is not in minisign's format")]
    Malformed,
    /// Somebody whom nobody here knows.
    #[error("it is signed with a key that is not trusted")]
    UnknownKey,
    /// The component is not the one that was signed.
    #[error("its signature by `{signer}` does not fit: it is not what was signed")]
    Invalid {
        /// Whose signature it should be.
        signer: String,
    },
}

impl SignatureError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing | Self::Malformed => {
                "sign it with `minisign -Sm FILE`, and put the `.minisig` file beside it"
            }
            Self::UnknownKey => "add the signer's public key to the trusted keys",
            Self::Invalid { .. } => "get the component and its signature anew, and find out why",
        }
    }
}

/// What a look at the signature has shown.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seal {
    /// Whose signature it is.
    pub(super) signer: Option<String>,
    /// What the policy only warns about.
    pub(super) warning: Option<SignatureError>,
}

impl SignaturePolicy {
    /// Whether a component may go on to serve that was let in with that
    /// signer: the policy may have changed, and the keys.
    pub(super) fn permits(&self, signer: Option<&str>) -> bool {
        match self {
            Self::Off | Self::Warn(_) => true,
            Self::Require(keys) => signer.is_some_and(|signer| {
                signer == BUILT_IN || keys.0.iter().any(|(name, _)| name == signer)
            }),
        }
    }

    pub(super) fn check(
        &self,
        bytes: &[u8],
        signature: Option<&str>,
    ) -> Result<Seal, SignatureError> {
        let (keys, required) = match self {
            Self::Off => return Ok(Seal::default()),
            Self::Warn(keys) => (keys, false),
            Self::Require(keys) => (keys, true),
        };
        match keys.signer(bytes, signature) {
            Ok(signer) => Ok(Seal {
                signer: Some(signer),
                warning: None,
            }),
            Err(error @ SignatureError::Invalid { .. }) => Err(error),
            Err(error) if required => Err(error),
            Err(error) => Ok(Seal {
                signer: None,
                warning: Some(error),
            }),
        }
    }
}

impl TrustedKeys {
    fn signer(&self, bytes: &[u8], signature: Option<&str>) -> Result<String, SignatureError> {
        let signature = signature.ok_or(SignatureError::Missing)?;
        let signature = Signature::decode(signature).map_err(|_| SignatureError::Malformed)?;
        let mut result = SignatureError::UnknownKey;
        for (name, key) in self.0.iter() {
            // Both of minisign's kinds: over the file, and over its hash.
            match key.verify(bytes, &signature, true) {
                Ok(()) => return Ok(name.clone()),
                Err(minisign_verify::Error::UnexpectedKeyId) => {}
                Err(_) => {
                    result = SignatureError::Invalid {
                        signer: name.clone(),
                    };
                }
            }
        }
        Err(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign itself, from the documentation of `minisign-verify`.
    const KEY: &str = "untrusted comment: the author\n\
                       RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";

    #[test]
    fn a_signature_of_minisign_itself_is_accepted_for_its_file_alone() {
        let keys = TrustedKeys::parse(KEY).expect("a key");
        let policy = SignaturePolicy::Require(keys.clone());
        let seal = policy.check(b"test", Some(SIGNATURE)).expect("it fits");
        assert_eq!(seal.signer.as_deref(), Some("the author"));
        let changed = SignatureError::Invalid {
            signer: "the author".to_owned(),
        };
        assert_eq!(policy.check(b"Test", Some(SIGNATURE)), Err(changed.clone()));
        assert_eq!(
            SignaturePolicy::Warn(keys).check(b"Test", Some(SIGNATURE)),
            Err(changed)
        );
    }

    #[test]
    fn a_line_that_is_no_key_is_named() {
        assert_eq!(
            TrustedKeys::parse(&format!("{KEY}\nnonsense\n")).err(),
            Some(4)
        );
    }
}
