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
    let mut reader = Reader {
        rest: document,
        length: document.len(),
        values_left: MAX_VALUES,
    };
    let json = reader.value(0)?;
    match reader.token() {
        None => Ok(json),
        Some(_) => Err(reader.flaw("something follows the value")),
    }
}

struct Reader<'d> {
    rest: &'d [u8],
    length: usize,
    values_left: u32,
}

impl Reader<'_> {
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
        self.next();
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
        self.next();
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
        if self.take(b',') {
            Ok(false)
        } else if self.take(end) {
            Ok(true)
        } else {
            Err(self.flaw("there is neither a `,` nor an end"))
        }
    }

    fn word(&mut self) -> Result<Json, Flaw> {
        for (word, json) in [
            ("null", Json::Null),
            ("true", Json::Flag(true)),
            ("false", Json::Flag(false)),
        ] {
            if let Some(rest) = self.rest.strip_prefix(word.as_bytes()) {
                self.rest = rest;
                return Ok(json);
            }
        }
        Err(self.flaw("there is no value"))
    }

    /// Null for those that are not whole, or beyond what is counted.
    fn number(&mut self) -> Result<Json, Flaw> {
        let start = self.rest;
        self.next_if(b"-");
        let begins_with_zero = self.next_if(b"0");
        let mut is_sound = self.digits() != begins_with_zero;
        let mut is_whole = true;
        if self.next_if(b".") {
            is_whole = false;
            is_sound &= self.digits();
        }
        if self.next_if(b"eE") {
            is_whole = false;
            self.next_if(b"+-");
            is_sound &= self.digits();
        }
        if !is_sound {
            return Err(self.flaw("a number is none"));
        }
        let (number, _) = start.split_at(start.len() - self.rest.len());
        let number = std::str::from_utf8(number).ok().filter(|_| is_whole);
        let number = number.and_then(|number| number.parse().ok());
        Ok(number.map_or(Json::Null, Json::Number))
    }

    /// Whether there are digits.
    fn digits(&mut self) -> bool {
        let mut are_there = false;
        while self.next_if(b"0123456789") {
            are_there = true;
        }
        are_there
    }

    fn text(&mut self) -> Result<String, Flaw> {
        self.next();
        let mut text = String::new();
        loop {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
            let end = self.rest.iter().position(is_special);
            let (plain, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            match std::str::from_utf8(plain) {
                Ok(plain) => text.push_str(plain),
                Err(_) => return Err(self.flaw("a text is not UTF-8")),
            }
            self.rest = rest;
            match self.next() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => text.push(self.escaped()?),
                Some(_) => return Err(self.flaw("there is a control character in a text")),
                None => return Err(self.flaw("a text does not end")),
            }
        }
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
        while self.next_if(b" \t\n\r") {}
        self.rest.first().copied()
    }

    /// Takes the next byte that is no white space if it is that.
    fn take(&mut self, byte: u8) -> bool {
        let is_it = self.token() == Some(byte);
        if is_it {
            self.next();
        }
        is_it
    }

    fn next_if(&mut self, any: &[u8]) -> bool {
        let is_one = self.rest.first().is_some_and(|byte| any.contains(byte));
        if is_one {
            self.next();
        }
        is_one
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn flaw(&self, what: &'static str) -> Flaw {
        Flaw {
            what,
            at: self.length - self.rest.len(),
        }
    }
}
