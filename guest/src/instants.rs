//! Instants: RFC 3339 in, RFC 3339 in UTC out, and nothing that needs a
//! time-zone database.

/// Milliseconds since 1970-01-01T00:00:00Z. PagerDuty never says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Seconds in a day; leap seconds do not exist here.
pub const DAY: i64 = 86_400;

impl Timestamp {
    /// Before all others.
    pub const MIN: Self = Self(i64::MIN);

    /// From a wall clock.
    pub fn from_unix(seconds: u64, nanoseconds: u32) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX / 1000);
        Self(
            seconds
                .saturating_mul(1000)
                .saturating_add(i64::from(nanoseconds / 1_000_000)),
        )
    }

    /// From milliseconds since 1970, as `millis` gives them.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// An RFC 3339 text with a zone.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, zone) = parse_local(text)?;
        Some(Self(local.checked_sub(parse_offset(zone)?)?))
    }

    /// A text without a zone that is known to be in UTC; one with a zone is
    /// read as it says.
    pub fn parse_assuming_utc(text: &str) -> Option<Self> {
        let (local, zone) = parse_local(text)?;
        if zone.is_empty() {
            return Some(Self(local));
        }
        Self::parse(text)
    }

    /// So many seconds later.
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The same without milliseconds.
    pub fn whole_second(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// RFC 3339 in UTC. Milliseconds appear only if there are any.
    pub fn to_rfc3339(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY * 1000));
        let rest = self.0.rem_euclid(DAY * 1000);
        let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
        let fraction = match rest % 1000 {
            0 => String::new(),
            millis => format!(".{millis:03}"),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }
}

/// The local time in milliseconds, and what follows it.
fn parse_local(text: &str) -> Option<(i64, &str)> {
    let year = digits(text.get(0..4)?)?;
    let month = digits(text.get(5..7)?)?;
    let day = digits(text.get(8..10)?)?;
    let hour = digits(text.get(11..13)?)?;
    let minute = digits(text.get(14..16)?)?;
    let second = digits(text.get(17..19)?)?;
    let separators = [4, 7, 10, 13, 16].map(|at| text.as_bytes().get(at).copied());
    let [
        Some(b'-'),
        Some(b'-'),
        Some(b'T' | b't' | b' '),
        Some(b':'),
        Some(b':'),
    ] = separators
    else {
        return None;
    };
    // 60 is a leap second; PagerDuty's clocks have none, the RFC does.
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut millis = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, after) = fraction.split_at_checked(length)?;
        if fraction.is_empty() {
            return None;
        }
        let mut scale = 100;
        for digit in fraction.bytes().take(3) {
            millis += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
        rest = after;
    }
    let seconds = days_since_1970(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some((seconds * 1000 + millis, rest))
}

/// `Z` or `+hh:mm`, in milliseconds.
fn parse_offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, zone) = match zone.strip_prefix('-') {
        Some(zone) => (-1, zone),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = zone.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(text: &str) -> Option<i64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-compatible low-level date algorithms": years that start in March
/// put the leap day at their end).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of `days_since_1970`.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
