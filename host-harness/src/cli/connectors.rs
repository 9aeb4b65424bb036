//! `harness connectors`: what a host serves, and which version of it.

mod show;

use std::path::Path;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{
    admin::{Admin, Ask, Body},
    args::{AdminArgs, ConnectorsCommand, OperatorArgs},
    connect,
    failure::Failure,
    output,
};
use crate::text::printable;
use show::{array, cell};

pub(super) async fn run(command: &ConnectorsCommand) -> Result<(), Failure> {
    match command {
        ConnectorsCommand::List { admin } => list(admin).await,
        ConnectorsCommand::Load { file, operator } => load(file, true, false, operator).await,
        ConnectorsCommand::Swap {
            file,
            candidate,
            accept,
            operator,
        } => match (file, candidate) {
            (Some(file), _) => load(file, false, *accept, operator).await,
            (None, Some(id)) => {
                let body = json!({ "accept": accept });
                let report = change(operator, &format!("{}/swap", connector(id)), body).await?;
                show::load(&report, operator.admin.json)
            }
            // clap asks for one of them.
            (None, None) => Err(Failure::usage(
                "nothing says what is to take over",
                "name a file, or `--candidate CONNECTOR`",
            )),
        },
        ConnectorsCommand::Rollback {
            connector: id,
            to,
            reason,
            operator,
        } => {
            let body = json!({ "to": to, "reason": reason });
            let answer = change(operator, &format!("{}/rollback", connector(id)), body).await?;
            let generation = &answer["generation"];
            say(
                operator,
                &answer,
                &format!("generation {generation} of `{id}` serves"),
            )
        }
        ConnectorsCommand::Shadow {
            connector: id,
            every,
            end,
            operator,
        } => {
            let body = json!({ "every": (!end).then_some(every) });
            let answer = change(operator, &format!("{}/shadow", connector(id)), body).await?;
            let text = if *end {
                format!("the candidate of `{id}` is asked no more")
            } else {
                format!(
                    "every {every}. read of `{id}` is also asked of its candidate\nnext: `harness \
                     connectors list` tells how it does, `harness connectors swap --candidate \
                     {id}` lets it take over"
                )
            };
            say(operator, &answer, &text)
        }
        ConnectorsCommand::Discard {
            connector: id,
            operator,
        } => {
            let path = format!("{}/candidate", connector(id));
            let answer = ask(operator, Method::DELETE, &path, Body::Nothing).await?;
            say(
                operator,
                &answer,
                &format!("`{id}` has no candidate any more"),
            )
        }
        ConnectorsCommand::Quarantine {
            sha256,
            reason,
            release,
            operator,
        } => quarantine(sha256, reason.as_deref(), *release, operator).await,
        ConnectorsCommand::History {
            connector,
            limit,
            admin,
        } => history(connector.as_deref(), *limit, admin).await,
    }
}

async fn load(
    file: &Path,
    stage: bool,
    accept: bool,
    operator: &OperatorArgs,
) -> Result<(), Failure> {
    let component = Bytes::from(connect::read(file, "component")?);
    let mut signature = file.as_os_str().to_owned();
    signature.push(".minisig");
    let signature = match std::fs::read(&signature) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::usage(
                format!(
                    "`{}` can't be read: {error}",
                    Path::new(&signature).display()
                ),
                "the host would take the component for one that nobody has signed",
            ));
        }
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("name", &name)
        .append_pair("stage", if stage { "true" } else { "false" })
        .append_pair("accept", if accept { "true" } else { "false" })
        .finish();
    let body = Body::Component(component, signature.as_deref());
    let path = format!("/connectors?{query}");
    let report = ask(operator, Method::POST, &path, body).await?;
    show::load(&report, operator.admin.json)
}

async fn list(args: &AdminArgs) -> Result<(), Failure> {
    let answer = look(args, "/connectors").await?;
    if args.json {
        return output::json(&answer);
    }
    show::list(&answer)
}

async fn quarantine(
    sha256: &str,
    reason: Option<&str>,
    release: bool,
    operator: &OperatorArgs,
) -> Result<(), Failure> {
    let answer = look(&operator.admin, "/connectors").await?;
    let sha256 = whole_digest(sha256, &answer)?;
    let path = format!("/quarantine/{sha256}");
    if release {
        let answer = ask(operator, Method::DELETE, &path, Body::Nothing).await?;
        return say(
            operator,
            &answer,
            &format!("`{sha256}` may be loaded again"),
        );
    }
    let answer = change(operator, &path, json!({ "reason": reason })).await?;
    say(
        operator,
        &answer,
        &format!("`{sha256}` is not loaded again"),
    )
}

/// A digest may be given by its beginning, if the host knows just one such.
fn whole_digest(given: &str, known: &Value) -> Result<String, Failure> {
    let given = given.to_ascii_lowercase();
    let is_hex = given.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(6..=64).contains(&given.len()) {
        return Err(Failure::usage(
            "a digest has 64 hexadecimal digits, and its beginning at least 6",
            "`harness connectors list` shows them",
        ));
    }
    if given.len() == 64 {
        return Ok(given);
    }
    let mut digests: Vec<String> = Vec::new();
    for connector in array(&known["connectors"]) {
        let generations = array(&connector["generations"]).iter();
        digests.extend(generations.map(|generation| cell(&generation["sha256"])));
        digests.push(cell(&connector["candidate"]["sha256"]));
    }
    digests.extend(
        known["quarantine"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().cloned()),
    );
    digests.retain(|digest| digest.starts_with(&given));
    digests.sort();
    digests.dedup();
    match digests.as_slice() {
        [digest] => Ok(digest.clone()),
        [] => Err(Failure::usage(
            format!("no digest that the host knows begins with `{given}`"),
            "give all 64 digits",
        )),
        several => Err(Failure::usage(
            format!("{} digests begin with `{given}`", several.len()),
            "give more digits",
        )),
    }
}

async fn history(connector: Option<&str>, limit: usize, args: &AdminArgs) -> Result<(), Failure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    if let Some(connector) = connector {
        query.append_pair("connector", connector);
    }
    let answer = look(args, &format!("/history?{}", query.finish())).await?;
    if args.json {
        return output::json(&answer);
    }
    show::history(&answer)
}

async fn look(args: &AdminArgs, path: &str) -> Result<Value, Failure> {
    let ask = Ask {
        method: Method::GET,
        path: path.to_owned(),
        body: Body::Nothing,
        by: None,
    };
    Admin::new(args)?.ask(ask).await
}

async fn change(operator: &OperatorArgs, path: &str, body: Value) -> Result<Value, Failure> {
    ask(operator, Method::POST, path, Body::Json(body)).await
}

async fn ask(
    operator: &OperatorArgs,
    method: Method,
    path: &str,
    body: Body<'_>,
) -> Result<Value, Failure> {
    let ask = Ask {
        method,
        path: path.to_owned(),
        body,
        by: Some(&operator.by),
    };
    Admin::new(&operator.admin)?.ask(ask).await
}

fn say(operator: &OperatorArgs, answer: &Value, text: &str) -> Result<(), Failure> {
    if operator.admin.json {
        return output::json(answer);
    }
    for line in text.lines() {
        output::line(&printable(line))?;
    }
    Ok(())
}

/// Its path below `/api`.
fn connector(id: &str) -> String {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("/connectors/{id}")
}
