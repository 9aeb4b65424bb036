//! The capabilities that are served, and what each takes of a connector.

use crate::Connector;

/// What a capability does to the outside, as Lumos has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Level {
    /// Facts about the connector.
    Specification,
    /// A step of signing in.
    Authorization,
    /// A check without the vendor.
    Validation,
    /// Looks.
    Read,
    /// Changes.
    Write,
}

/// One that is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capability {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// The connector's functions, of which all must be there.
    needs: &'static [&'static str],
    /// For the description.
    pub(super) summary: &'static str,
    /// The schemas of `request` and `response`.
    pub(super) request: &'static str,
    pub(super) response: &'static str,
    /// Whether `response` is a list of such.
    pub(super) is_list: bool,
}

/// Which one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Info,
    AppInfo,
    ValidateCredentials,
    ValidateCredentialConfig,
    ProbeIntegration,
    ListAccounts,
    GetAccount,
    ListUpdatedAccounts,
    ListActivityRecords,
    ListResources,
    ListEntitlements,
    FindEntitlementAssociations,
    GetAccountEntitlementAssociations,
    GetLastActivity,
    AssignEntitlement,
    UnassignEntitlement,
    CreateAccount,
    UpdateAccount,
    DeleteAccount,
    TransferData,
    ReleaseResources,
    DowngradeLicense,
    GetAuthorizationUrl,
    HandleAuthorizationCallback,
    HandleClientCredentialsRequest,
    RefreshAccessToken,
}

macro_rules! table {
    ($($kind:ident $name:literal $level:ident [$($need:literal),*] $request:literal => $response:literal $list:ident $summary:literal;)*) => {
        /// All of them.
        pub(super) const ALL: &[Capability] = &[$(
            Capability {
                kind: Kind::$kind,
                name: $name,
                level: Level::$level,
                needs: &[$($need),*],
                summary: $summary,
                request: $request,
                response: $response,
                is_list: table!(@ $list),
            },
        )*];
    };
    (@ one) => { false };
    (@ list) => { true };
}

table! {
    Info "info" Specification [] "Empty" => "Info" one
        "What the connector is and can do.";
    AppInfo "app_info" Specification [] "Empty" => "AppInfo" one
        "The connector's description as an OpenAPI document.";
    ValidateCredentials "validate_credentials" Read ["credentials.validate"] "Empty" => "ValidatedCredentials" one
        "Asks the vendor whether the credential is good, and whose it is.";
    ValidateCredentialConfig "validate_credential_config" Validation [] "ValidateCredentialConfig" => "ValidatedCredentialConfig" one
        "Whether the connector can use such a credential. Asks nobody.";
    ProbeIntegration "probe_integration" Read
        ["directory.list-accounts", "directory.list-entitlements", "directory.list-grants"]
        "ProbeIntegration" => "ProbeResults" one
        "Looks whether a sync would work. What fails is reported, not raised.";
    ListAccounts "list_accounts" Read ["directory.list-accounts"] "ListAccounts" => "FoundAccountData" list
        "All accounts, by page.";
    GetAccount "get_account" Read ["directory.get-account"] "GetAccount" => "FoundAccountData" one
        "One account.";
    ListUpdatedAccounts "list_updated_accounts" Read
        ["activity.list-activity", "directory.get-account", "directory.list-accounts"]
        "ListUpdatedAccounts" => "UpdatedAccounts" one
        "Accounts that the vendor's audit records name since a time or a cursor; all of them without one.";
    ListActivityRecords "list_activity_records" Read ["activity.list-activity"] "ListActivityRecords" => "ActivityRecord" list
        "The vendor's audit records since a time, by page.";
    ListResources "list_resources" Read ["directory.list-resources"] "Empty" => "FoundResourceData" list
        "What access is granted on, by page.";
    ListEntitlements "list_entitlements" Read ["directory.list-entitlements"] "ListEntitlements" => "FoundEntitlementData" list
        "What access can be held, by page.";
    FindEntitlementAssociations "find_entitlement_associations" Read ["directory.list-grants"] "Empty" => "FoundEntitlementAssociation" list
        "Who holds what, by page.";
    GetAccountEntitlementAssociations "get_account_entitlement_associations" Read ["directory.account-grants"]
        "GetAccountEntitlementAssociations" => "FoundEntitlementAssociation" list
        "What one account holds.";
    GetLastActivity "get_last_activity" Read ["activity.get-last-activity"] "GetLastActivity" => "LastActivityData" list
        "When accounts were last used.";
    AssignEntitlement "assign_entitlement" Write ["provisioning.assign"] "AssignEntitlement" => "AssignedEntitlement" one
        "Gives an account an entitlement.";
    UnassignEntitlement "unassign_entitlement" Write ["provisioning.unassign"] "AssignEntitlement" => "UnassignedEntitlement" one
        "Takes an entitlement from an account.";
    CreateAccount "create_account" Write ["provisioning.create-account"] "CreateAccount" => "CreatedAccount" one
        "Creates an account, or finds the one with that e-mail address.";
    UpdateAccount "update_account" Write ["provisioning.update-account"] "UpdateAccount" => "UpdateAccount" one
        "Changes an account.";
    DeleteAccount "delete_account" Write ["provisioning.delete-account"] "DeleteAccount" => "DeletedAccount" one
        "Deletes an account that nothing hangs on.";
    TransferData "transfer_data" Write ["offboarding.plan-transfer", "offboarding.apply"] "TransferData" => "Done" one
        "Hands the work of one account to another. To repeat a request is to go on with it.";
    ReleaseResources "release_resources" Write ["offboarding.plan-removal", "offboarding.apply"] "ReleaseResources" => "Done" one
        "Takes an account out of everything it is part of, without deleting it. To repeat a request is to go on with it.";
    DowngradeLicense "downgrade_license" Write ["directory.account-grants", "provisioning.unassign"] "DowngradeLicense" => "Done" one
        "Gives an account the licence of the setting `default-license` instead of its own.";
    GetAuthorizationUrl "get_authorization_url" Authorization [] "GetAuthorizationUrl" => "AuthorizationUrl" one
        "Where to send a person's browser for consent.";
    HandleAuthorizationCallback "handle_authorization_callback" Authorization [] "HandleAuthorizationCallback" => "OauthCredentials" one
        "Turns the answer of the browser into tokens.";
    HandleClientCredentialsRequest "handle_client_credentials_request" Authorization [] "HandleClientCredentials" => "OauthCredentials" one
        "Signs in as the application itself.";
    RefreshAccessToken "refresh_access_token" Authorization [] "RefreshAccessToken" => "OauthCredentials" one
        "Renews tokens. The refresh token is used up.";
}

impl Capability {
    /// The one of that name, as it stands in the address.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|capability| capability.name == name)
    }

    /// Whether a connector has what it takes.
    pub(super) fn is_offered(&self, connector: &Connector) -> bool {
        use crate::oauth::Flow;

        let signs_in = |flow| {
            connector
                .oauth_schemes()
                .iter()
                .any(|scheme| scheme.offers(flow))
        };
        let by_sign_in = match self.kind {
            Kind::GetAuthorizationUrl
            | Kind::HandleAuthorizationCallback
            | Kind::RefreshAccessToken => signs_in(Flow::AuthorizationCode),
            Kind::HandleClientCredentialsRequest => signs_in(Flow::ClientCredentials),
            _ => true,
        };
        let has = |need: &&str| connector.functions().any(|function| function == *need);
        by_sign_in && self.needs.iter().all(has)
    }

    /// The functions of the connector that it uses.
    pub(super) fn functions(&self) -> &'static [&'static str] {
        self.needs
    }

    /// Whether it needs a credential.
    pub(super) fn is_of_a_tenant(&self) -> bool {
        matches!(self.level, Level::Read | Level::Write)
    }
}
