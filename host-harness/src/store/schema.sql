-- What tenants of vendors look like, run by run.
--
-- A row of `accounts`, `resources`, `entitlements`, `grants` or `last_activity`
-- is one version of a thing: it holds from the run `from_run` until before the
-- run `to_run`, or until now if that is null. Runs share rows that did not
-- change. What a run has seen is thus
--     WHERE tenant = ?1 AND from_run <= ?2 AND (to_run IS NULL OR to_run > ?2)
-- and only a run whose state is `complete` is to be asked for.
--
-- What is so now has an index of its own, so that a long history does not make
-- the next run slower.
--
-- Times are RFC 3339 in UTC. JSON is compact, with sorted keys.

CREATE TABLE tenants (
    id INTEGER PRIMARY KEY,
    -- The operator's name for it.
    name TEXT NOT NULL UNIQUE,
    -- Which connector reads it.
    app_id TEXT NOT NULL,
    -- What the vendor calls it; a run of another one is refused.
    vendor_id TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    -- Grows; of two runs of a tenant the later one has the higher number.
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    -- running: under way, or cut off and to be resumed. complete: its rows are
    -- the tenant's snapshot. refused: what it saw is not plausible, see `findings`.
    -- abandoned: somebody has begun anew.
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'refused', 'abandoned')),
    -- What it shows was true at some time between these. To accept a run does not
    -- make what it shows any younger.
    began_at TEXT NOT NULL,
    ended_at TEXT,
    connector_version TEXT NOT NULL,
    component_sha256 TEXT NOT NULL,
    -- Requests that reached the vendor, and those answered from this run's cache.
    requests INTEGER NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0,
    -- What the vendor's plan or the credential leaves out: a JSON list of
    -- {code, message, hint}.
    notices TEXT NOT NULL DEFAULT '[]',
    -- What was not plausible: a JSON list of {check, severity, message, hint, examples}.
    findings TEXT NOT NULL DEFAULT '[]',
    -- Who accepted the findings, and when, if somebody did.
    accepted_by TEXT,
    accepted_at TEXT,
    -- What has become different with it, once it is complete: a JSON list of
    -- {of, total, added, changed, removed}.
    changes TEXT NOT NULL DEFAULT '[]',
    -- Digest of whose credential read it, with which settings, from where. A run
    -- that was cut off goes on only as it was begun.
    read_as TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX runs_of_tenant ON runs (tenant, id);

-- How far a run is: one row for each function, committed with its page.
CREATE TABLE checkpoints (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    -- For example directory.list-accounts.
    function TEXT NOT NULL,
    pages INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    -- Token of the next page; null before the first and after the last.
    next TEXT,
    done INTEGER NOT NULL CHECK (done IN (0, 1)),
    -- The component that gave the token.
    component_sha256 TEXT NOT NULL,
    PRIMARY KEY (run, function)
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    id TEXT NOT NULL,
    from_run INTEGER NOT NULL REFERENCES runs (id),
    to_run INTEGER REFERENCES runs (id),
    email TEXT,
    given_name TEXT,
    family_name TEXT,
    display_name TEXT NOT NULL,
    -- active, pending, suspended, inactive, deprovisioned, deleted
    status TEXT NOT NULL,
    -- user, service
    kind TEXT NOT NULL,
    -- JSON object of texts.
    attributes TEXT NOT NULL,
    -- The last complete run that has seen it at the vendor, if it is gone: status
    -- is `deprovisioned` then.
    last_seen_run INTEGER REFERENCES runs (id),
    PRIMARY KEY (tenant, id, from_run)
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_now ON accounts (tenant) WHERE to_run IS NULL;

CREATE TABLE resources (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    resource_type TEXT NOT NULL,
    -- The empty text is the tenant itself.
    id TEXT NOT NULL,
    from_run INTEGER NOT NULL REFERENCES runs (id),
    to_run INTEGER REFERENCES runs (id),
    label TEXT NOT NULL,
    description TEXT,
    PRIMARY KEY (tenant, resource_type, id, from_run)
) STRICT, WITHOUT ROWID;

CREATE INDEX resources_now ON resources (tenant) WHERE to_run IS NULL;

CREATE TABLE entitlements (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    entitlement_type TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource TEXT NOT NULL,
    id TEXT NOT NULL,
    from_run INTEGER NOT NULL REFERENCES runs (id),
    to_run INTEGER REFERENCES runs (id),
    label TEXT NOT NULL,
    description TEXT,
    assignable INTEGER NOT NULL CHECK (assignable IN (0, 1)),
    -- How many more accounts can hold it; null if the vendor tells of no limit.
    available INTEGER,
    PRIMARY KEY (tenant, entitlement_type, resource_type, resource, id, from_run)
) STRICT, WITHOUT ROWID;

CREATE INDEX entitlements_now ON entitlements (tenant) WHERE to_run IS NULL;

CREATE TABLE grants (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    account TEXT NOT NULL,
    entitlement_type TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    from_run INTEGER NOT NULL REFERENCES runs (id),
    to_run INTEGER REFERENCES runs (id),
    -- Since when, where the vendor says.
    since TEXT,
    PRIMARY KEY (tenant, account, entitlement_type, resource_type, resource, entitlement, from_run)
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_now ON grants (tenant) WHERE to_run IS NULL;

CREATE TABLE last_activity (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    account TEXT NOT NULL,
    from_run INTEGER NOT NULL REFERENCES runs (id),
    to_run INTEGER REFERENCES runs (id),
    -- last-login, last-activity
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    -- The vendor's record that says so.
    source TEXT NOT NULL,
    PRIMARY KEY (tenant, account, from_run)
) STRICT, WITHOUT ROWID;

CREATE INDEX last_activity_now ON last_activity (tenant) WHERE to_run IS NULL;

-- What a run under way has read so far: as above, without versions. Emptied when
-- the run is complete, or the next one begins: a refused run waits in here for
-- somebody to accept it.

CREATE TABLE staged_accounts (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    email TEXT,
    given_name TEXT,
    family_name TEXT,
    display_name TEXT NOT NULL,
    status TEXT NOT NULL,
    kind TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE staged_resources (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    description TEXT,
    PRIMARY KEY (run, resource_type, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE staged_entitlements (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    entitlement_type TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource TEXT NOT NULL,
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    description TEXT,
    assignable INTEGER NOT NULL,
    available INTEGER,
    PRIMARY KEY (run, entitlement_type, resource_type, resource, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE staged_grants (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    entitlement_type TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    since TEXT,
    PRIMARY KEY (run, account, entitlement_type, resource_type, resource, entitlement)
) STRICT, WITHOUT ROWID;

CREATE TABLE staged_last_activity (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (run, account)
) STRICT, WITHOUT ROWID;

-- What a run saw more than once: the first is staged.
CREATE TABLE staged_duplicates (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    -- accounts, resources, entitlements, grants, last_activity
    of TEXT NOT NULL,
    -- The key, as text for people.
    key TEXT NOT NULL,
    -- Whether it said something else than the one that is staged.
    differs INTEGER NOT NULL CHECK (differs IN (0, 1))
) STRICT;

CREATE INDEX staged_duplicates_of_run ON staged_duplicates (run, of);

-- Accounts that the lists disagree about, and so are looked at one by one.
CREATE TABLE staged_suspects (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

-- The vendor's answers of a run under way, so that the same request gets the same
-- answer. Emptied when it ends, however it does. In the order in which they come:
-- answers are long, and keys are digests, so that to sort them would move them about.
CREATE TABLE answers (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    -- Digest of method, URI and the headers that matter.
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    -- JSON list of [name, value].
    headers TEXT NOT NULL,
    -- As zlib has it: a tenth of what it would be.
    body BLOB NOT NULL,
    PRIMARY KEY (run, request)
) STRICT;
