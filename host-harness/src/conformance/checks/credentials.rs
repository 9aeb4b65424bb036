//! Who are we talking to, and may we?

use super::super::{
    ground::Ground,
    outcome::{Verdict, expect_code, fail, none_of, skip},
};
use super::accounts::newcomer;
use crate::contract::types::{ErrorCode, PageRequest};

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
    ground.need("directory.list-accounts")?;
    let tenant = scene.with_credential(credential)?;
    let page = || PageRequest {
        token: None,
        size: None,
    };
    if let Err(error) = tenant.list_accounts(page()).await {
        return Err(skip(format!(
            "it is not good to begin with ({error}): see the check `reads`"
        )));
    }
    revoke();
    let mut wrong = Vec::new();
    expect_code(
        &tenant.list_accounts(page()).await,
        &[ErrorCode::Unauthorized],
        "`directory.list-accounts`",
        &mut wrong,
    );
    none_of(
        &wrong,
        "anything but an error would let a sync believe that everybody is gone",
    )?;
    Ok("`directory.list-accounts` before and after".to_owned())
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
