//! PagerDuty's classic lists: `limit`, `offset`, `more`, and `total` on demand.
//!
//! A place in a list is the number of rows before it. It may lie anywhere, so
//! pages of any size visit the same rows. Requests lie on a grid: whoever reads a
//! list once more, from elsewhere or in other pages, makes the same requests, and
//! a host that knows the answers need not send them.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::{Client, Reply, Request};
use crate::pagerduty::json::{Json, Row};

/// PagerDuty's largest page, and the mesh of the grid.
const MAX_LIMIT: u32 = 100;
/// `offset + limit` beyond that is a 400. A line of the grid.
pub const OFFSET_CAP: u32 = 10_000;

/// A place in a list. Part of page tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Rows before this place.
    pub at: u32,
    /// How many rows there are in all, as the first answer said.
    pub total: Option<u32>,
}

impl Place {
    /// For a page token.
    pub fn write(&self) -> Json<'static> {
        Json::of([("a", self.at.into()), ("t", self.total.into())])
    }

    /// From a page token.
    pub fn read(json: &Json) -> Option<Self> {
        Some(Self {
            at: json.count("a")?,
            total: json.count("t"),
        })
    }

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
    /// Whether PagerDuty counts it on demand.
    is_counted: bool,
}

impl<'a> List<'a> {
    /// All of it.
    pub fn all(path: &'a str) -> Self {
        Self {
            path,
            filters: Vec::new(),
            is_counted: true,
        }
    }

    /// One that does not take the question how long it is.
    pub fn uncounted(mut self) -> Self {
        self.is_counted = false;
        self
    }

    /// With a filter.
    pub fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.filters.push((name, value));
        self
    }

    /// From there to the next line of the grid. From the start on with the total.
    fn request(&self, offset: u32) -> Request {
        self.request_of(offset, MAX_LIMIT - offset % MAX_LIMIT)
    }

    fn request_of(&self, offset: u32, limit: u32) -> Request {
        let request = Request::get(self.path)
            .with("limit", &limit.to_string())
            .with("offset", &offset.to_string());
        let request = if offset == 0 && self.is_counted {
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
pub fn read<T: Row>(
    client: &Client,
    list: &List<'_>,
    place: &Place,
    want: usize,
) -> Result<Stretch<T>> {
    read_after(client, list, place, want, None)
}

/// The request that reading from there starts with, for those who send several
/// at once; none beyond the cap.
pub fn first_request(list: &List<'_>, at: u32) -> Option<Request> {
    (at < OFFSET_CAP).then(|| list.request(on_grid(at)))
}

/// `read`, where the answer to `first_request` may be there already.
pub fn read_after<T: Row>(
    client: &Client,
    list: &List<'_>,
    place: &Place,
    want: usize,
    first: Option<Result<Reply>>,
) -> Result<Stretch<T>> {
    let mut rows = Vec::new();
    let mut keep = |row: &Json| rows.push(row.is_object().then(|| T::read(row)));
    let rows_of = (T::MANY, T::is_identified as Identified);
    let (end, total) = read_pages(client, list, rows_of, place, want, first, &mut keep)?;
    Ok(Stretch { rows, end, total })
}

/// Keeps what it wants of a row.
pub type Keep<'k> = &'k mut dyn FnMut(&Json);

/// Whether a row says what it is.
type Identified = fn(&Json) -> bool;

/// `read_after`, whatever the rows are: `many` is what the list is called.
fn read_pages(
    client: &Client,
    list: &List<'_>,
    (many, is_identified): (&str, Identified),
    place: &Place,
    want: usize,
    mut first: Option<Result<Reply>>,
    keep: Keep<'_>,
) -> Result<(Option<End>, Option<u32>)> {
    let until = place.at.saturating_add(clamp(want)).min(OFFSET_CAP);
    let until = until.next_multiple_of(MAX_LIMIT);
    let mut at = on_grid(place.at);
    let mut total = place.total;
    while at < until {
        // Without a total nobody knows whether a second page exists.
        let known = total.unwrap_or(0).clamp(at + 1, until);
        let next = |offset: &u32| Some(on_grid(*offset) + MAX_LIMIT);
        let offsets = std::iter::successors(Some(at), next);
        let offsets: Vec<u32> = offsets.take_while(|offset| *offset < known).collect();
        let requests = (offsets.iter())
            .skip(first.iter().len())
            .map(|offset| list.request(*offset));
        let mut replies = client.send_all(requests);
        for offset in &offsets {
            let Some(reply) = first.take().or_else(|| replies.next()) else {
                break;
            };
            let reply = reply?;
            let page = reply.json()?;
            let limit = MAX_LIMIT - offset % MAX_LIMIT;
            let listed = reply.list(&page, many)?;
            let more = page.flag("more");
            let full = (more != Some(false)).then_some(limit as usize);
            let rows = reply.rows(listed, is_identified, full)?;
            // The grid may begin before the place.
            let before = place.at.saturating_sub(at) as usize;
            rows.iter().skip(before).for_each(|row| keep(row));
            let received = u32::try_from(rows.len()).unwrap_or(OFFSET_CAP);
            total = page.count("total").or(total);
            at = at.saturating_add(received);
            let is_full = received == limit;
            match more {
                Some(true) => {}
                None if is_full && total != Some(at) => {
                    return Err(Error::invalid_response(format!(
                        "PagerDuty does not say whether {} goes on",
                        list.path
                    )));
                }
                _ => return Ok((Some(End::Complete), total)),
            }
            if received == 0 {
                return Err(Error::invalid_response(format!(
                    "PagerDuty says that {} goes on, and sends no rows",
                    list.path
                )));
            }
            if !is_full {
                // The pages that are fetched along leave a gap.
                break;
            }
        }
    }
    Ok(((at >= OFFSET_CAP).then_some(End::Capped), total))
}

/// The last line of the grid up to there.
fn on_grid(at: u32) -> u32 {
    at - at % MAX_LIMIT
}

fn clamp(want: usize) -> u32 {
    u32::try_from(want)
        .unwrap_or(OFFSET_CAP)
        .clamp(1, OFFSET_CAP)
}

/// Reads a list to its end.
pub fn read_all<T: Row>(client: &Client, list: &List<'_>) -> Result<Vec<T>> {
    read_all_after(client, list, None)
}

/// Reads several lists to their ends. Their first pages are fetched together.
pub fn read_each<'l, T: Row>(
    client: &'l Client,
    lists: &'l [List<'l>],
) -> impl Iterator<Item = Result<Vec<T>>> + 'l {
    let requests = lists.iter().filter_map(|list| first_request(list, 0));
    let mut replies = client.send_all(requests);
    lists
        .iter()
        .map(move |list| read_all_after(client, list, replies.next()))
}

/// Rows wanted of a list before anybody knows how many it has.
const FIRST: usize = MAX_LIMIT as usize;

fn read_all_after<T: Row>(
    client: &Client,
    list: &List<'_>,
    first: Option<Result<Reply>>,
) -> Result<Vec<T>> {
    match read_reachable_after(client, list, first)? {
        (all, End::Complete) => Ok(all),
        (_, End::Capped) => Err(capped(list.path)),
    }
}

/// Reads a list to its end, or as far as PagerDuty gives it out.
pub fn read_reachable<T: Row>(client: &Client, list: &List<'_>) -> Result<(Vec<T>, End)> {
    read_reachable_after(client, list, None)
}

fn read_reachable_after<T: Row>(
    client: &Client,
    list: &List<'_>,
    first: Option<Result<Reply>>,
) -> Result<(Vec<T>, End)> {
    let mut all = Vec::new();
    let end = see_reachable_after(client, list, first, &mut |row| all.push(row))?;
    Ok((all, end))
}

/// `read_reachable`, where nobody needs all rows at once.
pub fn see_reachable<T: Row>(
    client: &Client,
    list: &List<'_>,
    see: &mut dyn FnMut(T),
) -> Result<End> {
    see_reachable_after(client, list, None, see)
}

fn see_reachable_after<T: Row>(
    client: &Client,
    list: &List<'_>,
    first: Option<Result<Reply>>,
    see: &mut dyn FnMut(T),
) -> Result<End> {
    let mut keep = |row: &Json| {
        if row.is_object() {
            see(T::read(row));
        }
    };
    let rows_of = (T::MANY, T::is_identified as Identified);
    read_to_end(client, list, rows_of, first, &mut keep)
}

/// `read_all`, whatever the rows are: `many` is what the list is called. The
/// answer to `first_request` may be there already.
pub fn read_rows(
    client: &Client,
    list: &List<'_>,
    many: &str,
    first: Option<Result<Reply>>,
    keep: Keep<'_>,
) -> Result<()> {
    match read_to_end(client, list, (many, |row| row.has_id()), first, keep)? {
        End::Complete => Ok(()),
        End::Capped => Err(capped(list.path)),
    }
}

fn read_to_end(
    client: &Client,
    list: &List<'_>,
    rows_of: (&str, Identified),
    mut first: Option<Result<Reply>>,
    keep: Keep<'_>,
) -> Result<End> {
    let mut place = Place::default();
    loop {
        // The first answer brings the total; what follows comes in one go.
        let want = match place.total {
            None => FIRST,
            Some(_) => OFFSET_CAP as usize,
        };
        let mut received = 0;
        let mut count = |row: &Json| {
            received += 1;
            keep(row);
        };
        let (end, total) = read_pages(
            client,
            list,
            rows_of,
            &place,
            want,
            first.take(),
            &mut count,
        )?;
        place.at += received;
        place.total = total;
        if let Some(end) = end {
            return Ok(end);
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

/// How many rows a list has now. Not the request that reading it starts with,
/// which a host may have the answer to from before.
pub fn count<T: Row>(client: &Client, list: &List<'_>) -> Result<u32> {
    counted::<T>(list.path, &client.send(list.request_of(0, 1))?)
}

/// How many rows the list has that an answer is the start of.
pub fn counted<T: Row>(path: &str, reply: &Reply) -> Result<u32> {
    let page = reply.page::<T>()?;
    page.total.ok_or_else(|| {
        Error::invalid_response(format!("PagerDuty does not say how long {path} is"))
    })
}
