//! Lists that go through several of PagerDuty's lists, one after the other, and
//! make several items of each row.

use crate::errors::{Error, Result};
use crate::iga::connector::types::Notice;
use crate::pagerduty::client::Client;
use crate::pagerduty::json::Row;
use crate::pagerduty::paging::{self, End, List, Place};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

/// A place in a list of lists. Part of page tokens.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// Which of PagerDuty's lists.
    #[serde(rename = "f")]
    pub phase: u8,
    /// Where in it.
    #[serde(rename = "p")]
    pub place: Place,
    /// How much of that row is done.
    #[serde(rename = "k", default)]
    pub skip: u32,
}

impl Position {
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
    pub async fn add_rows<R, F>(
        &mut self,
        list: &List<'_>,
        at: &mut Position,
        expand: impl Fn(R, u32) -> F,
    ) -> Result<bool>
    where
        R: Row + Clone,
        F: Future<Output = Result<Parts<T>>>,
    {
        // A row comes to one item or more, mostly.
        let wanted = self.room().min(100);
        let stretch = paging::read::<R>(self.client, list, &at.place, wanted).await?;
        at.place.total = stretch.total;
        let expand = &expand;
        let rows = stretch.rows.iter().map(|row| -> Expand<'_, T> {
            Box::new(move |skip| match row {
                Some(row) => Box::pin(expand(row.clone(), skip)),
                None => Box::pin(async { Ok(Parts::all([], 0)) }),
            })
        });
        self.add_expanded(rows.collect(), at)
            .await
            .and_then(|all| match stretch.end {
                _ if !all => Ok(false),
                None => Ok(false),
                Some(End::Complete) => Ok(true),
                Some(End::Capped) => Err(paging::capped(list.path)),
            })
    }

    /// `add_rows`, whatever the rows are. Returns whether it took all of them.
    fn add_expanded<'a>(
        &'a mut self,
        rows: Vec<Expand<'a, T>>,
        at: &'a mut Position,
    ) -> LocalBoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let mut left = rows.len();
            let skip = at.skip;
            let expansions = rows.iter().enumerate().map(async |(index, expand)| {
                let parts = expand(if index == 0 { skip } else { 0 }).await?;
                Ok((expand, parts))
            });
            let mut expansions = self.client.in_window(expansions);
            while let Some(expansion) = expansions.next().await {
                let (expand, mut expansion) = expansion?;
                loop {
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
                    expansion = expand(at.skip).await?;
                }
                at.place.at += 1;
                at.skip = 0;
                left -= 1;
                if self.is_done() {
                    break;
                }
            }
            Ok(left == 0)
        })
    }
}

/// Makes parts of a row, from a given one on.
type Expand<'a, T> = Box<dyn Fn(u32) -> LocalBoxFuture<'a, Result<Parts<T>>> + 'a>;
