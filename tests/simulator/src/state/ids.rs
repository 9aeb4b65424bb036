//! Ids and other made-up values, all from the seed.

use std::collections::HashSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A source of unique ids and of choices.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    rng: ChaCha8Rng,
    taken: HashSet<String>,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            taken: HashSet::new(),
        }
    }

    /// An id such as `PJB72P3`.
    pub(crate) fn object(&mut self) -> String {
        self.unique('P', 6)
    }

    /// An id such as `Q0F6XK2M9P1ZAB`, as incidents and overrides have.
    pub(crate) fn long(&mut self) -> String {
        self.unique('Q', 13)
    }

    pub(crate) fn secret(&mut self, length: usize) -> String {
        self.text(length)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 {
            0
        } else {
            (self.rng.next_u64() % end as u64) as usize
        }
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn unique(&mut self, first: char, length: usize) -> String {
        loop {
            let id = format!("{first}{}", self.text(length));
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        while text.len() < length {
            // 12 characters of 36 fit into 64 bits.
            let mut bits = self.rng.next_u64();
            for _ in 0..(length - text.len()).min(12) {
                text.push(char::from(ALPHABET[(bits % 36) as usize]));
                bits /= 36;
            }
        }
        text
    }
}
