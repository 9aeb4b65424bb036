#!/usr/bin/env python3
"""PagerDuty's own Python client against `harness simulator`.

Shows that the simulator is close enough to the real service for a client that
knows nothing of it. Run by hand, not part of `cargo test`:

    cargo build
    python3 -m venv /tmp/pagerduty-venv
    /tmp/pagerduty-venv/bin/pip install pagerduty
    /tmp/pagerduty-venv/bin/python tests/clients/pagerduty_client.py [HARNESS]

HARNESS is the path of the binary, `target/debug/harness` if not said. The
script starts a simulator of its own on a free port of the loopback interface
and stops it at the end. It prints a line for every step and last `N passed, 0
failed`. The status is 0 then, 1 when a step failed, 2 when it could not start.

The simulator's `self` links name api.pagerduty.com as the real ones do, so the
client cannot be given whole objects here, which it would follow: paths only.
"""

import queue
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

USERS = 60
START_SECONDS = 30
OWNER_KEY = "simulated-token"
ACCOUNT_KEY = "simulated-account-key"


def cannot_run(reason):
    print(reason, file=sys.stderr)
    sys.exit(2)


try:
    import pagerduty
except ImportError:
    cannot_run(
        f"the package `pagerduty` is missing for {sys.executable}\n"
        "install it into a virtual environment and run this with its python:\n"
        "    python3 -m venv /tmp/pagerduty-venv\n"
        "    /tmp/pagerduty-venv/bin/pip install pagerduty\n"
        f"    /tmp/pagerduty-venv/bin/python {sys.argv[0]}"
    )


@contextmanager
def simulator(harness, folder):
    """Runs a simulator and gives its origin."""
    command = [harness, "simulator", "--listen", "127.0.0.1:0"]
    command += ["--tls", folder, "--users", str(USERS)]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        cannot_run(f"cannot start {harness}: {error}\nbuild it with `cargo build`")
    lines = queue.Queue()

    def read():
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield origin(lines)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(timeout=10)
        process.stdout.close()


def origin(lines):
    while True:
        try:
            line = lines.get(timeout=START_SECONDS)
        except queue.Empty:
            cannot_run(f"the simulator did not listen within {START_SECONDS} seconds")
        if line is None:
            cannot_run("the simulator ended before it listened")
        found = re.search(r"listening on (https://\S+)", line)
        if found:
            return found.group(1)


def same(actual, expected):
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def refused(call, status, code=None):
    """The call fails with this status and code; gives the error."""
    try:
        call()
    except pagerduty.HttpError as error:
        same(error.response.status_code, status)
        body = error.response.json()["error"]
        if code is not None:
            same(body["code"], code)
        return body
    raise AssertionError(f"expected status {status}, but it succeeded")


class Steps:
    """The steps, in order: methods whose names do not start with `_`."""

    def __init__(self, connect):
        self._connect = connect
        self._client = connect(OWNER_KEY)
        self._new = {
            "type": "user",
            "name": "Python Client",
            "email": "python.client@acme.example",
            "role": "limited_user",
        }

    def wrong_key_is_refused(self):
        refused(lambda: self._connect("wrong").rget("/users"), 401, 2006)

    def owner_is_the_user_of_the_key(self):
        self._owner = self._client.rget("/users/me")
        same(self._owner["role"], "owner")
        same(self._client.api_key_access, "user")
        same(self._client.subdomain, "acme")

    def abilities_are_known(self):
        same(self._client.account_has_ability("teams"), True)

    def users_are_listed_over_pages(self):
        self._users = self._client.list_all("users", page_size=7)
        same(len(self._users), USERS)
        same(len({user["id"] for user in self._users}), USERS)
        listed = self._client.get("/users", params={"total": True, "limit": 1})
        same(listed.json()["total"], USERS)

    def users_are_found_by_email_and_name(self):
        user = self._users[-1]
        same(self._client.find("users", user["email"], attribute="email")["id"], user["id"])
        same(self._client.find("users", user["name"])["name"], user["name"])
        same(self._client.find("users", "nobody@acme.example", attribute="email"), None)

    def one_user_is_read_with_contact_methods(self):
        user = self._client.rget(
            f"/users/{self._users[1]['id']}", params={"include[]": ["contact_methods"]}
        )
        same(user["contact_methods"][0]["address"], self._users[1]["email"])

    def teams_and_their_members_are_listed(self):
        teams = self._client.list_all("teams")
        assert teams, "there is a team"
        team = self._client.rget(f"/teams/{teams[0]['id']}")
        same(team["name"], teams[0]["name"])
        known = {user["id"] for user in self._users}
        for team in teams:
            members = self._client.list_all(f"/teams/{team['id']}/members")
            assert {member["user"]["id"] for member in members} <= known

    def schedules_are_listed_and_read(self):
        schedules = self._client.list_all("schedules")
        assert schedules, "there is a schedule"
        schedule = self._client.rget(f"/schedules/{schedules[0]['id']}")
        same(schedule["id"], schedules[0]["id"])
        assert schedule["schedule_layers"], "a schedule has layers"
        users = self._client.rget(f"/schedules/{schedule['id']}/users")
        assert users and all(user["type"] == "user" for user in users)

    def shift_based_schedules_are_listed_and_read(self):
        schedules = self._client.list_all("/v3/schedules")
        assert schedules, "there is a shift-based schedule"
        schedule = self._client.rget(f"/v3/schedules/{schedules[0]['id']}")
        assert schedule["rotations"], "it has rotations"

    def on_calls_are_listed(self):
        on_calls = self._client.list_all("oncalls")
        assert on_calls, "somebody is on call"

    def escalation_policies_are_listed(self):
        policies = self._client.list_all("escalation_policies")
        assert policies and all(policy["escalation_rules"] for policy in policies)

    def incidents_are_listed(self):
        incidents = self._client.list_all("incidents", params={"date_range": "all"})
        assert incidents, "there is an incident"
        open_ones = self._client.list_all(
            "incidents",
            params={"date_range": "all", "statuses": ["triggered", "acknowledged"]},
        )
        same(
            {one["id"] for one in open_ones},
            {one["id"] for one in incidents if one["status"] != "resolved"},
        )
        self._incident = open_ones[0]

    def incident_is_reassigned(self):
        heir = {"id": self._owner["id"], "type": "user_reference"}
        change = {
            "id": self._incident["id"],
            "type": "incident_reference",
            "assignments": [{"assignee": heir}],
        }
        changed = self._client.rput("/incidents", json=[change])
        same([one["id"] for one in changed], [self._incident["id"]])
        assigned = self._client.rget(f"/incidents/{self._incident['id']}")["assignments"]
        same([one["assignee"]["id"] for one in assigned], [self._owner["id"]])

    def licences_are_listed(self):
        licences = self._client.rget("/licenses")
        used = sum(licence["current_value"] for licence in licences)
        same(used, USERS)
        same(len(self._client.list_all("license_allocations")), USERS)

    def user_is_created(self):
        made = self._client.rpost("/users", json=self._new)
        self._id = made["id"]
        same({name: made[name] for name in self._new}, self._new)
        same(made["invitation_sent"], True)
        same(len(self._client.list_all("users")), USERS + 1)

    def address_cannot_be_taken_twice(self):
        error = refused(lambda: self._client.rpost("/users", json=self._new), 400, 2001)
        same(error["errors"], ["Email has already been taken"])

    def user_is_kept_when_there_is_one(self):
        kept = self._client.persist("users", "email", self._new)
        same(kept["id"], self._id)

    def user_is_updated(self):
        change = {**self._new, "job_title": "Tester", "time_zone": "Europe/Berlin"}
        changed = self._client.rput(f"/users/{self._id}", json=change)
        same(changed["job_title"], "Tester")
        again = self._client.rget(f"/users/{self._id}")
        same((again["job_title"], again["time_zone"]), ("Tester", "Europe/Berlin"))

    def unknown_role_is_refused(self):
        change = {**self._new, "role": "king"}
        refused(lambda: self._client.rput(f"/users/{self._id}", json=change), 400, 2001)

    def user_joins_and_leaves_a_team(self):
        team = self._client.list_all("teams")[0]
        membership = f"/teams/{team['id']}/users/{self._id}"
        self._client.rput(membership, json={"role": "responder"})
        members = self._client.list_all(f"/teams/{team['id']}/members")
        roles = {member["user"]["id"]: member["role"] for member in members}
        same(roles.get(self._id), "responder")
        self._client.rdelete(membership)
        teams = self._client.rget(f"/users/{self._id}")["teams"]
        same(teams, [])

    def changes_are_in_the_audit_trail(self):
        records = list(self._client.iter_cursor(f"/users/{self._id}/audit/records"))
        actions = [record["action"] for record in records]
        same(actions, ["update", "create"])

    def user_is_deleted(self):
        same(self._client.rdelete(f"/users/{self._id}").status_code, 204)
        same(len(self._client.list_all("users")), USERS)

    def deleted_user_is_not_found(self):
        refused(lambda: self._client.rget(f"/users/{self._id}"), 404, 2100)
        refused(lambda: self._client.rdelete(f"/users/{self._id}"), 404, 2100)

    def account_key_needs_the_address_of_a_user(self):
        nobody = self._connect(ACCOUNT_KEY)
        same(nobody.api_key_access, "account")
        refused(lambda: nobody.rpost("/users", json=self._new), 400, 2016)
        client = self._connect(ACCOUNT_KEY, default_from=self._owner["email"])
        made = client.rpost("/users", json=self._new)
        assert made["id"] != self._id, "a user comes back with another id"
        same(client.rdelete(f"/users/{made['id']}").status_code, 204)


def main():
    # Being terminated must stop the simulator too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # The client warns of conditions that are tested for here.
    warnings.simplefilter("ignore")
    harness = Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/harness")
    passed = failed = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        simulator(harness.absolute(), folder) as base_url,
    ):
        context = ssl.create_default_context(cafile=Path(folder, "ca.pem"))

        def connect(key, **options):
            # Without `trust_env` a proxy of the environment is not asked.
            return pagerduty.RestApiV2Client(
                key, base_url=base_url, verify=context, trust_env=False, **options
            )

        steps = Steps(connect)
        for name in vars(Steps):
            if name.startswith("_"):
                continue
            step = name.replace("_", " ")
            try:
                getattr(steps, name)()
            except Exception as error:  # whatever it is, the other steps go on
                failed += 1
                print(f"FAILED {step}: {type(error).__name__}: {error}", flush=True)
            else:
                passed += 1
                print(f"ok     {step}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
