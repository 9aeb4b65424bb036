//! What happens once on a v3 schedule: overrides, which put somebody on call in
//! place of a member of a rotation or of a custom shift; and custom shifts,
//! which belong to no rotation.

use crate::errors::{Error, ErrorCode, Result};
use crate::instants::{DAY, Timestamp};
use crate::pagerduty::client::{Change, Client, Request, vendor_id};
use crate::pagerduty::json::{Json, Row};
use crate::pagerduty::paging::{self, List};
use crate::pagerduty::schedule_events::member_of;
use crate::pagerduty::schedules_v3::{self, user};

/// How far ahead to look for what happens once: PagerDuty names no limit.
pub const DAYS_AHEAD: i64 = 2 * 365;

/// An override.
pub struct ShiftOverride {
    /// Vendor identifier.
    pub id: String,
    /// Whose member is replaced.
    pub scope: Scope,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Who would be on call; none for an empty place.
    pub overridden: Option<String>,
    /// Who is; none for nobody.
    pub overriding: Option<String>,
}

/// What an override is of.
#[derive(Clone, PartialEq)]
pub struct Scope {
    /// `rotation_id` or `custom_shift_id`.
    pub field: &'static str,
    /// The id.
    pub id: String,
}

/// A shift of its own.
pub struct CustomShift {
    /// Vendor identifier.
    pub id: String,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
    /// Who is on call; none for nobody.
    pub member: Option<String>,
}

impl Scope {
    /// A rotation.
    pub fn rotation(id: &str) -> Self {
        Self {
            field: "rotation_id",
            id: id.to_owned(),
        }
    }

    /// A custom shift.
    pub fn custom_shift(id: &str) -> Self {
        Self {
            field: "custom_shift_id",
            id: id.to_owned(),
        }
    }
}

impl Row for ShiftOverride {
    const MANY: &'static str = "overrides";
    const ONE: &'static str = "override";

    fn read(json: &Json) -> Self {
        let scope = match json.text("custom_shift_id") {
            Some(shift) => Scope::custom_shift(&shift),
            None => Scope::rotation(&json.text("rotation_id").unwrap_or_default()),
        };
        let (start, end) = range(json);
        Self {
            id: json.id(),
            scope,
            start,
            end,
            overridden: user(json.get("overridden_member")),
            overriding: user(json.get("overriding_member")),
        }
    }
}

impl Row for CustomShift {
    const MANY: &'static str = "custom_shifts";
    const ONE: &'static str = "custom_shift";

    fn read(json: &Json) -> Self {
        let (start, end) = range(json);
        let mut assignments = json.objects("assignments");
        Self {
            id: json.id(),
            start,
            end,
            member: assignments.find_map(|assignment| user(assignment.get("member"))),
        }
    }
}

/// What has no end that can be read counts as over.
fn range(json: &Json) -> (Timestamp, Timestamp) {
    (
        json.instant("start_time").unwrap_or(Timestamp::MIN),
        json.instant("end_time").unwrap_or(Timestamp::MIN),
    )
}

/// The lists of a schedule, from now on.
pub struct Once<'a> {
    /// The call's client.
    pub client: &'a Client,
    /// The schedule's id.
    pub schedule: &'a str,
}

impl Once<'_> {
    /// The present. PagerDuty keeps whole seconds.
    pub fn now(&self) -> Timestamp {
        self.client.now().whole_second()
    }

    fn overrides(&self) -> Result<Vec<ShiftOverride>> {
        let path = overrides_path(self.schedule)?;
        let range = Range::ahead(self.client);
        paging::read_all(self.client, &range.list(&path))
    }

    /// One override.
    pub fn get_override(&self, id: &str) -> Result<ShiftOverride> {
        let path = format!("{}/{}", overrides_path(self.schedule)?, vendor_id(id)?);
        self.client.fetch_one(Request::get(path))
    }

    /// One custom shift.
    pub fn custom_shift(&self, id: &str) -> Result<CustomShift> {
        let path = format!("{}/{}", custom_shifts_path(self.schedule)?, vendor_id(id)?);
        self.client.fetch_one(Request::get(path))
    }

    /// Creates overrides. Those that are there already are left out, so that
    /// it can be done again after an uncertain end.
    pub fn create_overrides(&self, wanted: &[ShiftOverride]) -> Result<()> {
        let now = self.now();
        looking_again(|| {
            let there = self.overrides()?;
            let missing = wanted
                .iter()
                .filter(|one| !there.iter().any(|other| one.is(other, now)))
                .map(|one| one.write(now));
            let missing: Vec<Json> = missing.collect();
            if missing.is_empty() {
                return Ok(());
            }
            let body = Json::of([("overrides", Json::List(missing))]);
            let change = Change::post(overrides_path(self.schedule)?, &body);
            self.client.change(change).map(drop)
        })
    }

    /// Creates one override, if it is not there already. Returns its id.
    pub fn create_override(&self, wanted: ShiftOverride) -> Result<String> {
        let wanted = [wanted];
        self.create_overrides(&wanted)?;
        let there = self.overrides().map_err(Error::uncertain)?;
        let made = there.into_iter().find(|one| wanted[0].is(one, self.now()));
        Ok(made.map(|one| one.id).unwrap_or_default())
    }

    /// Creates a custom shift, if it is not there already. Returns its id.
    pub fn create_custom_shift(&self, wanted: &CustomShift) -> Result<String> {
        let now = self.now();
        let path = custom_shifts_path(self.schedule)?;
        let range = Range::ahead(self.client);
        looking_again(|| {
            let there = paging::read_all::<CustomShift>(self.client, &range.list(&path))?;
            if let Some(one) = there.into_iter().find(|one| wanted.is(one, now)) {
                return Ok(one.id);
            }
            let body = Json::of([("custom_shifts", Json::List(vec![wanted.write(now)]))]);
            let made = self
                .client
                .change(Change::post(path.as_str(), &body))?
                .json()?;
            let id = made.objects("custom_shifts").next().map(Json::id);
            Ok(id.unwrap_or_default())
        })
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
        let mut old = self.overrides()?;
        old.retain(|one| {
            one.scope == *from.0 && one.overridden.as_deref() == Some(from.1) && one.end > now
        });
        let Some(until) = old.iter().map(|one| one.end).max() else {
            return Ok(Vec::new());
        };
        let request = schedules_v3::request(self.schedule)?
            .with("since", &now.to_rfc3339())
            .with("until", &until.to_rfc3339())
            .with("include[]", "final_schedule");
        let rendered = self.client.send(request)?.json()?;
        let shifts = rendered.get("schedule").get("final_schedule");
        let mut wanted = Vec::new();
        for shift in shifts.objects("computed_shift_assignments") {
            let source = shift.get("source").text("override_id");
            let one = old.iter().find(|one| source.as_ref() == Some(&one.id));
            let one = one.filter(|one| one.overriding.as_deref() != to.1);
            if let Some(one) = one {
                let (start, end) = range(shift);
                wanted.push(ShiftOverride {
                    id: String::new(),
                    scope: to.0.clone(),
                    start,
                    end,
                    overridden: to.1.map(str::to_owned),
                    overriding: one.overriding.clone(),
                });
            }
        }
        self.create_overrides(&wanted)?;
        Ok(old.into_iter().map(|one| one.id).collect())
    }

    /// Deletes an override: one that runs ends, one to come goes.
    pub fn delete_override(&self, id: &str) -> Result<bool> {
        self.delete(format!(
            "{}/{}",
            overrides_path(self.schedule)?,
            vendor_id(id)?
        ))
    }

    /// Deletes a custom shift: one that runs ends, one to come goes.
    pub fn delete_custom_shift(&self, id: &str) -> Result<bool> {
        self.delete(format!(
            "{}/{}",
            custom_shifts_path(self.schedule)?,
            vendor_id(id)?
        ))
    }

    fn delete(&self, path: String) -> Result<bool> {
        gone(self.client.change(Change::delete(path)))
    }

    /// Puts somebody else into an override that is to come.
    pub fn update_override(&self, one: &ShiftOverride) -> Result<()> {
        let path = format!("{}/{}", overrides_path(self.schedule)?, vendor_id(&one.id)?);
        let body = Json::of([
            ("start_time", one.start.to_rfc3339().as_str().into()),
            ("end_time", one.end.to_rfc3339().as_str().into()),
            ("overriding_member", member_of(one.overriding.as_deref())),
        ]);
        let change = Change::put(path, &Json::of([("override", body)]));
        self.client.change(change).map(drop)
    }

    /// Puts somebody else into a custom shift that is to come.
    pub fn update_custom_shift(&self, one: &CustomShift) -> Result<()> {
        let path = format!(
            "{}/{}",
            custom_shifts_path(self.schedule)?,
            vendor_id(&one.id)?
        );
        let body = one.write(Timestamp::MIN);
        let change = Change::put(path, &Json::of([("custom_shift", body)]));
        self.client.change(change).map(drop)
    }
}

/// Does something that creates what is missing, once more if nobody knows
/// whether it did: it looks at what there is first.
fn looking_again<T>(create: impl Fn() -> Result<T>) -> Result<T> {
    match create() {
        Err(error) if error.may_have_applied => create().map_err(Error::uncertain),
        outcome => outcome,
    }
}

/// Whether something was deleted; false if it was gone.
pub fn gone<T>(outcome: Result<T>) -> Result<bool> {
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.code == ErrorCode::NotFound => Ok(error.may_have_applied),
        Err(error) => Err(error),
    }
}

impl ShiftOverride {
    fn is(&self, other: &Self, now: Timestamp) -> bool {
        self.scope == other.scope
            && self.overridden == other.overridden
            && self.overriding == other.overriding
            && same_range(self.start, self.end, other.start, other.end, now)
    }

    fn write(&self, now: Timestamp) -> Json {
        Json::of([
            ("type", "override_shift".into()),
            (self.scope.field, self.scope.id.as_str().into()),
            (
                "start_time",
                self.start.max(now).to_rfc3339().as_str().into(),
            ),
            ("end_time", self.end.to_rfc3339().as_str().into()),
            ("overridden_member", member_of(self.overridden.as_deref())),
            ("overriding_member", member_of(self.overriding.as_deref())),
        ])
    }
}

impl CustomShift {
    fn is(&self, other: &Self, now: Timestamp) -> bool {
        self.member == other.member && same_range(self.start, self.end, other.start, other.end, now)
    }

    fn write(&self, now: Timestamp) -> Json {
        let assignment = Json::of([
            ("type", "shift_assignment".into()),
            ("member", member_of(self.member.as_deref())),
        ]);
        Json::of([
            ("type", "custom_shift".into()),
            (
                "start_time",
                self.start.max(now).to_rfc3339().as_str().into(),
            ),
            ("end_time", self.end.to_rfc3339().as_str().into()),
            ("assignments", Json::List(vec![assignment])),
        ])
    }
}

/// Whether two ranges are the same from now on.
fn same_range(
    start: Timestamp,
    end: Timestamp,
    other_start: Timestamp,
    other_end: Timestamp,
    now: Timestamp,
) -> bool {
    start.max(now) == other_start.max(now) && end == other_end
}

/// Where a schedule's overrides are.
pub fn overrides_path(schedule: &str) -> Result<String> {
    Ok(format!("/v3/schedules/{}/overrides", vendor_id(schedule)?))
}

/// Where a schedule's custom shifts are.
pub fn custom_shifts_path(schedule: &str) -> Result<String> {
    Ok(format!(
        "/v3/schedules/{}/custom_shifts",
        vendor_id(schedule)?
    ))
}

/// The time to look at, as parameters.
pub struct Range(String, String);

impl Range {
    /// From now on.
    pub fn ahead(client: &Client) -> Self {
        let now = client.now().whole_second();
        Self(now.to_rfc3339(), now.plus(DAYS_AHEAD * DAY).to_rfc3339())
    }

    /// A list of what is in it, in full length.
    pub fn list<'a>(&'a self, path: &'a str) -> List<'a> {
        List::all(path)
            .uncounted()
            .with("since", &self.0)
            .with("until", &self.1)
            .with("overflow", "true")
    }
}
