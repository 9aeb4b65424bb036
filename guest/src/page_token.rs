//! Page tokens: a cursor that the host keeps between two calls.
//!
//! A token is base64url of a version, the function that gave it, the cursor as
//! JSON, and a checksum. The checksum is against accidents (a token cut short,
//! or of another connector), not against forgers: a forged cursor can make the
//! caller miss rows of their own tenant, no more. Cursors therefore check their
//! ranges, and hold nothing secret.

use crate::errors::{Error, ErrorCode, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

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
pub trait Cursor: Serialize + DeserializeOwned {
    /// Whether every value is in its range.
    fn is_valid(&self) -> bool;
}

/// The token of a cursor.
pub fn encode<C: Cursor>(function: Function, cursor: &C) -> Result<String> {
    let mut bytes = vec![VERSION, function as u8];
    serde_json::to_writer(&mut bytes, cursor)
        .map_err(|error| Error::new(ErrorCode::Internal, format!("page token: {error}")))?;
    bytes.extend(checksum(&bytes).to_be_bytes());
    let token = URL_SAFE_NO_PAD.encode(bytes);
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
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| refusal("it is not base64url"))?;
    let Some((body, sum)) = bytes.split_last_chunk::<4>() else {
        return Err(refusal("it is too short"));
    };
    if checksum(body).to_be_bytes() != *sum {
        return Err(refusal("its checksum is wrong"));
    }
    let [version, tag, json @ ..] = body else {
        return Err(refusal("it is too short"));
    };
    if *version != VERSION {
        return Err(refusal("another version of the connector gave it"));
    }
    if *tag != function as u8 {
        return Err(refusal("another function gave it"));
    }
    serde_json::from_slice(json)
        .ok()
        .filter(C::is_valid)
        .ok_or_else(|| refusal("its contents are out of range"))
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
