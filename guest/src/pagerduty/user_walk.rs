//! All users, each exactly once, however many there are.
//!
//! PagerDuty lists 10,000 rows by offset and no more. A larger tenant is read
//! in partitions by e-mail address, as a tree: a partition that is too large is
//! divided by one more character. The search behind `query` is documented as a
//! filter only, so the walk finds out what it does, and does not trust it:
//!
//! - If searching `@` finds everybody, it matches inside of words. Partition
//!   `x` is then *local part ends with `x`*, and is searched as `x@`.
//! - Otherwise it matches how words begin. Partition `x` is *address starts
//!   with `x`*, and is searched as `x`.
//!
//! Each row that a search finds is checked against the partition itself, so a
//! search that finds too much (names, say) does no harm. Addresses that can't
//! be divided further (the local part is `x` and nothing before) are the
//! partition's *rest*: what of its first 10,000 rows belongs to no child. It is
//! read last, and only if the totals say that there is one.
//!
//! What a search does not find at all is not found by any of this. Therefore
//! rows are counted, and a walk that saw fewer than there are ends in an error
//! instead of a silent loss: who compares two syncs would take the rest for
//! having left.

use crate::errors::{Error, ErrorCode, Result};
use crate::pagerduty::client::{Client, Request};
use crate::pagerduty::json::Json;
use crate::pagerduty::paging::{self, End, List, OFFSET_CAP, Place};
use crate::pagerduty::users::{self, User};

/// Characters that addresses are divided by: those of RFC 5322's `dot-atom`,
/// plus `@` and thereby whole domains. Others fall to the rest of a partition.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.@";
/// Nobody's address is longer (RFC 5321).
const MAX_PARTITION: usize = 254;

/// Where a walk goes on. Part of page tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    mode: Mode,
    partition: String,
    rest: bool,
    place: Place,
    /// Users seen so far.
    seen: u32,
    /// Users there were at the start.
    expected: u32,
}

/// How the list is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// From end to end.
    #[default]
    Whole,
    /// By how local parts end.
    Endings,
    /// By how addresses start.
    Starts,
}

impl Cursor {
    /// For a page token.
    pub fn write(&self) -> Json<'static> {
        let mode = match self.mode {
            Mode::Whole => "c",
            Mode::Endings => "e",
            Mode::Starts => "s",
        };
        let partition = Some(self.partition.as_str());
        Json::of([
            ("m", mode.into()),
            ("x", partition.filter(|x| !x.is_empty()).into()),
            (
                "r",
                if self.rest {
                    Json::Flag(true)
                } else {
                    Json::Null
                },
            ),
            ("p", self.place.write()),
            ("s", self.seen.into()),
            ("n", self.expected.into()),
        ])
    }

    /// From a page token.
    pub fn read(json: &Json) -> Option<Self> {
        Some(Self {
            mode: match json.text("m").as_deref() {
                None | Some("c") => Mode::Whole,
                Some("e") => Mode::Endings,
                Some("s") => Mode::Starts,
                _ => return None,
            },
            partition: json.text("x").unwrap_or_default(),
            rest: json.flag("r").unwrap_or(false),
            place: Place::read(json.get("p")).unwrap_or_default(),
            seen: json.count("s").unwrap_or(0),
            expected: json.count("n").unwrap_or(0),
        })
    }

    /// Whether a walk can be there.
    pub fn is_valid(&self) -> bool {
        self.place.is_valid()
            && self.partition.len() <= MAX_PARTITION
            && self.partition.chars().all(|c| ALPHABET.contains(c))
            && (self.mode != Mode::Whole || (self.partition.is_empty() && !self.rest))
    }
}

/// The next users, at most `want`, and where to go on. May return fewer when
/// the call's time runs out.
pub fn next(
    client: &Client,
    mut cursor: Cursor,
    want: usize,
) -> Result<(Vec<User>, Option<Cursor>)> {
    let mut found = Vec::new();
    while found.len() < want {
        let moved = match cursor.mode {
            Mode::Whole => whole(client, &mut cursor, want, &mut found)?,
            _ => partition(client, &mut cursor, want, &mut found)?,
        };
        if moved == Step::End {
            check_complete(client, &cursor)?;
            return Ok((found, None));
        }
        if client.time_is_mostly_used() {
            break;
        }
    }
    Ok((found, Some(cursor)))
}

#[derive(PartialEq, Eq)]
enum Step {
    Going,
    End,
}

fn whole(client: &Client, cursor: &mut Cursor, want: usize, found: &mut Vec<User>) -> Result<Step> {
    let is_start = cursor.place.at == 0;
    let list = List::all(users::PATH);
    // The first answer says whether the list is the way at all.
    let ask = if is_start { 1 } else { want - found.len() };
    let stretch = paging::read::<User>(client, &list, &cursor.place, ask)?;
    if is_start {
        cursor.expected = stretch.total.unwrap_or(0);
        if cursor.expected > OFFSET_CAP {
            cursor.mode = search_mode(client, cursor.expected)?;
            return Ok(Step::Going);
        }
    }
    cursor.place.total = stretch.total;
    let end = stretch.end;
    let all_consumed = consume(cursor, stretch.rows, want, found, |_| true);
    match end {
        Some(End::Complete) if all_consumed => Ok(Step::End),
        Some(End::Capped) if all_consumed => Err(Error::new(
            ErrorCode::Conflict,
            format!("the tenant grew beyond {OFFSET_CAP} users while they were listed"),
        )
        .hint("start the list over: it is then read in partitions")),
        _ => Ok(Step::Going),
    }
}

/// Takes rows until `want` users are found. Returns whether it took all rows.
fn consume(
    cursor: &mut Cursor,
    rows: Vec<Option<User>>,
    want: usize,
    found: &mut Vec<User>,
    belongs: impl Fn(&User) -> bool,
) -> bool {
    for row in rows {
        if found.len() == want {
            return false;
        }
        cursor.place.at += 1;
        match row {
            Some(user) if belongs(&user) => {
                cursor.seen += 1;
                if !user.id.is_empty() {
                    found.push(user);
                }
            }
            // What is not a user at all counts in PagerDuty's total.
            None if cursor.mode == Mode::Whole => cursor.seen += 1,
            _ => {}
        }
    }
    true
}

fn search_mode(client: &Client, expected: u32) -> Result<Mode> {
    let at_signs = List::all(users::PATH).with("query", "@");
    let matched = paging::count::<User>(client, &at_signs)?;
    // Not equality: users come and go meanwhile. A search by word beginnings
    // finds next to nothing here.
    Ok(if matched.saturating_mul(2) > expected {
        Mode::Endings
    } else {
        Mode::Starts
    })
}

fn partition(
    client: &Client,
    cursor: &mut Cursor,
    want: usize,
    found: &mut Vec<User>,
) -> Result<Step> {
    let is_root = cursor.partition.is_empty();
    if cursor.rest && cursor.place.at == 0 && !has_rest(client, cursor)? {
        return Ok(leave(cursor));
    }
    // Known without asking: there were more than 10,000 at the root.
    if is_root && !cursor.rest {
        return divide(cursor);
    }
    let query = cursor.mode.query(&cursor.partition);
    let list = match &query {
        Some(query) => List::all(users::PATH).with("query", query),
        None => List::all(users::PATH),
    };
    // The first answer says whether the partition has to be divided.
    let is_start = cursor.place.at == 0 && !cursor.rest;
    let ask = if is_start { 1 } else { want - found.len() };
    let stretch = paging::read::<User>(client, &list, &cursor.place, ask)?;
    let total = stretch.total;
    if is_start && total.is_some_and(|total| total > OFFSET_CAP) {
        return divide(cursor);
    }
    cursor.place.total = total;
    let (mode, partition, rest) = (cursor.mode, cursor.partition.clone(), cursor.rest);
    let end = stretch.end;
    let all_consumed = consume(cursor, stretch.rows, want, found, |user| {
        mode.holds(&partition, rest, &user.lower_email())
    });
    match end {
        Some(End::Complete) if all_consumed => Ok(leave(cursor)),
        // Of the rest nothing more can be read; the count will tell.
        Some(End::Capped) if all_consumed && cursor.rest => Ok(leave(cursor)),
        Some(End::Capped) if all_consumed => Err(Error::new(
            ErrorCode::Conflict,
            "the tenant grew so much that a partition of its users became too large",
        )
        .hint("start the list over")),
        _ => Ok(Step::Going),
    }
}

/// Whether a partition has members that belong to no child.
fn has_rest(client: &Client, cursor: &Cursor) -> Result<bool> {
    if cursor.partition.is_empty() {
        return Ok(cursor.seen < cursor.expected);
    }
    // The walk has started to read each of them, so these requests are not new.
    let children = ALPHABET
        .chars()
        .map(|c| cursor.mode.child(c, &cursor.partition));
    let all = std::iter::once(cursor.partition.clone()).chain(children);
    let requests = all.filter_map(|partition| start_request(cursor.mode, &partition));
    let mut counts = Vec::new();
    for reply in client.send_all(requests) {
        counts.push(u64::from(paging::counted::<User>(users::PATH, &reply?)?));
    }
    let (own, children) = counts.split_first().unwrap_or((&0, &[]));
    Ok(children.iter().sum::<u64>() < *own)
}

fn start_request(mode: Mode, partition: &str) -> Option<Request> {
    let query = mode.query(partition).unwrap_or_default();
    paging::first_request(&List::all(users::PATH).with("query", &query), 0)
}

/// Goes to the first child.
fn divide(cursor: &mut Cursor) -> Result<Step> {
    let mut alphabet = ALPHABET.chars();
    match alphabet.next() {
        Some(first) if cursor.partition.len() < MAX_PARTITION => {
            cursor.partition = cursor.mode.child(first, &cursor.partition);
            cursor.place = Place::default();
            Ok(Step::Going)
        }
        _ => Err(Error::invalid_response(format!(
            "PagerDuty's user search finds more than {OFFSET_CAP} users for a whole address"
        ))),
    }
}

/// Goes to what follows a partition that has been read: the next child of its
/// parent, or the parent's rest, or the end.
fn leave(cursor: &mut Cursor) -> Step {
    cursor.place = Place::default();
    cursor.rest = false;
    let Some((last, parent)) = cursor.mode.parent(&cursor.partition) else {
        return Step::End;
    };
    let next = ALPHABET.chars().skip_while(|c| *c != last).nth(1);
    match next {
        Some(next) => cursor.partition = cursor.mode.child(next, &parent),
        None => {
            cursor.partition = parent;
            cursor.rest = true;
        }
    }
    Step::Going
}

impl Mode {
    /// What to search for; none for everybody.
    fn query(self, partition: &str) -> Option<String> {
        match self {
            Self::Whole => None,
            _ if partition.is_empty() => None,
            Self::Endings => Some(format!("{partition}@")),
            Self::Starts => Some(partition.to_owned()),
        }
    }

    fn child(self, c: char, partition: &str) -> String {
        match self {
            Self::Endings => format!("{c}{partition}"),
            _ => format!("{partition}{c}"),
        }
    }

    /// The character that was added last, and the partition before.
    fn parent(self, partition: &str) -> Option<(char, String)> {
        let mut chars = partition.chars();
        let last = match self {
            Self::Endings => chars.next(),
            _ => chars.next_back(),
        }?;
        Some((last, chars.as_str().to_owned()))
    }

    /// Whether an address belongs to a partition, or to its rest.
    fn holds(self, partition: &str, rest: bool, address: &str) -> bool {
        let remainder = match self {
            Self::Whole => return true,
            Self::Endings => address
                .rsplit_once('@')
                .and_then(|(local, _)| local.strip_suffix(partition))
                .map(|before| before.chars().next_back()),
            Self::Starts => address
                .strip_prefix(partition)
                .map(|after| after.chars().next()),
        };
        match remainder {
            // The root's rest takes those without an address as well.
            None => rest && partition.is_empty(),
            Some(next) => !rest || !next.is_some_and(|c| ALPHABET.contains(c)),
        }
    }
}

/// Nobody may have been missed.
fn check_complete(client: &Client, cursor: &Cursor) -> Result<()> {
    if cursor.seen >= cursor.expected {
        return Ok(());
    }
    // Some may have left since the start.
    let now = paging::count::<User>(client, &List::all(users::PATH))?;
    if cursor.seen >= now {
        return Ok(());
    }
    Err(Error::invalid_response(format!(
        "PagerDuty listed {} of {} users",
        cursor.seen,
        now.min(cursor.expected)
    ))
    .hint(
        "users were added or removed while they were listed, or PagerDuty's search does not find \
         them all: start the list over",
    ))
}
