//! What was asked and answered, against what the vendor says of its API.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde_json::Value;
use url::Url;

use super::super::{
    ground::Ground,
    outcome::{Verdict, none_of, skip},
};
use crate::{
    egress::cassette::{Body, Interaction, RecordedOutcome, SCRUBBED},
    openapi::{Answer, Content, Exchange, Violation},
};

pub(super) async fn openapi(ground: &Ground<'_>) -> Verdict {
    // `Check::impediment` has seen to it that there is one.
    let Some(description) = &ground.subject.description else {
        return Err(skip("there is no description: `--openapi FILE`"));
    };
    let (mut found, mut requests, mut unanswered) = (Vec::new(), 0, 0);
    for tape in ground.tapes().await? {
        for interaction in &tape.cassette.interactions {
            if matches!(interaction.outcome, RecordedOutcome::Error(_)) {
                unanswered += 1;
                continue;
            }
            requests += 1;
            let place = format!("{}, request {}", tape.name, interaction.id);
            let Ok(uri) = Url::parse(&interaction.request.uri) else {
                let violation = Violation {
                    operation: interaction.request.method.clone(),
                    place: "address".to_owned(),
                    what: format!("`{}` is none", interaction.request.uri),
                    rule: "address".to_owned(),
                };
                found.push((place, violation));
                continue;
            };
            let violations = description
                .violations(&exchange(interaction, &uri))
                .map_err(|error| ground.end(error.into()))?;
            found.extend(violations.into_iter().map(|one| (place.clone(), one)));
        }
    }
    none_of(
        &by_kind(&found),
        "correct the request, or a recording that is not the vendor's; where the vendor is not as \
         it describes itself, correct that by `--openapi-overlay FILE`",
    )?;
    if requests == 0 {
        return Err(skip(match unanswered {
            0 => "no request is recorded".to_owned(),
            1 => "the one recorded request was not answered".to_owned(),
            _ => format!("none of {unanswered} recorded requests was answered"),
        }));
    }
    let rest = match unanswered {
        0 => String::new(),
        1 => "; 1 more was not answered".to_owned(),
        _ => format!("; {unanswered} more were not answered"),
    };
    Ok(match requests {
        1 => format!("1 request and its answer{rest}"),
        _ => format!("{requests} requests and their answers{rest}"),
    })
}

/// A request with its answer, as recordings have them.
fn exchange<'r>(interaction: &'r Interaction, uri: &'r Url) -> Exchange<'r> {
    let request = &interaction.request;
    let mut exchange = Exchange::new(&request.method, uri.path());
    exchange.query = uri.query_pairs().into_owned().collect();
    exchange.untold = Some(SCRUBBED);
    exchange.body = content(&request.body, &request.headers);
    if let RecordedOutcome::Response(response) = &interaction.outcome {
        exchange.answer = Some(Answer {
            status: response.status.code,
            body: content(&response.body, &response.headers),
        });
    }
    exchange
}

fn content<'r>(body: &'r Body, headers: &'r BTreeMap<String, Vec<String>>) -> Option<Content<'r>> {
    let value = match body {
        Body::None => return None,
        Body::Json(value) => Cow::Borrowed(value),
        Body::Text(text) | Body::Base64(text) => Cow::Owned(Value::from(text.as_str())),
    };
    let media_type = headers
        .get("content-type")
        .and_then(|values| values.first());
    let mut content = Content {
        media_type: media_type.map(String::as_str),
        value,
    };
    // A text may look like JSON: a number, say.
    if let (Body::Json(value), false) = (body, content.is_json()) {
        content.value = Cow::Owned(Value::from(value.to_string()));
    }
    Some(content)
}

/// What is wrong, each kind once: with the first place, and how many more there
/// are. One wrong field may be in every row of every answer.
fn by_kind(found: &[(String, Violation)]) -> Vec<String> {
    let mut kinds: Vec<(&(String, Violation), usize)> = Vec::new();
    let mut known = HashMap::new();
    for one in found {
        let kind = *known.entry(one.1.kind()).or_insert_with(|| {
            kinds.push((one, 0));
            kinds.len() - 1
        });
        kinds[kind].1 += 1;
    }
    let told = kinds
        .into_iter()
        .map(|((place, first), count)| match count {
            1 => format!("{place}: {first}"),
            _ => format!("{place}: {first} (and {} more like this)", count - 1),
        });
    told.collect()
}
