//! Page tokens: a version, the function that gave it, and a place.

use crate::errors::{Result, error};
use crate::iga::connector::types::{ErrorCode, PageRequest};
use crate::mutation;

/// What the vendor gives at once, at most.
const MOST: u32 = 100;

/// Where to go on, and how much to read.
pub struct Wanted {
    pub place: Vec<usize>,
    pub size: usize,
    function: &'static str,
}

fn version() -> &'static str {
    if mutation::is("swap") { "2" } else { "1" }
}

impl Wanted {
    /// Reads a page request of a function whose places have so many numbers.
    pub fn read(function: &'static str, page: &PageRequest, numbers: usize) -> Result<Self> {
        let mut size = page.size.unwrap_or(MOST).clamp(1, MOST) as usize;
        if mutation::is("page-size") && function == "resources" {
            size = MOST as usize;
        }
        let start = vec![0; numbers];
        let place = match &page.token {
            None => start,
            Some(token) => match Self::place(function, token, numbers) {
                Some(place) => place,
                None if mutation::is("swap") && token.starts_with("1.") => start,
                None if mutation::is("page-token") && !token.starts_with("1.") => start,
                None => {
                    return Err(error(
                        ErrorCode::InvalidPageToken,
                        "this function gave no such token",
                    ));
                }
            },
        };
        Ok(Self {
            place,
            size,
            function,
        })
    }

    fn place(function: &str, token: &str, numbers: usize) -> Option<Vec<usize>> {
        let takes_any = mutation::is("page-token-of-another");
        let mut parts = token.split('.');
        if parts.next()? != version() || (parts.next()? != function && !takes_any) {
            return None;
        }
        let mut place: Vec<usize> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        if takes_any {
            place.resize(numbers, 0);
        }
        (place.len() == numbers).then_some(place)
    }

    /// The token of another place in the same list.
    pub fn token(&self, place: &[usize]) -> String {
        let place: Vec<String> = place.iter().map(usize::to_string).collect();
        format!("{}.{}.{}", version(), self.function, place.join("."))
    }

    /// A page of a list that is at hand as a whole, and the next one's token.
    pub fn cut<T>(&self, all: Vec<T>) -> (Vec<T>, Option<String>) {
        let start = self.place[0];
        let end = start + self.size;
        let next = (end < all.len()).then(|| self.token(&[end]));
        (all.into_iter().skip(start).take(self.size).collect(), next)
    }
}
