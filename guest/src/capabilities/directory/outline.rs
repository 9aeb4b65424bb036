//! Lists that go through several of PagerDuty's lists, one after the other, and
//! make several items of each row.

use crate::errors::{Error, Result};
use crate::iga::connector::types::Notice;
use crate::pagerduty::client::{Client, Reply, Request};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, End, List, Place};

/// A place in a list of lists. Part of page tokens.
#[derive(Clone, Debug, Default)]
pub struct Position {
    /// Which of PagerDuty's lists.
    pub phase: u8,
    /// Where in it.
    pub place: Place,
    /// How much of that row is done.
    pub skip: u32,
}

impl Position {
    /// For a page token.
    pub fn write(&self) -> Json<'static> {
        Json::of([
            ("f", u32::from(self.phase).into()),
            ("p", self.place.write()),
            ("k", self.skip.into()),
        ])
    }

    /// From a page token.
    pub fn read(json: &Json) -> Option<Self> {
        Some(Self {
            phase: u8::try_from(json.count("f")?).ok()?,
            place: Place::read(json.get("p"))?,
            skip: json.count("k").unwrap_or(0),
        })
    }

    /// Whether there is such a place. A row has no more parts than a team has
    /// members.
    pub fn is_valid(&self, phases: u8) -> bool {
        self.phase < phases && self.place.is_valid() && self.skip <= paging::OFFSET_CAP
    }

    /// Goes to the start of the next list.
    pub fn next_phase(&mut self) {
        *self = Self {
            phase: self.phase + 1,
            ..Self::default()
        };
    }
}

/// The page under construction.
pub struct Outline<'c, T> {
    /// The call's client.
    pub client: &'c Client,
    /// Items wanted.
    pub size: usize,
    /// Items so far.
    pub items: Vec<T>,
    /// What was left out.
    pub notices: Vec<Notice>,
}

/// What a row comes to, from a given part on.
pub struct Parts<T> {
    /// The parts. Those that say nothing keep their place.
    pub parts: Vec<Option<T>>,
    /// Whether there are more parts after them.
    pub more: bool,
}

impl<T> Parts<T> {
    /// All of them, known at once.
    pub fn all(parts: impl IntoIterator<Item = T>, skip: u32) -> Self {
        Self {
            parts: parts.into_iter().skip(skip as usize).map(Some).collect(),
            more: false,
        }
    }
}

impl<'c, T> Outline<'c, T> {
    /// An empty page.
    pub fn new(client: &'c Client, size: usize) -> Self {
        Self {
            client,
            size,
            items: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Items still wanted.
    pub fn room(&self) -> usize {
        self.size - self.items.len()
    }

    /// Whether to return what there is.
    pub fn is_done(&self) -> bool {
        self.room() == 0 || self.client.time_is_mostly_used()
    }

    /// Leaves a list out if it is out of reach; any other error is one.
    pub fn leave_out(&mut self, error: Error, code: &str, what: &str) -> Result<()> {
        if !error.is_out_of_reach() {
            return Err(error);
        }
        self.notices.push(error.into_notice(code, what));
        Ok(())
    }

    /// Goes on in a list that is known as a whole. Returns whether it is
    /// through.
    pub fn add_known(&mut self, items: impl IntoIterator<Item = T>, at: &mut Position) -> bool {
        let mut rest = items.into_iter().skip(at.skip as usize).peekable();
        while self.room() > 0 {
            let Some(item) = rest.next() else {
                return true;
            };
            self.items.push(item);
            at.skip += 1;
        }
        rest.peek().is_none()
    }

    /// Goes on in a list, making items of its rows: `expand` is given a row and
    /// the part to start with. Returns whether the list is through.
    pub fn add_rows<R: Row>(
        &mut self,
        list: &List<'_>,
        at: &mut Position,
        expand: &mut dyn FnMut(&R, u32) -> Parts<T>,
    ) -> Result<bool> {
        let ask = |_: &R, _| None;
        self.add_asking(list, at, &ask, &mut |row, skip, _| Ok(expand(row, skip)))
    }

    /// The same where a row is not enough: `ask` says what to request for it,
    /// and `expand` is given the answer, or none where it goes on with a row.
    pub fn add_asking<R: Row>(
        &mut self,
        list: &List<'_>,
        at: &mut Position,
        ask: &dyn Fn(&R, u32) -> Option<Request>,
        expand: ExpandRow<'_, R, T>,
    ) -> Result<bool> {
        // A row comes to one item or more, mostly.
        let wanted = self.room().min(100);
        let stretch = paging::read::<R>(self.client, list, &at.place, wanted)?;
        at.place.total = stretch.total;
        let rows = stretch.rows.iter().enumerate();
        let requests: Vec<Option<Request>> = rows
            .map(|(index, row)| ask(row.as_ref()?, if index == 0 { at.skip } else { 0 }))
            .collect();
        let all = self.add_expanded(requests, at, &mut |index, skip, reply| match stretch
            .rows
            .get(index)
        {
            Some(Some(row)) => expand(row, skip, reply),
            _ => Ok(Parts::all([], 0)),
        })?;
        match stretch.end {
            _ if !all => Ok(false),
            None => Ok(false),
            Some(End::Complete) => Ok(true),
            Some(End::Capped) => Err(paging::capped(list.path)),
        }
    }

    /// `add_asking`, whatever the rows are. Returns whether it took all of them.
    fn add_expanded(
        &mut self,
        requests: Vec<Option<Request>>,
        at: &mut Position,
        expand: Expand<'_, usize, T>,
    ) -> Result<bool> {
        let asking: Vec<bool> = requests.iter().map(Option::is_some).collect();
        let client = self.client;
        let mut replies = client.send_all(requests.into_iter().flatten());
        for (index, asks) in asking.iter().enumerate() {
            let mut reply = if *asks { replies.next() } else { None };
            loop {
                let expansion = expand(index, at.skip, reply.take())?;
                for part in expansion.parts {
                    if self.room() == 0 {
                        return Ok(false);
                    }
                    at.skip += 1;
                    self.items.extend(part);
                }
                if !expansion.more {
                    break;
                }
                if self.room() == 0 {
                    return Ok(false);
                }
            }
            at.place.at += 1;
            at.skip = 0;
            if self.is_done() {
                return Ok(index + 1 == asking.len());
            }
        }
        Ok(true)
    }
}

/// Makes parts of a row, from a given one on.
type ExpandRow<'e, R, T> = &'e mut dyn FnMut(&R, u32, Option<Result<Reply>>) -> Result<Parts<T>>;

/// The same, by the row's number.
type Expand<'e, R, T> = &'e mut dyn FnMut(R, u32, Option<Result<Reply>>) -> Result<Parts<T>>;
