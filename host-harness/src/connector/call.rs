//! Calls: by type, or by name with JSON.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::runtime::RuntimeFlavor;
use wasmtime::{
    Store,
    component::{Type, Val, types::ComponentItem},
};

use super::{CallError, LoadError, Prepared, Tenant};
use crate::{
    contract::{
        self, InputError, activity, credentials, diagnostics, directory,
        metadata::Descriptor,
        offboarding::{Applied, Plan, Step},
        on_call,
        provisioning::{AccountChange, CreatedAccount, NewAccount},
        to_json,
        types::{Account, Effect, EntitlementRef, Error, ErrorCode, PageRequest},
        value_to_json,
    },
    egress::{
        Authentication, Budget, CallEgress, Network, Redactor, Refusal, RequestTrace, RequestWatch,
        Source, TenantEgress,
        policy::{Declaration, Denial, Grant, Policy},
    },
    engine::{
        self, CallClock, CallFailure, CallSetup, CallState, Engine, GuestLog, Mode, ReplaysOn, Used,
    },
    spans::{Work, Worker},
    text::{printable, shortened},
};

/// Time for `metadata.describe`, which only returns constants.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(5);

/// Bytes of a message or a hint: as long as a line of the log. Whoever wants to
/// say more has lost the reader.
const MAX_SAID: usize = 4096;

/// What a call did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallReport {
    /// `interface.function`.
    pub function: String,
    /// Its requests, in the order in which they were made. Of those that the
    /// host stood against the first hundred.
    pub requests: Vec<RequestTrace>,
    /// What policy has denied, the first hundred. Any is a reason to look at
    /// the connector, or at what it was granted; the call has failed with the
    /// first refusal.
    pub denials: Vec<Denial>,
    /// Lines the connector wrote to its standard output and error.
    pub log: Vec<String>,
    /// Instructions, about, in a replay.
    pub fuel: Option<u64>,
    /// Bytes of memory that the connector had in the end: the most it has had.
    pub memory: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// In a replay, how long the connector has waited: time that does not pass
    /// there.
    pub waited: Option<Duration>,
    /// `None` if it succeeded, else the error's code.
    pub error: Option<String>,
    /// Why, if the connector itself has crashed: it trapped, or took more
    /// memory or instructions than it may.
    pub crash: Option<String>,
}

/// Asks a component to describe itself, with all network denied, and looks at the
/// types of its functions: those of an instance are known.
pub(super) async fn describe(
    engine: &Engine,
    prepared: &Prepared,
) -> Result<Descriptor, LoadError> {
    const FUNCTION: &str = "metadata.describe";
    let policy = Policy::new(Declaration::default(), Grant::read_only());
    let tenant = TenantEgress::new(
        policy,
        &Network::default(),
        Authentication::None,
        Redactor::default(),
    );
    let budget = Budget::with_deadline(DESCRIBE_DEADLINE);
    let egress = CallEgress::new(Arc::new(tenant), FUNCTION, Source::Nothing, budget);
    let egress = Arc::new(egress);
    let setup = CallSetup {
        mode: Mode::Live,
        environment: Vec::new(),
        clock: CallClock::frozen(jiff::Timestamp::UNIX_EPOCH),
        seed: [0; 32],
        egress: Arc::clone(&egress),
        log: GuestLog::new(FUNCTION, Redactor::default()),
        deadline: DESCRIBE_DEADLINE,
    };
    let (outcome, _) = engine::run(engine, setup, prepared, |store, prepared| {
        Box::pin(async move {
            let instance = prepared.pre.instantiate_async(&mut *store).await?;
            if let Err(error) = prepared.indices.typed(&mut *store, &instance) {
                return Ok(Err(error));
            }
            let guest = prepared.indices.metadata.load(&mut *store, &instance)?;
            guest.call_describe(store).await.map(Ok)
        })
    })
    .await;
    if let Some(refusal) = egress.refusal() {
        let problem = format!("it used the network: {refusal}");
        return Err(LoadError::Describe(problem));
    }
    outcome.unwrap_or_else(|failure| {
        Err(LoadError::Describe(match failure {
            CallFailure::Deadline => {
                format!("it did not end within {} s", DESCRIBE_DEADLINE.as_secs())
            }
            CallFailure::Fuel => "it took too many instructions".to_owned(),
            CallFailure::Memory => "it needs too much memory".to_owned(),
            CallFailure::Trap(trap) => printable(&trap).into_owned(),
        }))
    })
}

/// One method per function of the contract: loads the interface, calls it,
/// reports.
macro_rules! calls {
    ($(
        $(#[$doc:meta])*
        $method:ident($($name:ident: $type:ty),*) -> $result:ty
            = $interface:ident . $guest:ident, $function:literal;
    )*) => {
        impl Tenant {
            $(
                $(#[$doc])*
                pub async fn $method(&self, $($name: $type),*) -> Result<$result, CallError> {
                    if !self.connector().exports($function) {
                        return Err(self.unknown($function));
                    }
                    let input = self.noted(|| json!({ $(stringify!($name): to_json(&$name)),* }));
                    let asked = input.as_ref().and_then(|input| self.open.listener.asked(input));
                    $(let $name = $name.to_owned();)*
                    let outcome = self.run($function, input, move |store, prepared| {
                        Box::pin(async move {
                            let instance = prepared.pre.instantiate_async(&mut *store).await?;
                            let indices = interface(&prepared.indices.$interface)?;
                            let guest = indices.load(&mut *store, &instance)?;
                            guest.$guest(store, $(Argument::lend(&$name)),*).await
                        })
                    }, std::convert::identity)
                    .await;
                    if let Some(asked) = asked {
                        let value = outcome.as_ref().map(to_json);
                        self.open.listener.answered($function, &asked, value);
                    }
                    outcome
                }
            )*
        }
    };
}

/// An interface may be required or optional.
trait Interface<I> {
    fn indices(&self) -> Option<&I>;
}

impl<I> Interface<I> for Option<I> {
    fn indices(&self) -> Option<&I> {
        self.as_ref()
    }
}

impl Interface<Self> for contract::bindings::exports::iga::connector::credentials::GuestIndices {
    fn indices(&self) -> Option<&Self> {
        Some(self)
    }
}

fn interface<I>(indices: &impl Interface<I>) -> wasmtime::Result<&I> {
    // The caller has found the function among the exports.
    indices
        .indices()
        .ok_or_else(|| wasmtime::Error::msg("the interface is not exported"))
}

/// The form in which generated functions take an argument.
trait Argument<'a> {
    type Lent;
    fn lend(&'a self) -> Self::Lent;
}

impl<'a> Argument<'a> for String {
    type Lent = &'a Self;
    fn lend(&'a self) -> &'a Self {
        self
    }
}

macro_rules! lent_records {
    ($($record:ty),*) => {
        $(impl<'a> Argument<'a> for $record {
            type Lent = &'a Self;
            fn lend(&'a self) -> &'a Self {
                self
            }
        })*
    };
}

lent_records!(PageRequest, NewAccount, AccountChange, EntitlementRef, Step);

impl<'a> Argument<'a> for Vec<String> {
    type Lent = &'a [String];
    fn lend(&'a self) -> &'a [String] {
        self
    }
}

impl<'a> Argument<'a> for Option<String> {
    type Lent = Option<&'a String>;
    fn lend(&'a self) -> Option<&'a String> {
        self.as_ref()
    }
}

calls! {
    /// Asks the vendor whether the credential is good, and whose it is.
    validate() -> credentials::Tenant
        = credentials.call_validate, "credentials.validate";
    /// Some of the accounts.
    list_accounts(page: PageRequest) -> directory::AccountPage
        = directory.call_list_accounts, "directory.list-accounts";
    /// One account.
    get_account(id: &str) -> Account
        = directory.call_get_account, "directory.get-account";
    /// Some of the resources.
    list_resources(page: PageRequest) -> directory::ResourcePage
        = directory.call_list_resources, "directory.list-resources";
    /// Some of the entitlements.
    list_entitlements(page: PageRequest) -> directory::EntitlementPage
        = directory.call_list_entitlements, "directory.list-entitlements";
    /// Some of the grants.
    list_grants(page: PageRequest) -> directory::GrantPage
        = directory.call_list_grants, "directory.list-grants";
    /// All grants of one account.
    account_grants(id: &str) -> directory::AccountGrantsResult
        = directory.call_account_grants, "directory.account-grants";
    /// When these accounts were last used.
    get_last_activity(accounts: &[String]) -> activity::LastActivityReport
        = activity.call_get_last_activity, "activity.get-last-activity";
    /// What happened since an instant.
    list_activity(since: &str, page: PageRequest) -> activity::ActivityPage
        = activity.call_list_activity, "activity.list-activity";
    /// Who is on call on these schedules, or at all.
    who_is_on_call(schedules: &[String], at: Option<String>) -> Vec<on_call::Shift>
        = on_call.call_who, "on-call.who";
    /// Whether an account is on call on any of these schedules, or at all.
    is_account_on_call(account: &str, schedules: &[String], at: Option<String>) -> Option<on_call::Shift>
        = on_call.call_is_on_call, "on-call.is-on-call";
    /// Creates an account, or finds the one with that e-mail address.
    create_account(account: NewAccount) -> CreatedAccount
        = provisioning.call_create_account, "provisioning.create-account";
    /// Changes an account.
    update_account(id: &str, change: AccountChange) -> Effect
        = provisioning.call_update_account, "provisioning.update-account";
    /// Gives an account an entitlement.
    assign(id: &str, entitlement: EntitlementRef) -> Effect
        = provisioning.call_assign, "provisioning.assign";
    /// Takes an entitlement from an account.
    unassign(id: &str, entitlement: EntitlementRef) -> Effect
        = provisioning.call_unassign, "provisioning.unassign";
    /// Deletes an account.
    delete_account(id: &str) -> Effect
        = provisioning.call_delete_account, "provisioning.delete-account";
    /// What it takes to hand everything of one account to another. Only reads.
    plan_transfer(source: &str, target: &str) -> Plan
        = offboarding.call_plan_transfer, "offboarding.plan-transfer";
    /// What it takes to remove an account from everything, and then itself.
    /// Only reads.
    plan_removal(source: &str) -> Plan
        = offboarding.call_plan_removal, "offboarding.plan-removal";
    /// Applies one step of a plan. Safe to repeat.
    apply(step: Step) -> Applied
        = offboarding.call_apply, "offboarding.apply";
    /// Runs the connector's checks.
    diagnose() -> Vec<diagnostics::Finding>
        = diagnostics.call_diagnose, "diagnostics.diagnose";
}

impl Tenant {
    /// Calls any function that the connector exports. `input` is an object of
    /// the function's parameters by name; options may be left out. Returns the
    /// JSON form of the result.
    pub async fn call(&self, function: &str, input: &Value) -> Result<Value, CallError> {
        let prepared = self.prepared()?;
        let connector = self.connector();
        if !connector.exports(function) {
            return Err(self.unknown(function));
        }
        let (interface, name) = function.split_once('.').unwrap_or((function, ""));
        let engine = connector.engine().wasmtime(self.open.mode);
        let component_type = prepared.component.component_type();
        let export = component_type
            .exports(engine)
            .find(|(export, _)| {
                export
                    .strip_prefix("iga:connector/")
                    .and_then(|rest| rest.split('@').next())
                    == Some(interface)
            })
            .and_then(|(export, item)| match item.ty {
                ComponentItem::ComponentInstance(instance) => {
                    let function = instance.get_export(engine, name)?;
                    match function.ty {
                        ComponentItem::ComponentFunc(ty) => Some((export.to_owned(), ty)),
                        _ => None,
                    }
                }
                _ => None,
            });
        let Some((export, ty)) = export else {
            return Err(self.unknown(function));
        };
        let params: Vec<(String, Type)> = ty
            .params()
            .map(|(name, ty)| (name.to_owned(), ty))
            .collect();
        let arguments = arguments(input, &params)?;
        let results = ty.results().len();
        let index = prepared
            .component
            .get_export_index(None, &export)
            .and_then(|instance| prepared.component.get_export_index(Some(&instance), name));
        let Some(index) = index else {
            return Err(self.unknown(function));
        };
        let outcome = self
            .run(
                function,
                self.noted(|| input.clone()),
                move |store, prepared| {
                    Box::pin(async move {
                        let instance = prepared.pre.instantiate_async(&mut *store).await?;
                        let function = instance
                            .get_func(&mut *store, index)
                            .ok_or_else(|| wasmtime::Error::msg("the export is no function"))?;
                        let mut output = vec![Val::Bool(false); results];
                        function.call_async(store, &arguments, &mut output).await?;
                        Ok(output.into_iter().next())
                    })
                },
                |value| match value {
                    Some(Val::Result(Err(error))) => Err(contract_error(error.as_deref())),
                    other => Ok(other),
                },
            )
            .await
            .map(|value| match value {
                Some(Val::Result(Ok(Some(value)))) => value_to_json(&value),
                Some(Val::Result(Ok(None))) | None => Value::Null,
                Some(value) => value_to_json(&value),
            });
        if let Some(asked) = self.open.listener.asked(input) {
            let value = outcome.as_ref().cloned();
            self.open.listener.answered(function, &asked, value);
        }
        outcome
    }

    fn prepared(&self) -> Result<&Prepared, CallError> {
        // `Tenant::open` has seen to it that there is one.
        self.connector()
            .prepared(self.open.mode)
            .map_err(|error: LoadError| CallError::Trap(error.to_string()))
    }

    fn unknown(&self, function: &str) -> CallError {
        CallError::Unknown {
            function: printable(function).into_owned(),
            known: self
                .connector()
                .functions()
                .map(|function| format!("`{function}`"))
                .collect(),
        }
    }

    /// What is asked, as a value, if anybody wants it so.
    fn noted(&self, input: impl FnOnce() -> Value) -> Option<Value> {
        let open = &self.open;
        let is_recorded = matches!(open.config.source, Source::Recorded(_));
        (is_recorded || open.listener.is_there()).then(input)
    }

    /// One call, from set-up to report. `split` tells a result from an error
    /// of the contract.
    async fn run<T: Send + 'static, R>(
        &self,
        function: &str,
        input: Option<Value>,
        call: impl for<'a> FnOnce(
            &'a mut Store<CallState>,
            &'a Prepared,
        ) -> BoxFuture<'a, wasmtime::Result<T>>
        + Send
        + 'static,
        split: impl FnOnce(T) -> Result<R, Error>,
    ) -> Result<R, CallError> {
        let open = &self.open;
        let started = Instant::now();
        let redactor = &open.egress.redactor;
        let number = open.calls.fetch_add(1, Ordering::Relaxed);
        let (clock, seed) = match (&open.recorded, open.mode) {
            (Some((wall, seed)), Mode::Live) => (CallClock::frozen(*wall), nth_seed(*seed, number)),
            (Some((wall, seed)), Mode::Replay) => {
                (CallClock::replayed(*wall), nth_seed(*seed, number))
            }
            (None, _) => {
                let mut seed = [0; 32];
                getrandom::fill(&mut seed).expect("the operating system has random numbers");
                (CallClock::real(), seed)
            }
        };
        if let (Source::Recorded(recorder), Some(input)) = (&open.config.source, input) {
            recorder.call(function, input);
        }
        let watches = Arc::new(open.watches.begin(function));
        let connector = self.connector();
        let worker = Worker {
            id: &connector.descriptor().app_id,
            build: Some((&connector.descriptor().version, connector.sha256())),
        };
        let work = match open.mode {
            Mode::Live => Work::function(worker, function),
            Mode::Replay => Work::untraced(),
        };
        let egress = CallEgress::new(
            Arc::clone(&open.egress),
            function,
            open.config.source.clone(),
            open.budget.clone(),
        );
        let egress = egress
            .within(work.span())
            .remembering(open.cache.clone())
            .watched(Arc::clone(&watches) as Arc<dyn RequestWatch>);
        let egress = Arc::new(egress);
        let log = GuestLog::new(function, redactor.clone());
        let setup = CallSetup {
            mode: open.mode,
            environment: open.environment.clone(),
            clock,
            seed,
            egress: Arc::clone(&egress),
            log: log.clone(),
            deadline: open.budget.deadline,
        };
        let (outcome, used) = match open.mode {
            Mode::Live => {
                let engine = open.connector.engine();
                engine::run(engine, setup, self.prepared()?, call).await
            }
            Mode::Replay => self.run_alone(setup, call).await?,
        };
        let refusal = egress.refusal();
        let outcome = match outcome {
            Err(CallFailure::Deadline) => Err(CallError::Deadline(open.budget.deadline)),
            Err(CallFailure::Fuel) => Err(CallError::Fuel),
            Err(CallFailure::Memory) => {
                Err(CallError::Memory(open.connector.engine().config().memory))
            }
            Err(CallFailure::Trap(trap)) => Err(CallError::Trap(
                printable(&redactor.text(&trap)).into_owned(),
            )),
            Ok(value) => split(value).map_err(|error| CallError::Connector {
                error: Box::new(redacted(error, redactor)),
                cause: match &refusal {
                    Some(Refusal::Transport(_)) => refusal.clone(),
                    _ => None,
                },
            }),
        };
        // A connector may take a refused request for something that the plan
        // lacks, and answer with less than there is.
        let outcome = match refusal {
            Some(refusal) if refusal.is_final() => Err(CallError::Refused(refusal)),
            _ => outcome,
        };
        let report = CallReport {
            function: function.to_owned(),
            requests: egress.traces(),
            denials: egress.denials(),
            log: log.finish(),
            fuel: used.fuel,
            memory: used.memory,
            elapsed: started.elapsed(),
            waited: used.waited,
            error: outcome.as_ref().err().map(CallError::code),
            crash: outcome
                .as_ref()
                .err()
                .filter(|error| error.is_crash())
                .map(ToString::to_string),
        };
        tracing::info!(
            target: "harness::call",
            app = self.connector().descriptor().app_id,
            sha256 = &self.connector().sha256()[..12],
            function,
            requests = report.requests.len(),
            elapsed_ms = u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
            error = report.error,
            cause = outcome.as_ref().err().map(|error| printable(&error.to_string()).into_owned()),
            "call"
        );
        work.returned(report.requests.len(), report.error.as_deref());
        watches.ended(&report);
        outcome
    }
}

impl Tenant {
    /// Runs a replayed call on a runtime of its own, with one thread: there
    /// the order in which answers arrive is the same every time.
    async fn run_alone<T: Send + 'static>(
        &self,
        setup: CallSetup,
        call: impl for<'a> FnOnce(
            &'a mut Store<CallState>,
            &'a Prepared,
        ) -> BoxFuture<'a, wasmtime::Result<T>>
        + Send
        + 'static,
    ) -> Result<(Result<T, CallFailure>, Used), CallError> {
        let tenant = self.clone();
        let alone = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| CallError::Trap(error.to_string()))?;
            let prepared = tenant.prepared()?;
            let engine = tenant.connector().engine();
            Ok(runtime.block_on(engine::run(engine, setup, prepared, call)))
        };
        let wanted = self.connector().engine().config().replays;
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        if wanted == ReplaysOn::CallersThread && flavor == RuntimeFlavor::MultiThread {
            // Replays may follow each other for long, and are over at once for
            // whoever waits: what waits beside them gets its turn here.
            tokio::task::yield_now().await;
            return tokio::task::block_in_place(alone);
        }
        tokio::task::spawn_blocking(alone)
            .await
            .unwrap_or_else(|error| Err(CallError::Trap(error.to_string())))
    }
}

/// Calls of one recording differ in their random numbers, and do so equally in
/// each replay.
fn nth_seed(mut seed: [u8; 32], call: u64) -> [u8; 32] {
    for (byte, number) in seed.iter_mut().zip(call.to_le_bytes()) {
        *byte ^= number;
    }
    seed
}

/// As it may be shown: cut only after what is secret is gone, or a half would
/// stay.
fn redacted(error: Error, redactor: &Redactor) -> Error {
    let shown = |text: String| shortened(&redactor.text(&text), MAX_SAID);
    Error {
        message: shown(error.message),
        hint: error.hint.map(shown),
        upstream_code: error.upstream_code.map(shown),
        ..error
    }
}

fn arguments(input: &Value, params: &[(String, Type)]) -> Result<Vec<Val>, InputError> {
    let empty = Map::new();
    let fields = match input {
        Value::Object(fields) => fields,
        Value::Null => &empty,
        _ => {
            return Err(InputError {
                path: "input".to_owned(),
                problem: "must be an object of the function's parameters by name".to_owned(),
            });
        }
    };
    let expected = params.iter().map(|(name, ty)| (name.as_str(), ty.clone()));
    // A page request consists of options only, so it may be left out.
    let mut fields = fields.clone();
    for (name, ty) in params {
        if let Type::Record(record) = ty
            && record
                .fields()
                .all(|field| matches!(field.ty, Type::Option(_)))
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), Value::Object(Map::new()));
        }
    }
    Ok(contract::object(&fields, expected, "")?
        .into_iter()
        .map(|(_, value)| value)
        .collect())
}

/// The contract's error from its untyped form.
fn contract_error(error: Option<&Val>) -> Error {
    let json = error.map_or(Value::Null, value_to_json);
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| json.get(name).and_then(Value::as_u64);
    let code = text("code").unwrap_or_default();
    Error {
        code: error_code(&code),
        message: text("message").unwrap_or_else(|| json.to_string()),
        hint: text("hint"),
        upstream_status: number("upstream_status").and_then(|status| u16::try_from(status).ok()),
        upstream_code: text("upstream_code"),
        retry_after: number("retry_after").and_then(|seconds| u32::try_from(seconds).ok()),
        may_have_applied: json
            .get("may_have_applied")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    }
}

fn error_code(name: &str) -> ErrorCode {
    const CODES: &[ErrorCode] = &[
        ErrorCode::InvalidInput,
        ErrorCode::InvalidPageToken,
        ErrorCode::NotFound,
        ErrorCode::Conflict,
        ErrorCode::Unsupported,
        ErrorCode::Unauthorized,
        ErrorCode::PermissionDenied,
        ErrorCode::PlanRequired,
        ErrorCode::RateLimited,
        ErrorCode::BudgetExhausted,
        ErrorCode::Unavailable,
        ErrorCode::Timeout,
        ErrorCode::ConnectionFailed,
        ErrorCode::InvalidResponse,
        ErrorCode::Internal,
    ];
    CODES
        .iter()
        .copied()
        .find(|code| to_json(code).as_str() == Some(name))
        .unwrap_or(ErrorCode::Internal)
}
