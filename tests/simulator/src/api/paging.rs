//! Classic paging by offset.

use serde_json::{Map, Value, json};

use super::{Call, Refusal, Reply};

/// Rows behind this one cannot be reached by offset.
const LAST_ROW: usize = 10_000;

/// The page that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    limit: usize,
    offset: usize,
    total: bool,
}

/// The rows of a page.
#[derive(Debug)]
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<T>,
    page: Page,
    more: bool,
    total: Option<usize>,
}

impl Page {
    /// Most lists: 25 rows unless told, at most 100.
    pub(crate) fn read(call: &Call) -> Result<Self, Refusal> {
        Self::with_limits(call, 25, 100)
    }

    pub(crate) fn with_limits(call: &Call, default: usize, most: usize) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match call.param(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| Refusal::invalid(&format!("{name} must be a positive integer"))),
        };
        let limit = number("limit", default)?;
        if limit == 0 {
            return Err(Refusal::invalid("limit must be greater than 0"));
        }
        let limit = limit.min(most);
        let offset = number("offset", 0)?;
        if offset.saturating_add(limit) > LAST_ROW {
            return Err(Refusal::invalid("offset plus limit must not exceed 10000"));
        }
        Ok(Self {
            limit,
            offset,
            total: call.flag("total"),
        })
    }

    /// Cuts the page out of all rows.
    pub(crate) fn cut<T>(self, all: impl Iterator<Item = T>) -> Rows<T> {
        let mut all = all.skip(self.offset);
        let rows: Vec<T> = all.by_ref().take(self.limit).collect();
        let more = all.next().is_some();
        Rows {
            rows,
            page: self,
            more,
            total: None,
        }
    }

    /// Cuts the page, counting everything first if that was asked for.
    pub(crate) fn cut_counted<T>(self, all: impl Iterator<Item = T> + Clone) -> Rows<T> {
        let total = self.total.then(|| all.clone().count());
        Rows {
            total,
            ..self.cut(all)
        }
    }
}

impl<T> Rows<T> {
    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> Rows<U> {
        Rows {
            rows: self.rows.into_iter().map(&mut change).collect(),
            page: self.page,
            more: self.more,
            total: self.total,
        }
    }
}

impl Rows<Value> {
    pub(crate) fn reply(self, name: &str) -> Reply {
        let total = json!(self.total);
        Reply::ok(self.object(name, Some(total)))
    }

    /// The v3 lists have no `total`.
    pub(crate) fn reply_without_total(self, name: &str) -> Reply {
        Reply::ok(self.object(name, None))
    }

    fn object(self, name: &str, total: Option<Value>) -> Value {
        let mut body = Map::new();
        body.insert(name.to_owned(), Value::Array(self.rows));
        body.insert("limit".to_owned(), json!(self.page.limit));
        body.insert("offset".to_owned(), json!(self.page.offset));
        body.insert("more".to_owned(), json!(self.more));
        if let Some(total) = total {
            body.insert("total".to_owned(), total);
        }
        Value::Object(body)
    }
}
