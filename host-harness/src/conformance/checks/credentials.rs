//! Who are we talking to, and may we?

use super::super::{
    ground::Ground,
    outcome::{Verdict, expect_code, fail, none_of, skip},
    script::{self, Known},
};
use super::accounts::newcomer;
use crate::contract::types::ErrorCode;

pub(super) async fn good(ground: &Ground<'_>) -> Verdict {
    let tenant = &ground.scene()?.tenant;
    let hint = "`credentials.validate` says which tenant it is; a sync keeps tenants apart by that";
    let mut ids = Vec::new();
    for _ in 0..2 {
        match tenant.validate().await {
            Ok(identity) => ids.push(identity.id),
            Err(error) => return Err(fail(format!("the credential is not valid: {error}"), hint)),
        }
    }
    match ids.as_slice() {
        [first, second] if first != second => Err(fail(
            format!("the tenant is `{first}`, and then `{second}`"),
            hint,
        )),
        [first, ..] if !first.trim().is_empty() => Ok(format!("it is for `{first}`")),
        _ => Err(fail("the tenant has no id", hint)),
    }
}

pub(super) async fn wrong(ground: &Ground<'_>) -> Verdict {
    let scene = ground.scene()?;
    let vendor = scene.vendor.as_ref();
    let Some(credential) = vendor.and_then(|vendor| vendor.wrong.as_ref()) else {
        return Err(skip("the stand-in vendor gives no wrong credential"));
    };
    let tenant = scene.with_credential(credential)?;
    let mut wrong = Vec::new();
    expect_code(
        &tenant.validate().await,
        &[ErrorCode::Unauthorized],
        "`credentials.validate`",
        &mut wrong,
    );
    none_of(
        &wrong,
        "only `unauthorized` makes a platform ask for another credential",
    )?;
    Ok("`credentials.validate`".to_owned())
}

pub(super) async fn revoked(ground: &Ground<'_>) -> Verdict {
    let scene = ground.fresh().await?;
    let vendor = scene.vendor.as_ref();
    let Some((credential, revoke)) = vendor.and_then(|vendor| vendor.revocable.as_ref()) else {
        return Err(skip("the stand-in vendor can't revoke a credential"));
    };
    let survey = ground.survey().await?;
    let known = Known::of(&survey.accounts, &survey.grants);
    let tenant = scene.with_credential(credential)?;
    // A diagnosis tells what is wrong as its result, and `credential-wrong` is
    // about the validation.
    let mut reads = script::reads(&tenant, &known);
    reads.retain(|(function, _)| {
        !["diagnostics.diagnose", "credentials.validate"].contains(function)
    });
    let mut good = Vec::new();
    for (function, input) in reads {
        scene.take_reports();
        let is_good = tenant.call(function, &input).await.is_ok();
        // What asks the vendor nothing can't know.
        let mut reports = scene.take_reports().into_iter();
        if is_good && reports.any(|report| !report.requests.is_empty()) {
            good.push((function, input));
        }
    }
    if good.is_empty() {
        return Err(skip(
            "no read answers with it to begin with: see the check `reads`",
        ));
    }
    revoke();
    let mut wrong = Vec::new();
    for (function, input) in &good {
        expect_code(
            &tenant.call(function, input).await,
            &[ErrorCode::Unauthorized],
            &format!("`{function}`"),
            &mut wrong,
        );
    }
    none_of(
        &wrong,
        "anything but an error would let a sync believe that everybody is gone",
    )?;
    Ok(format!("{} reads, before and after", good.len()))
}

pub(super) async fn rights(ground: &Ground<'_>) -> Verdict {
    ground.need("provisioning.create-account")?;
    let scene = ground.fresh().await?;
    let vendor = scene.vendor.as_ref();
    let Some(credential) = vendor.and_then(|vendor| vendor.lacking.as_ref()) else {
        return Err(skip(
            "the stand-in vendor gives no credential that may not change anything",
        ));
    };
    let tenant = scene.with_credential(credential)?;
    let account = newcomer(ground, "without-rights").await?;
    let mut wrong = Vec::new();
    expect_code(
        &tenant.create_account(account).await,
        &[ErrorCode::PermissionDenied],
        "`provisioning.create-account`",
        &mut wrong,
    );
    none_of(
        &wrong,
        "the credential is good, so it is not `unauthorized` either",
    )?;
    Ok("`provisioning.create-account`".to_owned())
}
