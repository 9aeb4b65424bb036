//! Sets of ids, and what is known by id.
//!
//! Both are sorted lists. The standard library's trees and its sort took 17 KB,
//! and to make room in a list of thousands of ids is one instruction.

/// Ids, each once.
#[derive(Default)]
pub struct Ids(Vec<String>);

/// Values by id.
pub struct ById<T> {
    ids: Ids,
    /// In the order of their ids.
    values: Vec<T>,
}

impl Ids {
    /// Adds an id. Returns whether it is new.
    pub fn insert(&mut self, id: &str) -> bool {
        let Err(place) = self.place(id) else {
            return false;
        };
        self.0.insert(place, id.to_owned());
        true
    }

    /// Whether it is one of them.
    pub fn contains(&self, id: &str) -> bool {
        self.place(id).is_ok()
    }

    /// Where it is, or where it belongs.
    fn place(&self, id: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(id))
    }
}

impl<T> ById<T> {
    /// Without any.
    pub fn new() -> Self {
        Self {
            ids: Ids::default(),
            values: Vec::new(),
        }
    }

    /// The value of an id, made where there is none.
    pub fn entry(&mut self, id: &str, make: impl FnOnce() -> T) -> &mut T {
        let place = self.ids.place(id).unwrap_or_else(|place| {
            self.ids.0.insert(place, id.to_owned());
            self.values.insert(place, make());
            place
        });
        &mut self.values[place]
    }

    /// The value of an id.
    pub fn get(&self, id: &str) -> Option<&T> {
        self.values.get(self.ids.place(id).ok()?)
    }

    /// The same, which is then no longer there.
    pub fn take(&mut self, id: &str) -> Option<T> {
        let place = self.ids.place(id).ok()?;
        self.ids.0.remove(place);
        Some(self.values.remove(place))
    }
}

/// Ids in their order, each once.
pub fn unique<'i>(ids: impl Iterator<Item = &'i str>) -> Vec<&'i str> {
    let mut unique = Vec::new();
    ids.for_each(|id| add(&mut unique, id));
    unique
}

fn add<'i>(unique: &mut Vec<&'i str>, id: &'i str) {
    if let Err(place) = unique.binary_search(&id) {
        unique.insert(place, id);
    }
}
