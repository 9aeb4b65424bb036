//! Page tokens: a cursor that the host keeps between two calls.
//!
//! A token is base64url of a version, the function that gave it, the cursor as
//! JSON, and a checksum. The checksum is against accidents (a token cut short,
//! or of another connector), not against forgers: a forged cursor can make the
//! caller miss rows of their own tenant, no more. Cursors therefore check their
//! ranges, and hold nothing secret.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::json::Json;

/// Raised when a cursor's meaning changes, so that a swap of versions in the
/// middle of a walk is noticed.
const VERSION: u8 = 1;

/// Longest token accepted. The longest that is given holds PagerDuty's audit
/// cursor, which is capped well below.
const MAX_LENGTH: usize = 4096;

/// The functions that give tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// `directory.list-accounts`
    Accounts = 1,
    /// `directory.list-resources`
    Resources = 2,
    /// `directory.list-entitlements`
    Entitlements = 3,
    /// `directory.list-grants`
    Grants = 4,
    /// `activity.list-activity`
    Activity = 5,
}

/// Where to go on. `is_valid` bounds what a token may ask for.
pub trait Cursor: Sized {
    /// What a token holds of it.
    fn write(&self) -> Json<'static>;

    /// The inverse of `write`; none if something is missing.
    fn read(json: &Json) -> Option<Self>;

    /// Whether every value is in its range.
    fn is_valid(&self) -> bool;
}

/// The token of a cursor.
pub fn encode<C: Cursor>(function: Function, cursor: &C) -> Result<String> {
    let mut bytes = vec![version(), function as u8];
    let mut json = String::new();
    cursor.write().write(&mut json);
    bytes.extend(json.into_bytes());
    bytes.extend(checksum(&bytes).to_be_bytes());
    let token = to_base64url(&bytes);
    if token.len() > MAX_LENGTH {
        return Err(Error::invalid_response(
            "PagerDuty's cursor is too long for a page token",
        ));
    }
    Ok(token)
}

/// The cursor of a token that `function` gave.
pub fn decode<C: Cursor>(function: Function, token: &str) -> Result<C> {
    if token.len() > MAX_LENGTH {
        return Err(refusal("it is too long"));
    }
    let bytes = from_base64url(token).ok_or_else(|| refusal("it is not base64url"))?;
    let Some((body, sum)) = bytes.split_last_chunk::<4>() else {
        return Err(refusal("it is too short"));
    };
    if checksum(body).to_be_bytes() != *sum {
        return Err(refusal("its checksum is wrong"));
    }
    let [version, tag, json @ ..] = body else {
        return Err(refusal("it is too short"));
    };
    if *version != self::version() {
        return Err(refusal("another version of the connector gave it"));
    }
    if *tag != function as u8 {
        return Err(refusal("another function gave it"));
    }
    let json = Json::parse(json).ok();
    json.and_then(|json| C::read(&json))
        .filter(C::is_valid)
        .ok_or_else(|| refusal("its contents are out of range"))
}

#[cfg(not(feature = "second-version"))]
fn version() -> u8 {
    VERSION
}

#[cfg(feature = "second-version")]
fn version() -> u8 {
    crate::second_version::token_version(VERSION)
}

fn refusal(why: &str) -> Error {
    Error::new(
        ErrorCode::InvalidPageToken,
        format!("the page token can't be used: {why}"),
    )
    .hint("start the list over without a token")
}

/// FNV-1a, 32 bits: short, and enough to notice an accident.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, section 5, without padding. By hand: a crate that is made for
/// speed takes 8 KB.
fn to_base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for at in 0..3 {
            bits = bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..=chunk.len() {
            text.push(DIGITS[bits >> (18 - 6 * at) & 63].into());
        }
    }
    text
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for at in 0..4 {
            let digit = match chunk.get(at) {
                Some(byte) => DIGITS.iter().position(|digit| digit == byte)?,
                None => 0,
            };
            bits = bits << 6 | digit as u32;
        }
        let whole = &bits.to_be_bytes()[1..];
        bytes.extend(&whole[..chunk.len() - 1]);
    }
    // Bits that are left over, or a digit too many, make another text.
    (to_base64url(&bytes) == text).then_some(bytes)
}
