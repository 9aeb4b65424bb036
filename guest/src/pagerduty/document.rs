//! The grammar of JSON (RFC 8259): a document in, a tree out.
//!
//! A tree of whole numbers, texts and flags needs little of what a library
//! brings for types of all kinds, which took 20 KB, and more time.

use crate::pagerduty::json::Json;
use std::fmt;

/// Values in one document. A page of 100 rows has some 30,000 at most; a value
/// of two bytes on the wire is up to 60 in memory, of which a guest has 64 MiB.
const MAX_VALUES: u32 = 250_000;
/// Lists and objects within each other. Each takes its part of the stack, and
/// PagerDuty sends ten.
const MAX_DEPTH: u32 = 128;

/// Why a document can't be read.
pub struct Flaw {
    what: &'static str,
    /// Bytes before it.
    at: usize,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// Reads a document.
pub fn read(document: &[u8]) -> Result<Json, Flaw> {
    let Ok(document) = std::str::from_utf8(document) else {
        return Err(Flaw {
            what: "there is something that is not UTF-8",
            at: 0,
        });
    };
    let mut reader = Reader {
        document,
        at: 0,
        values_left: MAX_VALUES,
    };
    let json = reader.value(0)?;
    match reader.token() {
        None => Ok(json),
        Some(_) => Err(reader.flaw("something follows the value")),
    }
}

struct Reader<'d> {
    document: &'d str,
    at: usize,
    values_left: u32,
}

impl<'d> Reader<'d> {
    fn value(&mut self, depth: u32) -> Result<Json, Flaw> {
        if depth > MAX_DEPTH {
            return Err(self.flaw("values lie too deep in each other"));
        }
        let left = self.values_left.checked_sub(1);
        self.values_left = left.ok_or_else(|| self.flaw("there are too many values"))?;
        match self.token() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Json, Flaw> {
        self.at += 1;
        let mut fields = Vec::new();
        let mut is_over = self.take(b'}');
        while !is_over {
            if self.token() != Some(b'"') {
                return Err(self.flaw("there is no name of a field"));
            }
            let name = self.text()?;
            if !self.take(b':') {
                return Err(self.flaw("there is no `:`"));
            }
            let value = self.value(depth + 1)?;
            // Calendar feeds: whoever has the address can read the calendar.
            // They do not get into the tree.
            if !name.ends_with("_cal_url") && name != "calendar_urls" {
                fields.push((name, value));
            }
            is_over = self.ends(b'}')?;
        }
        Ok(Json::Object(fields))
    }

    fn list(&mut self, depth: u32) -> Result<Json, Flaw> {
        self.at += 1;
        let mut values = Vec::new();
        let mut is_over = self.take(b']');
        while !is_over {
            values.push(self.value(depth + 1)?);
            is_over = self.ends(b']')?;
        }
        Ok(Json::List(values))
    }

    /// Whether a list or an object ends, or a comma says that it goes on.
    fn ends(&mut self, end: u8) -> Result<bool, Flaw> {
        match self.token() {
            Some(b',') => self.at += 1,
            Some(byte) if byte == end => {
                self.at += 1;
                return Ok(true);
            }
            _ => return Err(self.flaw("there is neither a `,` nor an end")),
        }
        Ok(false)
    }

    fn word(&mut self) -> Result<Json, Flaw> {
        let rest = self.since(self.at, self.document.len());
        for (word, json) in [
            ("null", Json::Null),
            ("true", Json::Flag(true)),
            ("false", Json::Flag(false)),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(json);
            }
        }
        Err(self.flaw("there is no value"))
    }

    /// Null for those that are not whole, or beyond what is counted.
    fn number(&mut self) -> Result<Json, Flaw> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let begins_with_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        let mut is_sound = digits == 1 || digits > 1 && !begins_with_zero;
        let mut is_whole = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_whole = false;
            is_sound &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            is_whole = false;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            is_sound &= self.digits() > 0;
        }
        if !is_sound {
            return Err(self.flaw("a number is none"));
        }
        let number = self.since(start, self.at).parse().ok();
        let number = number.filter(|_| is_whole);
        Ok(number.map_or(Json::Null, Json::Number))
    }

    /// How many digits follow.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn text(&mut self) -> Result<String, Flaw> {
        self.at += 1;
        let mut text = self.plain().to_owned();
        loop {
            match self.next() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => text.push(self.escaped()?),
                Some(_) => return Err(self.flaw("there is a control character in a text")),
                None => return Err(self.flaw("a text does not end")),
            }
            text.push_str(self.plain());
        }
    }

    /// What follows up to a quote, a backslash or a control character.
    fn plain(&mut self) -> &'d str {
        let start = self.at;
        let rest = self.document.as_bytes().get(start..).unwrap_or_default();
        let mut length = 0;
        // Eight bytes at a time, most texts being longer.
        for eight in rest.as_chunks().0 {
            let special = specials(u64::from_le_bytes(*eight));
            length += special.trailing_zeros() as usize / 8;
            if special != 0 {
                break;
            }
        }
        let tail = rest.get(length..).unwrap_or_default();
        let is_plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | ..b' ');
        length += tail.iter().take_while(is_plain).count();
        self.at += length;
        self.since(start, self.at)
    }

    fn escaped(&mut self) -> Result<char, Flaw> {
        let escaped = match self.next() {
            Some(byte @ (b'"' | b'\\' | b'/')) => Some(char::from(byte)),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => self.escaped_code(),
            _ => None,
        };
        escaped.ok_or_else(|| self.flaw("an escape in a text is none"))
    }

    /// What lies beyond the first 65,536 characters is written as two halves.
    fn escaped_code(&mut self) -> Option<char> {
        let code = self.code_unit()?;
        let half = code.wrapping_sub(0xd800);
        if half >= 0x400 {
            return char::from_u32(code);
        }
        let goes_on = self.next()? == b'\\' && self.next()? == b'u';
        let other = self.code_unit()?.wrapping_sub(0xdc00);
        (goes_on && other < 0x400)
            .then(|| char::from_u32(0x1_0000 + (half << 10) + other))
            .flatten()
    }

    fn code_unit(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(code)
    }

    /// The next byte that is no white space. It stays.
    fn token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                token => return token,
            }
        }
    }

    /// Takes the next byte that is no white space if it is that.
    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.token() == Some(byte);
        self.at += usize::from(is_it);
        is_it
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.document.as_bytes().get(self.at).copied()
    }

    /// What lies between two places. Both are beside a character of ASCII.
    fn since(&self, start: usize, end: usize) -> &'d str {
        self.document.get(start..end).unwrap_or_default()
    }

    fn flaw(&self, what: &'static str) -> Flaw {
        Flaw { what, at: self.at }
    }
}

/// The highest bit of each byte that is a quote, a backslash or a control
/// character. Those of bytes above the lowest such one may be wrong.
fn specials(eight: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let less_than = |bound: u64, bytes: u64| bytes.wrapping_sub(ONES * bound) & !bytes;
    let is = |byte: u8| less_than(1, eight ^ ONES * u64::from(byte));
    (less_than(0x20, eight) | is(b'"') | is(b'\\')) & ONES << 7
}
