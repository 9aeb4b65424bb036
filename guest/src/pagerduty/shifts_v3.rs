//! What happens once on a v3 schedule: overrides, which put somebody on call in
//! place of a member of a rotation or of a custom shift; and custom shifts,
//! which belong to no rotation.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::{DAY, Timestamp};
use crate::pagerduty::client::{Change, Client, Request, vendor_id};
use crate::pagerduty::json::{Instants as _, Json};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedule_events::member_of;
use crate::pagerduty::schedules_v3::{self, names_somebody, user};

/// How far ahead to look for what happens once: PagerDuty names no limit.
const DAYS_AHEAD: i64 = 2 * 365;

/// Overrides or custom shifts.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// An override.
    Override,
    /// A shift that belongs to no rotation.
    CustomShift,
}

/// An override or a custom shift.
#[derive(Clone)]
pub struct Single {
    /// Vendor identifier.
    pub id: String,
    /// Who is on call; none for nobody.
    pub member: Option<String>,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Of an override: whose shifts it is about.
    pub scope: Scope,
    /// Of an override: who would be on call; none for an empty place.
    pub overridden: Option<String>,
}

/// The rotation or custom shift that an override is of.
#[derive(Clone, PartialEq)]
pub struct Scope {
    /// Which of the two.
    pub is_shift: bool,
    /// Its id.
    pub id: String,
}

impl Kind {
    /// What a list of them is called, and what its path ends with.
    fn many(self) -> &'static str {
        match self {
            Self::Override => "overrides",
            Self::CustomShift => "custom_shifts",
        }
    }

    /// What one is called in an answer.
    fn one(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::CustomShift => "custom_shift",
        }
    }

    fn read(self, json: &Json) -> Single {
        let member = match self {
            Self::Override => user(json.get("overriding_member")),
            Self::CustomShift => {
                let mut assignments = json.objects("assignments");
                assignments.find_map(|assignment| user(assignment.get("member")))
            }
        };
        let shift = json.text("custom_shift_id");
        let (start, end) = range(json);
        Single {
            id: json.id(),
            member,
            start,
            end,
            scope: Scope {
                is_shift: shift.is_some(),
                id: shift.or(json.text("rotation_id")).unwrap_or_default(),
            },
            overridden: user(json.get("overridden_member")),
        }
    }

    /// Whether one says when it is and whom it is about.
    fn is_whole(self, json: &Json) -> bool {
        let is_somebodys = match self {
            Self::Override => {
                (json.has_text("custom_shift_id") || json.has_text("rotation_id"))
                    && names_somebody(json, "overriding_member")
                    && names_somebody(json, "overridden_member")
            }
            Self::CustomShift => json.each("assignments", &|assignment| {
                names_somebody(assignment, "member")
            }),
        };
        json.has_id() && is_somebodys && has_range(json)
    }

    fn write(self, one: &Single) -> Json<'static> {
        let instant = |at: Timestamp| at.to_rfc3339().as_str().into();
        let member = member_of(one.member.as_deref());
        let (start, end) = (instant(one.start), instant(one.end));
        match self {
            Self::Override => Json::of([
                ("type", "override_shift".into()),
                ("start_time", start),
                ("end_time", end),
                (one.scope.field(), one.scope.id.as_str().into()),
                ("overridden_member", member_of(one.overridden.as_deref())),
                ("overriding_member", member),
            ]),
            Self::CustomShift => {
                let assignment =
                    Json::of([("type", "shift_assignment".into()), ("member", member)]);
                Json::of([
                    ("type", "custom_shift".into()),
                    ("start_time", start),
                    ("end_time", end),
                    ("assignments", Json::List(vec![assignment])),
                ])
            }
        }
    }
}

impl Scope {
    fn field(&self) -> &'static str {
        if self.is_shift {
            "custom_shift_id"
        } else {
            "rotation_id"
        }
    }
}

/// Whether a computed shift says when it is, and which override it is by, if it
/// is by one.
fn says_where_it_is_from(shift: &Json) -> bool {
    let source = shift.get("source");
    let kind = source.text("type");
    has_range(shift)
        && kind.is_some_and(|kind| !kind.ends_with("_override") || source.has_text("override_id"))
}

fn has_range(json: &Json) -> bool {
    json.has_instant("start_time") && json.has_instant("end_time")
}

/// What has no end that can be read counts as over.
fn range(json: &Json) -> (Timestamp, Timestamp) {
    (
        json.instant("start_time").unwrap_or(Timestamp::MIN),
        json.instant("end_time").unwrap_or(Timestamp::MIN),
    )
}

/// What happens once on a schedule.
pub struct Once<'a> {
    /// The call's client.
    pub client: &'a Client,
    /// The schedule's id.
    pub schedule: &'a str,
}

/// Those of a kind on several schedules that run or are to come, with the place
/// of their schedule in the list. A schedule that is gone has none.
pub fn read_each(client: &Client, schedules: &[&str], kind: Kind) -> Result<Vec<(usize, Single)>> {
    let (since, until) = ahead(client);
    let mut paths = Vec::new();
    for schedule in schedules {
        paths.push(Once { client, schedule }.path(kind)?);
    }
    let list = |at: usize| {
        let path = paths.get(at).map_or("", String::as_str);
        let list = List::all(path).uncounted().with("since", &since);
        list.with("until", &until).with("overflow", "true")
    };
    let first = |at| paging::first_request(&list(at), 0);
    let mut replies = client.send_all((0..paths.len()).filter_map(first));
    let mut all = Vec::new();
    for at in 0..paths.len() {
        let mut is_whole = true;
        let mut keep = |row: &Json| {
            is_whole &= !row.is_object() || kind.is_whole(row);
            all.push((at, kind.read(row)));
        };
        match paging::read_rows(client, &list(at), kind.many(), replies.next(), &mut keep) {
            Err(error) if error.code == ErrorCode::NotFound => {}
            outcome => outcome?,
        }
        if !is_whole {
            return Err(unclear(kind));
        }
    }
    Ok(all)
}

fn unclear(kind: Kind) -> Error {
    Error::invalid_response(format!(
        "PagerDuty does not say of one of a schedule's `{}` when it is, or whose",
        kind.many()
    ))
}

fn ahead(client: &Client) -> (String, String) {
    let now = client.now().whole_second();
    (now.to_rfc3339(), now.plus(DAYS_AHEAD * DAY).to_rfc3339())
}

impl Once<'_> {
    /// The present. PagerDuty keeps whole seconds.
    pub fn now(&self) -> Timestamp {
        self.client.now().whole_second()
    }

    /// One of them.
    pub fn get(&self, kind: Kind, id: &str) -> Result<Single> {
        let reply = self.client.send(Request::get(self.path_of(kind, id)?))?;
        let json = reply.json()?;
        let one = json.object(kind.one()).filter(|one| kind.is_whole(one));
        one.map(|one| kind.read(one)).ok_or_else(|| {
            Error::invalid_response(format!(
                "PagerDuty's answer has no `{}` that says when it is, and whose",
                kind.one()
            ))
        })
    }

    /// Creates some, but not those that are there already: so it can be done
    /// again after an uncertain end, and is.
    pub fn create(&self, kind: Kind, wanted: &[Single]) -> Result<()> {
        match self.create_missing(kind, wanted) {
            Err(error) if error.may_have_applied => {
                self.create_missing(kind, wanted).map_err(Error::uncertain)
            }
            outcome => outcome,
        }
    }

    fn create_missing(&self, kind: Kind, wanted: &[Single]) -> Result<()> {
        let there = self.list(kind)?;
        let mut missing = Vec::new();
        for one in wanted {
            if self.find_in(&there, kind, one).is_none() {
                missing.push(kind.write(one));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let body = Json::of([(kind.many(), Json::List(missing))]);
        let change = Change::post(self.path(kind)?, &body);
        self.client.change(change).map(drop)
    }

    /// The id of one that was created.
    pub fn find(&self, kind: Kind, wanted: &Single) -> Result<String> {
        let there = self.list(kind).map_err(Error::uncertain)?;
        let found = self.find_in(&there, kind, wanted);
        found.map(|one| one.id.clone()).ok_or_else(|| {
            Error::invalid_response("PagerDuty does not list what it has created").uncertain()
        })
    }

    /// One that is like that, but for what is past of it.
    fn find_in<'t>(&self, there: &'t [Single], kind: Kind, wanted: &Single) -> Option<&'t Single> {
        let now = self.now();
        there.iter().find(|one| {
            one.member == wanted.member
                && one.start.max(now) == wanted.start.max(now)
                && one.end == wanted.end
                && (kind == Kind::CustomShift
                    || one.scope == wanted.scope && one.overridden == wanted.overridden)
        })
    }

    fn list(&self, kind: Kind) -> Result<Vec<Single>> {
        let all = read_each(self.client, &[self.schedule], kind)?;
        Ok(all.into_iter().map(|(_, one)| one).collect())
    }

    /// Changes one that is to come.
    pub fn update(&self, kind: Kind, one: &Single) -> Result<()> {
        let mut body = kind.write(one);
        // What an override is of can't be changed.
        if let Json::Object(fields) = &mut body {
            fields.retain(|(name, _)| {
                !["type", "overridden_member", one.scope.field()].contains(&&**name)
            });
        }
        let path = self.path_of(kind, &one.id)?;
        let change = Change::put(path, &Json::of([(kind.one(), body)]));
        self.client.change(change).map(drop)
    }

    /// Deletes one: one that runs ends, one to come goes.
    pub fn delete(&self, kind: Kind, id: &str) -> Result<()> {
        match self.client.change(Change::delete(self.path_of(kind, id)?)) {
            Err(error) if error.code == ErrorCode::NotFound => Ok(()),
            // To end what an attempt before has ended is refused.
            Err(error) if error.may_have_applied => match self.get(kind, id) {
                Ok(one) if one.end > self.now() => Err(error),
                Err(other) if other.code != ErrorCode::NotFound => Err(error),
                _ => Ok(()),
            },
            outcome => outcome.map(drop),
        }
    }

    /// The overrides of `from`'s shifts in a scope, made anew for those of `to`
    /// in another, where somebody else than `to` takes them. Each covers no
    /// more than the old one did: `to` may have shifts of their own there. The
    /// ids of the old ones are returned, to be deleted once they are without
    /// effect.
    pub fn carry_over(
        &self,
        from: (&Scope, &str),
        to: (&Scope, Option<&str>),
    ) -> Result<Vec<String>> {
        let now = self.now();
        let mut old = Vec::new();
        let mut until = now;
        for one in self.list(Kind::Override)? {
            if one.scope == *from.0 && one.overridden.as_deref() == Some(from.1) && one.end > now {
                until = until.max(one.end);
                old.push(one);
            }
        }
        if old.is_empty() {
            return Ok(Vec::new());
        }
        let request = schedules_v3::request(self.schedule)?
            .with("since", &now.to_rfc3339())
            .with("until", &until.to_rfc3339())
            .with("include[]", "final_schedule");
        let reply = self.client.send(request)?;
        let rendered = reply.json()?;
        let shifts = rendered.get("schedule").get("final_schedule");
        if !shifts.each("computed_shift_assignments", &says_where_it_is_from) {
            return Err(unclear(Kind::Override));
        }
        let mut wanted = Vec::new();
        for shift in shifts.objects("computed_shift_assignments") {
            let source = shift.get("source").text("override_id");
            let one = old.iter().find(|one| source.as_ref() == Some(&one.id));
            if let Some(one) = one.filter(|one| one.member.as_deref() != to.1) {
                let (start, end) = range(shift);
                wanted.push(Single {
                    start,
                    end,
                    scope: to.0.clone(),
                    overridden: to.1.map(str::to_owned),
                    ..one.clone()
                });
            }
        }
        self.create(Kind::Override, &wanted)?;
        Ok(old.into_iter().map(|one| one.id).collect())
    }

    fn path(&self, kind: Kind) -> Result<String> {
        let schedule = vendor_id(self.schedule)?;
        Ok(format!("/v3/schedules/{schedule}/{}", kind.many()))
    }

    fn path_of(&self, kind: Kind, id: &str) -> Result<String> {
        Ok(format!("{}/{}", self.path(kind)?, vendor_id(id)?))
    }
}
