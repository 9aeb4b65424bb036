//! Who is on call.

use serde_json::Value;

use crate::accounts::segment;
use crate::errors::{Result, error};
use crate::exports::iga::connector::on_call::Shift;
use crate::iga::connector::types::ErrorCode;
use crate::mutation;
use crate::vendor::{get, has_more, list, text};

pub fn who(account: Option<&str>, schedules: &[String], at: Option<&str>) -> Result<Vec<Shift>> {
    if account.is_some() && mutation::is("on-call") {
        return Ok(Vec::new());
    }
    let mut query = String::new();
    for schedule in schedules {
        query.push_str(&format!("&schedule_ids%5B%5D={}", segment(schedule)?));
    }
    if let Some(account) = account {
        query.push_str(&format!("&user_ids%5B%5D={}", segment(account)?));
    }
    if let Some(at) = at {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-:.".contains(&byte);
        if !at.bytes().all(fits) {
            return Err(error(ErrorCode::InvalidInput, "that is no instant"));
        }
        query.push_str(&format!("&since={at}&until={at}"));
    }
    let mut shifts = Vec::new();
    loop {
        let answer = get(&format!(
            "/oncalls?limit=100&offset={}{query}",
            shifts.len()
        ))?;
        let rows = list(&answer, "oncalls")?;
        for row in rows {
            let id = |what: &str| {
                row[what]
                    .get("id")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let level = row.get("escalation_level").and_then(Value::as_u64);
            let instant = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
            shifts.push(Shift {
                account: text(&row["user"], "id")?,
                schedule: id("schedule"),
                policy: id("escalation_policy"),
                level: level.and_then(|level| u32::try_from(level).ok()),
                start: instant("start"),
                end: instant("end"),
            });
        }
        if rows.is_empty() || !has_more(&answer) {
            return Ok(shifts);
        }
    }
}
