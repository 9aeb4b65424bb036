//! The ways in which a secret is written, so that it is recognised in each.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose};

/// The secret as it is, percent-encoded, in hexadecimal and in base64, each as
/// it also stands within a longer text. No form twice.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let form_encoded: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut forms = vec![secret.to_owned(), form_encoded];
    for capitals in [false, true] {
        let mut hexadecimal = String::with_capacity(bytes.len() * 2);
        let mut percent = String::with_capacity(bytes.len() * 3);
        for byte in bytes {
            let digits = if capitals {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            };
            hexadecimal.push_str(&digits);
            // Encoders differ in which signs they leave as they are; this one
            // leaves none.
            if byte.is_ascii_alphanumeric() {
                percent.push(char::from(*byte));
            } else {
                let _ = write!(percent, "%{digits}");
            }
        }
        forms.extend([hexadecimal, percent]);
    }
    for alphabet in [
        general_purpose::STANDARD_NO_PAD,
        general_purpose::URL_SAFE_NO_PAD,
    ] {
        // In `user:secret` or a whole header it starts at any of the three
        // bytes that make four characters.
        for before in 0..3 {
            let mut text = vec![0; before];
            text.extend_from_slice(bytes);
            let encoded = alphabet.encode(&text);
            // Without the characters that hold bits of what stands around it.
            forms.push(encoded[(before * 8).div_ceil(6)..text.len() * 8 / 6].to_owned());
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_in_each_form() {
        let secret = "y_NbAkKc+66ryYTWUXYEu";
        let forms = forms(secret);
        let recognised = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
        for text in [
            "token=y_NbAkKc+66ryYTWUXYEu&x",
            "y_NbAkKc%2B66ryYTWUXYEu",
            "y%5fNbAkKc%2b66ryYTWUXYEu",
            "795f4e62416b4b632b363672795954575558594575",
            "795F4E62416B4B632B363672795954575558594575",
        ] {
            assert!(recognised(text), "{text}");
        }
        for before in ["", "u", "u:", "us:", "Token token="] {
            for after in ["", "\n", ":x", ":xy"] {
                let text = format!("{before}{secret}{after}");
                assert!(recognised(&general_purpose::STANDARD.encode(&text)));
                assert!(recognised(&general_purpose::URL_SAFE.encode(&text)));
            }
        }
        assert!(!recognised("y_NbAkKc"));
    }
}
