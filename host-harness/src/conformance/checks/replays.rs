//! What recordings show.

use serde_json::Value;

use super::super::{
    Outcome,
    ground::Ground,
    outcome::{Verdict, fail, none_of, skip},
    subject::Source,
    tape::{Playback, Tape, play},
};
use crate::{
    egress::cassette::{Severity, lint},
    registry::{self, ValueDiff},
};

/// What a replay has done, as a text for each call.
fn traces(playback: &Playback, with_fuel: bool) -> Vec<String> {
    let calls = playback.calls.iter();
    calls
        .map(|call| {
            let output = match &call.output {
                Ok(value) => value.to_string(),
                Err(error) => format!("{}: {error}", error.code()),
            };
            let requests: Vec<String> = call
                .report
                .requests
                .iter()
                .map(|request| format!("{} {} {:?}", request.method, request.uri, request.outcome))
                .collect();
            let fuel = call.report.fuel.filter(|_| with_fuel);
            format!("{output} {requests:?} {:?} {fuel:?}", call.report.log)
        })
        .collect()
}

pub(super) async fn determinism(ground: &Ground<'_>) -> Verdict {
    let connector = ground.connector();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for tape in ground.tapes().await? {
        let first = play(connector, tape, |config| config).await?;
        let second = play(connector, tape, |config| config).await?;
        let mut reseeded = tape.cassette.clone();
        reseeded.harness.seed = "5a".repeat(32);
        let reseeded = Tape {
            name: tape.name.clone(),
            cassette: reseeded,
        };
        let third = play(connector, &reseeded, |config| config).await?;
        for (at, call) in first.calls.iter().enumerate() {
            count += 1;
            let place = format!("{}, call {at} (`{}`)", tape.name, call.function);
            if traces(&first, true).get(at) != traces(&second, true).get(at) {
                wrong.push(format!("{place}: two replays differ"));
            } else if traces(&first, false).get(at) != traces(&third, false).get(at) {
                wrong.push(format!("{place}: other random numbers give another result"));
            }
        }
    }
    none_of(
        &wrong,
        "sort what comes out of a hash map; use random numbers for pauses alone",
    )?;
    if count == 0 {
        return Err(skip("the recordings hold no call"));
    }
    Ok(format!("{count} calls, three times"))
}

pub(super) async fn recordings(ground: &Ground<'_>) -> Verdict {
    let connector = ground.connector();
    let now = jiff::Timestamp::now();
    let (mut wrong, mut doubtful, mut requests) = (Vec::new(), Vec::new(), 0);
    let tapes = ground.tapes().await?;
    for tape in tapes {
        let name = &tape.name;
        for finding in lint(&tape.cassette, now) {
            let found = format!("{name}: {}", finding.message);
            match finding.severity {
                Severity::Error => wrong.push(found),
                Severity::Warning => doubtful.push(found),
                Severity::Note => {}
            }
        }
        requests += tape.cassette.interactions.len();
        // Nobody but who gave it can mend it, so it is no reason to look away.
        let played = match play(connector, tape, |config| config).await {
            Ok(played) => played,
            Err(outcome) => {
                wrong.push(outcome.detail().to_owned());
                continue;
            }
        };
        if played.calls.len() != tape.cassette.harness.calls.len() {
            wrong.push(format!(
                "{name}: it calls functions that the connector lacks"
            ));
        }
        for call in &played.calls {
            if let Err(error) = &call.output
                && error.code() == "not_in_cassette"
            {
                wrong.push(format!(
                    "{name}: `{}` asks for what is not recorded: {error}",
                    call.function
                ));
            }
        }
        if let Some(request) = played.unplayed.first() {
            wrong.push(format!(
                "{name}: {} recorded requests are not made any more, such as `{request}`",
                played.unplayed.len()
            ));
        }
    }
    none_of(&wrong, "record again, and look at what is different")?;
    if !doubtful.is_empty() {
        return Err(Outcome::Warn {
            what: crate::text::printable(&doubtful.join("; ")).into_owned(),
        });
    }
    Ok(format!("{} recordings, {requests} requests", tapes.len()))
}

pub(super) async fn budget(ground: &Ground<'_>) -> Verdict {
    let Source::Recordings { tapes, ceilings } = &ground.subject.source else {
        return Err(skip("it is about recordings"));
    };
    let Some(ceilings) = ceilings else {
        return Err(skip(
            "there is no `ceilings.toml` beside the recordings: write it with `--record-ceilings`",
        ));
    };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for tape in tapes {
        let Some(ceilings) = ceilings.0.get(&tape.name) else {
            wrong.push(format!("{}: it has no ceilings", tape.name));
            continue;
        };
        let played = play(ground.connector(), tape, |config| config).await?;
        for call in &played.calls {
            let place = format!("{} `{}`", tape.name, call.function);
            let Some(ceiling) = ceilings.get(&call.function) else {
                wrong.push(format!("{place}: it has no ceiling"));
                continue;
            };
            count += 1;
            let used = super::super::tape::used(&call.report);
            for (what, used, most) in [
                ("instructions", used.fuel, ceiling.fuel),
                ("bytes of memory", used.memory, ceiling.memory),
                ("requests", used.requests, ceiling.requests),
            ] {
                if used > most {
                    wrong.push(format!("{place}: {used} {what}, and at most {most}"));
                }
            }
        }
    }
    none_of(
        &wrong,
        "find out what has become dearer, or accept it with `--record-ceilings`",
    )?;
    if count == 0 {
        return Err(skip("the recordings hold no call"));
    }
    Ok(format!("{count} calls"))
}

pub(super) async fn versions(ground: &Ground<'_>) -> Verdict {
    let Some(other) = &ground.subject.against else {
        return Err(skip("there is no other version"));
    };
    let tapes = ground.tapes().await?;
    let fixtures: Vec<_> = tapes
        .iter()
        .map(|tape| (tape.name.clone(), tape.cassette.clone()))
        .collect();
    let diff = registry::compare(Some(other), ground.connector(), &fixtures)
        .await
        .map_err(|error| skip(format!("the recordings can't be played: {error}")))?;
    let mut lines = Vec::new();
    for fixture in &diff.fixtures {
        for call in &fixture.calls {
            let mut call = call.clone();
            // A token is the connector's own affair; `swap` is about them.
            call.output.retain(|value| !is_token(value));
            if call.crash.is_some() || !call.output.is_empty() || !call.requests.is_empty() {
                lines.push(fixture.fixture.clone());
                lines.extend(call.to_string().lines().map(|line| line.trim().to_owned()));
            }
        }
    }
    if lines.is_empty() {
        return Ok(format!("{} recordings", diff.played));
    }
    Err(fail(
        lines.join(" | "),
        "what is - the other version does, what is + this one; look at each, or leave it out",
    ))
}

fn is_token(value: &ValueDiff) -> bool {
    let is_text = |side: &Option<Value>| side.as_ref().is_some_and(Value::is_string);
    value.path == "ok.next" && is_text(&value.running) && is_text(&value.candidate)
}
