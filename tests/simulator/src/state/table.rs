//! Rows in order of creation, found by id.

use std::collections::HashMap;

/// Something with an id.
pub(crate) trait Row {
    fn id(&self) -> &str;
}

/// Rows keep their order; removal leaves no gap for readers.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    rows: Vec<Option<T>>,
    index: HashMap<String, usize>,
}

impl<T: Row> Table<T> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            index: HashMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, row: T) {
        self.index.insert(row.id().to_owned(), self.rows.len());
        self.rows.push(Some(row));
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(*self.index.get(id)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.rows.get_mut(*self.index.get(id)?)?.as_mut()
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.index.contains_key(id)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        let at = self.index.remove(id)?;
        self.rows.get_mut(at)?.take()
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.rows.iter().flatten()
    }
}
