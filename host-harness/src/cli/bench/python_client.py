"""PagerDuty's own client lists what a sync reads.

Called with the origin of a simulator. Prints a line of JSON: how much it has
listed, by kind, and what it has used of memory and processor.
"""

import json
import os
import sys

import pagerduty

PAGE = 100
ASKED_ABOUT = 500


def walk(client):
    def count(url, **options):
        return sum(1 for _ in client.iter_all(url, page_size=PAGE, **options))

    client.rget("/users/me")
    client.rget("/abilities")
    users = [user["id"] for user in client.iter_all("users", page_size=PAGE, total=True)]
    teams = [team["id"] for team in client.iter_all("teams", page_size=PAGE, total=True)]
    shifts = list_shift_schedules(client)
    listed = {
        "users": len(users),
        "licenses": len(client.rget("/licenses")),
        "license_allocations": count("license_allocations"),
        "teams": len(teams),
        "team_memberships": sum(count(f"/teams/{team}/members") for team in teams),
        "schedules": count("schedules", params={"include[]": "schedule_layers"}),
        "shift_schedules": len(shifts),
        "escalation_policies": count("escalation_policies"),
        "sign_ins": 0,
    }
    for schedule in shifts:
        get(client, f"/v3/schedules/{schedule['id']}")
    for start in range(0, len(users), ASKED_ABOUT):
        listed["sign_ins"] += sign_ins(client, users[start : start + ASKED_ABOUT])
    return listed


def list_shift_schedules(client):
    """The client knows no such list: page by page, by hand."""
    rows = []
    more = True
    while more:
        page = get(client, "/v3/schedules", params={"limit": PAGE, "offset": len(rows)})
        rows += page["schedules"]
        more = page["more"]
    return rows


def sign_ins(client, users):
    """How many of these have signed in; of whom analytics knows nothing is asked
    about singly."""
    seen = {}
    after = None
    while True:
        question = {
            "filters": {"user_ids": users},
            "time_zone": "Etc/UTC",
            "limit": 1000,
            "starting_after": after,
        }
        response = client.post("/analytics/raw/users", json=question)
        page = pagerduty.successful_response(response).json()
        for row in page["data"]:
            seen[row["id"]] = seen.get(row["id"]) or row["last_sign_in_at"] or row["signed_up"]
        if not page["more"]:
            break
        after = page["last"]
    # `True` is left where somebody has joined and has no sign-in.
    for user in users:
        if seen.get(user) is True:
            params = {
                "delegation_type": "web,mobile",
                "status": "issued,revoked",
                "limit": PAGE,
            }
            get(client, f"/users/{user}/oauth_delegations", params=params)
    return sum(1 for at in seen.values() if isinstance(at, str))


def get(client, url, **options):
    return pagerduty.successful_response(client.get(url, **options)).json()


def peak_kib():
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return None


def cpu_seconds():
    times = os.times()
    return times.user + times.system


class Client(pagerduty.RestApiV2Client):
    """Takes an address without TLS, which nobody else in the comparison has."""

    @property
    def url(self):
        return sys.argv[1]

    @url.setter
    def url(self, _):
        pass


def main():
    # Without `trust_env` a proxy of the environment is not asked.
    client = Client("simulated-token", trust_env=False)
    listed = walk(client)
    usage = {"peak_kib": peak_kib(), "cpu_seconds": cpu_seconds()}
    print(json.dumps({"listed": listed, **usage}))


if __name__ == "__main__":
    main()
