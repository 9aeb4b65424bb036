//! `harness create`, `update`, `assign`, `unassign`, `delete`: one change to one
//! account.

use serde_json::json;

use super::{
    args::{AssignArgs, ChangeArgs, CreateArgs, DeleteArgs, UpdateArgs},
    confirm,
    connect::{self, Access, Session},
    failure::Failure,
    leavers::resolve,
    output,
    queries::unwrap,
};
use crate::{
    CallError, Connector, WithheldChange,
    contract::{
        provisioning::{AccountChange, NewAccount},
        to_json,
        types::{Effect, EntitlementRef},
    },
    offboarding::effect_text,
    text::printable,
};

pub(super) async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let session = open(&args.change).await?;
    let connector = session.tenant.connector();
    let account = NewAccount {
        email: args.email.clone(),
        given_name: args.given_name.clone(),
        family_name: args.family_name.clone(),
        display_name: args.name.clone(),
        entitlements: args
            .entitlement
            .iter()
            .map(|text| entitlement(connector, text))
            .collect::<Result<_, _>>()?,
        attributes: attributes(&args.attribute)?,
    };
    let outcome = session.tenant.create_account(account).await;
    let finished = session.finish();
    let as_json = args.change.connect.json;
    if let Some(change) = withheld(&outcome) {
        finished?;
        return show_withheld(change, as_json);
    }
    let created = unwrap(outcome, as_json)?;
    finished?;
    if as_json {
        return output::json(&to_json(&created));
    }
    output::fields(&[
        ("account", created.account.id.clone()),
        ("name", created.account.display_name.clone()),
        ("e-mail", created.account.email.clone().unwrap_or_default()),
        ("status", super::list::name(&created.account.status)),
        ("effect", effect_text(&created.effect)),
    ])
}

pub(super) async fn update(args: &UpdateArgs) -> Result<(), Failure> {
    let change = AccountChange {
        display_name: args.name.clone(),
        email: args.email.clone(),
        attributes: attributes(&args.attribute)?,
    };
    if change.display_name.is_none() && change.email.is_none() && change.attributes.is_empty() {
        return Err(Failure::usage(
            "there is nothing to change",
            "say `--name`, `--email` or `--attribute`",
        ));
    }
    let session = open(&args.change).await?;
    let account = resolve(&session.tenant, &args.account).await?;
    let outcome = session.tenant.update_account(&account, change).await;
    end(session, outcome, &args.change, &account)
}

pub(super) async fn assign(args: &AssignArgs) -> Result<(), Failure> {
    let session = open(&args.change).await?;
    let entitlement = entitlement(session.tenant.connector(), &args.entitlement)?;
    let account = resolve(&session.tenant, &args.account).await?;
    let outcome = session.tenant.assign(&account, entitlement).await;
    end(session, outcome, &args.change, &account)
}

pub(super) async fn unassign(args: &AssignArgs) -> Result<(), Failure> {
    let session = open(&args.change).await?;
    let entitlement = entitlement(session.tenant.connector(), &args.entitlement)?;
    let account = resolve(&session.tenant, &args.account).await?;
    let outcome = session.tenant.unassign(&account, entitlement).await;
    end(session, outcome, &args.change, &account)
}

pub(super) async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    if !args.change.dry_run {
        confirm::can_ask(args.yes)?;
    }
    let session = open(&args.change).await?;
    let account = resolve(&session.tenant, &args.account).await?;
    if !args.change.dry_run && !args.yes {
        let found = unwrap(
            session.tenant.get_account(&account).await,
            args.change.connect.json,
        )?;
        let question = format!(
            "Delete {} ({}, {})? That is final.",
            printable(&found.display_name),
            printable(found.email.as_deref().unwrap_or("no e-mail address")),
            printable(&found.id)
        );
        if !confirm::ask(&question, args.yes)? {
            return Err(Failure::call("nothing was deleted", None));
        }
    }
    let outcome = session.tenant.delete_account(&account).await;
    end(session, outcome, &args.change, &account)
}

/// The change that a dry run came to.
pub(super) fn show_withheld(change: &WithheldChange, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&json!({ "withheld": change }));
    }
    output::line(&format!(
        "{} {}",
        printable(&change.method),
        printable(&change.uri)
    ))?;
    if !change.body.is_null() {
        output::json(&change.body)?;
    }
    talk!("dry run: that would be the first change; nothing was sent");
    Ok(())
}

async fn open(args: &ChangeArgs) -> Result<Session, Failure> {
    connect::session_to(Access::to_change(args.dry_run), &args.connect).await
}

fn withheld<T>(outcome: &Result<T, CallError>) -> Option<&WithheldChange> {
    outcome.as_ref().err().and_then(CallError::withheld)
}

fn end(
    session: Session,
    outcome: Result<Effect, CallError>,
    args: &ChangeArgs,
    account: &str,
) -> Result<(), Failure> {
    let finished = session.finish();
    let as_json = args.connect.json;
    if let Some(change) = withheld(&outcome) {
        finished?;
        return show_withheld(change, as_json);
    }
    let effect = unwrap(outcome, as_json)?;
    finished?;
    if as_json {
        return output::json(&json!({ "account": account, "effect": to_json(&effect) }));
    }
    output::line(&format!("{}  {}", printable(account), effect_text(&effect)))
}

/// `role:limited_user`, `team-membership:manager@PTEAM1`.
fn entitlement(connector: &Connector, text: &str) -> Result<EntitlementRef, Failure> {
    let types = &connector.descriptor().entitlement_types;
    let malformed = || {
        let known: Vec<String> = types
            .iter()
            .map(|known| format!("`{}`", known.id))
            .collect();
        Failure::usage(
            format!("`{text}` does not name an entitlement"),
            format!(
                "write it as TYPE:ID or TYPE:ID@RESOURCE; the types are {}, and `harness \
                 entitlements` lists the rest",
                known.join(", ")
            ),
        )
    };
    let (kind, rest) = text.split_once(':').ok_or_else(malformed)?;
    let (id, resource) = rest.split_once('@').unwrap_or((rest, ""));
    let kind = types
        .iter()
        .find(|known| known.id == kind)
        .filter(|_| !id.is_empty())
        .ok_or_else(malformed)?;
    Ok(EntitlementRef {
        entitlement_type: kind.id.clone(),
        id: id.to_owned(),
        resource_type: kind.resource_type.clone(),
        resource: resource.to_owned(),
    })
}

fn attributes(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    given
        .iter()
        .map(|attribute| match attribute.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Failure::usage(
                format!("`--attribute {attribute}` has no `=`"),
                "write it as `--attribute job_title=Engineer`",
            )),
        })
        .collect()
}
