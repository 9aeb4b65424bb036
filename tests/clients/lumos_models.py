#!/usr/bin/env python3
"""Lumos' published Python models against `harness serve`.

Parses every answer of every capability with the models of the package
connector-sdk-types, and compares the fingerprints of requests with its own.
`.ci/run` runs it where Python and the packages can be had; by hand:

    cargo build
    python3 -m venv /tmp/lumos-venv
    /tmp/lumos-venv/bin/pip install -r tests/clients/requirements.txt
    /tmp/lumos-venv/bin/python tests/clients/lumos_models.py [HARNESS]

HARNESS is the path of the binary, `target/debug/harness` if not said. The
script starts a simulated PagerDuty and a server of its own on free ports of the
loopback interface and stops them at the end. It prints a line for every
capability and last `N passed, 0 failed`. The status is 0 then, 1 when a
capability failed, 2 when it could not start.
"""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TOKEN = "a-token-of-the-platform"
OWNER = "simulated-token"
CLIENT = {"client_id": "simulated-client", "client_secret": "simulated-client-secret"}
REDIRECT = "https://platform.example/callback"


def cannot_run(reason):
    print(reason, file=sys.stderr)
    sys.exit(2)


try:
    from connector_sdk_types import generated as models
    from connector_sdk_types.oai.fingerprint import request_fingerprint
except ImportError as error:
    cannot_run(f"{error}; pip install -r tests/clients/requirements.txt")

# Those whose model is not the capability's name in camel case.
RESPONSES = {
    "handle_client_credentials_request": "HandleClientCredentialsResponse",
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def started(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = process.stdout.readline()
    if not line.startswith("listening on "):
        process.kill()
        cannot_run(f"{command[0]} does not start")
    return process, line.split()[-1]


class Platform:
    def __init__(self, origin, vendor):
        self.origin = origin
        self.vendor = vendor
        self.passed = 0
        self.failed = 0
        self.capabilities = set()

    def post(self, path, body):
        request = urllib.request.Request(
            self.origin + path,
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    def check(self, name, problem):
        if problem is None:
            self.passed += 1
            print(f"ok      {name}")
        else:
            self.failed += 1
            print(f"FAILED  {name}: {problem}")

    def call(self, capability, request, **envelope):
        """The response, once the model has taken all of it."""
        self.capabilities.add(capability)
        body = {"request": request, "credentials": [{"id": "api-key", "token": {"token": OWNER}}], **envelope}
        answer = self.post(f"/pagerduty/{capability}", body)
        name = RESPONSES.get(capability) or "".join(map(str.capitalize, capability.split("_"))) + "Response"
        self.check(capability, self.problem(name, answer, request))
        return answer.get("response")

    def refused(self, capability, request, code):
        answer = self.post(f"/pagerduty/{capability}", {"request": request})
        try:
            error = models.ErrorResponse.from_dict(answer).error
        except ValueError as problem:
            return self.check(f"error {code}", problem)
        found = answer["error"]["error_code"]
        self.check(f"error {code}", None if found == code and error.message else answer)

    @staticmethod
    def problem(name, answer, request):
        if answer.get("is_error"):
            return answer["error"]
        try:
            parsed = getattr(models, name).from_dict(answer)
        except (AttributeError, ValueError) as error:
            return error
        # What the model dropped, it did not know.
        kept = parsed.to_dict()
        for field in answer:
            if field not in kept:
                return f"`{field}` is not in {name}"
        rows = answer["response"] if isinstance(answer["response"], list) else [answer["response"]]
        parsed_rows = kept["response"] if isinstance(kept["response"], list) else [kept["response"]]
        if name != "UpdateAccountResponse":
            for row, parsed_row in zip(rows, parsed_rows, strict=True):
                lost = set(row) - set(parsed_row)
                if lost:
                    return f"{lost} is not in {name}"
        summary = answer.get("execution_summary")
        if summary and summary["request_fingerprint"] != request_fingerprint(request):
            return "the fingerprint is another one"
        return None

    def sign_in(self):
        asked = self.call(
            "get_authorization_url",
            {"client_id": CLIENT["client_id"], "scopes": ["write"], "redirect_uri": REDIRECT, "state": "s"},
        )
        url = urllib.parse.urlsplit(asked["authorization_url"])
        opener = urllib.request.build_opener(NoRedirect)
        try:
            opener.open(f"{self.vendor}{url.path}?{url.query}")
            cannot_run("the simulator does not send the browser back")
        except urllib.error.HTTPError as reply:
            back = reply.headers["location"]
        tokens = self.call(
            "handle_authorization_callback",
            {**CLIENT, "redirect_uri_with_code": back, "state": "s", "code_verifier": asked["code_verifier"]},
        )
        self.call("refresh_access_token", {**CLIENT, "refresh_token": tokens["refresh_token"]})
        self.call("handle_client_credentials_request", {**CLIENT, "scopes": ["as_account-us.acme", "users.read"]})

    def run(self):
        info = self.call("info", {})
        self.call("app_info", {})
        self.call("validate_credentials", {})
        self.call("validate_credential_config", {"credential": {"token": {"token": OWNER}}})
        self.call("probe_integration", {"custom_attributes": ["job-title"]})
        accounts = self.call("list_accounts", {"custom_attributes": ["job-title"]}, page={"size": 25})
        person = self.call("create_account", {"email": "zoë.new@acme.example", "username": "Zoë New", "entitlements": []})
        leaver, heir = person["id"], accounts[1]["integration_specific_id"]
        self.call("get_account", {"account_id": leaver})
        self.call("list_updated_accounts", {})
        self.call("list_activity_records", {"since_date": "2026-01-01", "actors": []})
        self.call("list_resources", {})
        self.call("list_entitlements", {})
        self.call("find_entitlement_associations", {}, page={"size": 25})
        self.call("get_last_activity", {"account_ids": [row["integration_specific_id"] for row in accounts]})
        held = self.call("get_account_entitlement_associations", {"account_id": leaver})
        team = next(row for row in self.call("list_resources", {}) if row["resource_type"] == "team")
        membership = {
            "account_integration_specific_id": leaver,
            "resource_integration_specific_id": team["integration_specific_id"],
            "resource_type": "team",
            "entitlement_type": "team-membership",
            "entitlement_integration_specific_id": "responder",
        }
        self.call("assign_entitlement", membership)
        self.call("assign_entitlement", membership)
        self.call("unassign_entitlement", membership)
        self.call("update_account", {"id": leaver, "job-title": "Bäcker"})
        license = next(
            row["integration_specific_entitlement_id"]
            for row in held
            if row["integration_specific_entitlement_id"].startswith("P")
        )
        self.call("downgrade_license", {"account_id": leaver}, settings={"default-license": license})
        self.call("transfer_data", {"source_account_id": leaver, "target_account_id": heir})
        self.call("release_resources", {"account_id": leaver})
        self.call("delete_account", {"account_id": leaver})
        self.sign_in()
        self.refused("list_accounts", {}, "integration_missing_parameter")
        self.refused("activate_account", {"account_id": leaver}, "unsupported_operation")
        ids = self.post("/list-connector-app-ids", {})
        self.check("list-connector-app-ids", None if ids["response"] == ["pagerduty"] else ids)
        missed = set(info["capabilities"]) - self.capabilities
        self.check("every capability was called", missed or None)


def main():
    harness = sys.argv[1] if len(sys.argv) > 1 else "target/debug/harness"
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder, "token")
        token.write_text(TOKEN)
        simulator, vendor = started([harness, "simulator", "--listen", "127.0.0.1:0", "--users", "60"])
        try:
            server, origin = started([
                harness, "serve", "--listen", "127.0.0.1:0", "--token-file", str(token), "--state", folder,
                "--base-url", vendor, "--identity-url", vendor,
            ])
            try:
                platform = Platform(origin, vendor)
                platform.run()
            finally:
                server.terminate()
                server.wait()
        finally:
            simulator.terminate()
            simulator.wait()
    print(f"{platform.passed} passed, {platform.failed} failed")
    sys.exit(1 if platform.failed else 0)


if __name__ == "__main__":
    main()
