//! Timestamps in parameters and answers.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Call, Refusal};

/// Reads ISO 8601; without an offset it is UTC.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    // A `+` that a client did not escape arrives as a space.
    let text = text
        .trim()
        .replacen(' ', if text.contains('T') { "+" } else { "T" }, 1);
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let wall = text.parse::<jiff::civil::DateTime>().ok()?;
    TimeZone::UTC.to_timestamp(wall).ok()
}

pub(crate) fn param(call: &Call, name: &str) -> Result<Option<Timestamp>, Refusal> {
    call.param(name)
        .map(|text| parse(text).ok_or_else(|| bad_range(name)))
        .transpose()
}

fn bad_range(name: &str) -> Refusal {
    Refusal::new(400, 2004, &format!("bad {name} value"))
}

/// `since` and `until`, if either is given; `span` fills in the other end.
pub(crate) fn range(
    call: &Call,
    now: Timestamp,
    span: SignedDuration,
) -> Result<Option<(Timestamp, Timestamp)>, Refusal> {
    let (since, until) = (param(call, "since")?, param(call, "until")?);
    if since.is_none() && until.is_none() {
        return Ok(None);
    }
    let since = since.unwrap_or(now);
    let until = match until {
        Some(until) => until,
        None => since.checked_add(span).map_err(|_| bad_range("since"))?,
    };
    if until < since {
        return Err(Refusal::dates("until must not be before since"));
    }
    Ok(Some((since, until)))
}

/// `since` and `until`, both required.
pub(crate) fn required_range(call: &Call) -> Result<(Timestamp, Timestamp), Refusal> {
    let (Some(since), Some(until)) = (param(call, "since")?, param(call, "until")?) else {
        return Err(Refusal::new(400, 2003, "Missing Arguments"));
    };
    if until < since {
        return Err(Refusal::dates("until must not be before since"));
    }
    Ok((since, until))
}

/// The zone that a request wants its times in.
pub(crate) fn zone(call: &Call, default: &str) -> Result<TimeZone, Refusal> {
    let name = call.param("time_zone").unwrap_or(default);
    TimeZone::get(name).map_err(|_| Refusal::invalid("Time zone is invalid"))
}

/// With the zone's offset, `Z` for UTC.
pub(crate) fn in_zone(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    if zoned.offset().seconds() == 0 {
        utc(at)
    } else {
        zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

pub(crate) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
