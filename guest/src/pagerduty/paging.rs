//! PagerDuty's classic lists: `limit`, `offset`, `more`, and `total` on demand.
//!
//! A place in a list is the number of rows before it. It may lie anywhere, so
//! pages of any size visit the same rows.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::{Client, Request};
use crate::pagerduty::json::{Page, Row};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

/// PagerDuty's largest page.
const MAX_LIMIT: u32 = 100;
/// `offset + limit` beyond that is a 400.
pub const OFFSET_CAP: u32 = 10_000;

/// A place in a list. Part of page tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Rows before this place.
    #[serde(rename = "a")]
    pub at: u32,
    /// How many rows there are in all, as the first answer said.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
}

impl Place {
    /// Whether the place can exist.
    pub fn is_valid(&self) -> bool {
        self.at <= OFFSET_CAP
    }
}

/// A list and its filters.
pub struct List<'a> {
    /// Where it is.
    pub path: &'a str,
    /// Filters, repeated as often as they have values.
    pub filters: Vec<(&'a str, &'a str)>,
}

impl<'a> List<'a> {
    /// All of it.
    pub fn all(path: &'a str) -> Self {
        Self {
            path,
            filters: Vec::new(),
        }
    }

    /// With a filter.
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.filters.push((name, value));
        self
    }

    fn request(&self, offset: u32, limit: u32, with_total: bool) -> Request {
        let request = Request::get(self.path)
            .with("limit", &limit.to_string())
            .with("offset", &offset.to_string());
        let request = if with_total {
            request.with("total", "true")
        } else {
            request
        };
        (self.filters.iter()).fold(request, |request, (name, value)| request.with(name, value))
    }
}

/// Some rows that follow a place.
pub struct Stretch<T> {
    /// The rows. Those that say nothing keep their place.
    pub rows: Vec<Option<T>>,
    /// Whether the list ends with them.
    pub end: Option<End>,
    /// How many rows the list has, where PagerDuty says.
    pub total: Option<u32>,
}

/// How a list ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// There is no more.
    Complete,
    /// There is more, which PagerDuty does not give out by offset.
    Capped,
}

/// Reads at least `want` rows from `place` on, if there are as many. Several
/// pages are fetched at once where the total says that they exist.
pub async fn read<T: Row>(
    client: &Client,
    list: &List<'_>,
    place: &Place,
    want: usize,
) -> Result<Stretch<T>> {
    let mut rows = Vec::new();
    let mut keep = |request: &Request, answer: &[u8]| {
        let page: Page<T> = request.page(&request.read(answer)?)?;
        let received = u32::try_from(page.rows.len()).unwrap_or(OFFSET_CAP);
        rows.extend(page.rows);
        Ok(Facts {
            received,
            more: page.more,
            total: page.total,
        })
    };
    let (end, total) = read_pages(client, list, place, want, &mut keep).await?;
    Ok(Stretch { rows, end, total })
}

/// What paging must know of a page.
struct Facts {
    received: u32,
    more: bool,
    total: Option<u32>,
}

/// Keeps a page's rows.
type Keep<'k> = &'k mut dyn FnMut(&Request, &[u8]) -> Result<Facts>;

/// `read`, whatever the rows are.
fn read_pages<'a>(
    client: &'a Client,
    list: &'a List<'a>,
    place: &'a Place,
    want: usize,
    keep: Keep<'a>,
) -> LocalBoxFuture<'a, Result<(Option<End>, Option<u32>)>> {
    Box::pin(async move {
        let want = u32::try_from(want)
            .unwrap_or(OFFSET_CAP)
            .clamp(1, OFFSET_CAP);
        let limit = want.min(MAX_LIMIT);
        let until = place.at.saturating_add(want).min(OFFSET_CAP);
        let mut at = place.at;
        let mut total = place.total;
        while at < until {
            // Without a total nobody knows whether a second page exists.
            let known = total.unwrap_or(0).clamp(at + 1, until);
            let is_counted = total.is_some();
            let pages = (at..known).step_by(limit as usize).map(async |offset| {
                let limit = limit.min(OFFSET_CAP - offset);
                let request = list.request(offset, limit, offset == 0 && !is_counted);
                let answer = client.fetch_bytes(&request).await?;
                Ok((limit, request, answer))
            });
            let mut pages = client.in_window(pages);
            while let Some(page) = pages.next().await {
                let (limit, request, answer) = page?;
                let page = keep(&request, answer.bytes())?;
                total = page.total.or(total);
                at = at.saturating_add(page.received);
                if !page.more {
                    return Ok((Some(End::Complete), total));
                }
                if page.received == 0 {
                    return Err(Error::invalid_response(format!(
                        "PagerDuty says that {} goes on, and sends no rows",
                        list.path
                    )));
                }
                if page.received != limit {
                    // The pages that are fetched along leave a gap.
                    break;
                }
            }
        }
        Ok(((at >= OFFSET_CAP).then_some(End::Capped), total))
    })
}

/// Reads a list to its end.
pub async fn read_all<T: Row>(client: &Client, list: &List<'_>) -> Result<Vec<T>> {
    let mut place = Place::default();
    let mut all = Vec::new();
    loop {
        // The first answer brings the total; what follows comes in one go.
        let want = match place.total {
            None => MAX_LIMIT as usize,
            Some(_) => OFFSET_CAP as usize,
        };
        let stretch = read(client, list, &place, want).await?;
        place.at += u32::try_from(stretch.rows.len()).unwrap_or(OFFSET_CAP);
        place.total = stretch.total;
        all.extend(stretch.rows.into_iter().flatten());
        match stretch.end {
            None => {}
            Some(End::Complete) => return Ok(all),
            Some(End::Capped) => return Err(capped(list.path)),
        }
    }
}

/// The list is longer than PagerDuty lists.
pub fn capped(path: &str) -> Error {
    Error::new(
        ErrorCode::Unsupported,
        format!("PagerDuty lists no more than {OFFSET_CAP} rows of {path}, and there are more"),
    )
}

/// How many rows a list has.
pub async fn count<T: Row>(client: &Client, list: &List<'_>) -> Result<u32> {
    let page = client.fetch_page::<T>(&list.request(0, 1, true)).await?;
    page.total.ok_or_else(|| {
        Error::invalid_response(format!("PagerDuty does not say how long {} is", list.path))
    })
}
