//! Offboarding through the command: dry runs, plans, journals, and a process
//! that is killed at any point of it.

mod scene;
mod site;

use std::{fs, process::Stdio, time::Duration};

use serde_json::{Value, json};

use crate::support::run;
use scene::{Scene, end_state};
use site::{Site, assert_done, id, json_of, text};

#[test]
fn a_dry_run_of_any_write_sends_reads_only_and_shows_the_first_change() {
    run(async {
        let site = Site::new(60).await;
        let account = site.user("limited_user", 0);
        let team = id(&site.rows("/teams", "teams")[0]);
        let manager = format!("team-membership:observer@{team}");
        site.simulator.keep_exchanges(true);
        let cases: &[(&[&str], &str)] = &[
            (
                &["create", "--email", "new@acme.example", "--name", "New"],
                "POST",
            ),
            (&["update", &account, "--name", "Other"], "PUT"),
            (&["assign", &account, "role:admin"], "PUT"),
            (&["assign", &account, &manager], "PUT"),
            (
                &[
                    "call",
                    "provisioning.update-account",
                    "--input",
                    &json!({"id": account, "change": {"display_name": "X", "attributes": []}})
                        .to_string(),
                ],
                "PUT",
            ),
        ];
        for (args, method) in cases {
            let mut args = args.to_vec();
            args.extend(["--dry-run", "--json"]);
            let output = site.run(&args).await;
            assert_done(&output);
            let shown = json_of(&output);
            assert_eq!(shown["withheld"]["method"], *method, "{args:?}: {shown}");
            assert!(shown["withheld"]["body"].is_object(), "{args:?}: {shown}");
        }
        assert_eq!(site.methods(), ["GET".to_owned()].into());
    });
}

#[test]
fn single_changes_go_through_and_twice_is_once() {
    run(async {
        let site = Site::new(60).await;
        let create: &[&str] = &[
            "create",
            "--email",
            "ada@acme.example",
            "--name",
            "Ada Lovelace",
            "--entitlement",
            "role:limited_user",
            "--attribute",
            "job_title=Countess",
            "--json",
        ];
        let created = json_of(&site.run(create).await);
        assert_eq!(created["effect"], "created", "{created}");
        let again = json_of(&site.run(create).await);
        assert_eq!(again["effect"]["unchanged"], "already-exists", "{again}");
        assert_eq!(again["account"]["id"], created["account"]["id"]);
        // By e-mail address, whatever its case.
        let steps: &[(&[&str], &str)] = &[
            (
                &["update", "ADA@acme.example", "--name", "Ada King"],
                "updated",
            ),
            (&["assign", "ada@acme.example", "role:user"], "updated"),
            (&["delete", "ada@acme.example", "--yes"], "deleted"),
        ];
        for (args, effect) in steps {
            let mut args = args.to_vec();
            args.push("--json");
            let output = site.run(&args).await;
            assert_done(&output);
            assert_eq!(json_of(&output)["effect"], *effect, "{args:?}");
        }
        let output = site.run(&["delete", "ada@acme.example", "--yes"]).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("nobody has the e-mail address"));
    });
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_changed() {
    run(async {
        let site = Site::new(20).await;
        site.simulator.keep_exchanges(true);
        let account = site.user("limited_user", 0);
        let heir = site.user("limited_user", 1);
        let folder = tempfile::tempdir().expect("a folder");
        let plan = folder.path().join("plan.json");
        fs::write(&plan, "{\"steps\":[]}").expect("written");
        let plan = plan.to_str().expect("a path");
        for args in [
            vec!["delete", account.as_str()],
            vec!["offboard", &account, "--to", &heir],
            vec!["apply", plan],
        ] {
            let output = site.run(&args).await;
            assert_eq!(output.status.code(), Some(2), "{args:?}");
            assert!(text(&output.stderr).contains("--yes"), "{args:?}");
        }
        assert!(site.simulator.exchanges().is_empty(), "not even asked for");
    });
}

#[test]
fn an_offboarding_that_is_killed_after_any_change_ends_the_same_and_does_nothing_twice() {
    run(async {
        let scene = Scene::new(600, 12, 5, 30).await;
        let folder = tempfile::tempdir().expect("a folder");
        let uncut = scene.site().await;
        let output = uncut.run(&scene.offboard(folder.path())).await;
        assert_done(&output);
        assert_eq!(json_of(&output)[0]["outcome"], "offboarded");
        let wanted = end_state(&uncut, &scene);
        assert_eq!(wanted["leaver"], 404);
        let text = wanted.to_string();
        assert!(
            !text.contains(&scene.leaver),
            "nothing is left of the leaver"
        );
        assert!(text.contains(&scene.heir), "the heir has it");
        let changes = uncut.changes();
        assert!(changes.len() >= 3 + 12 + 5 + 60, "{}", changes.len());
        // Every change once, and after it nobody who hears the answer.
        let mut cuts = tokio::task::JoinSet::new();
        let scene = std::sync::Arc::new(scene);
        let places = std::sync::Arc::new(tokio::sync::Semaphore::new(2));
        for cut in 0..changes.len() {
            let (scene, places) = (scene.clone(), places.clone());
            let (wanted, changes) = (wanted.clone(), changes.clone());
            cuts.spawn(async move {
                let _place = places.acquire().await.expect("open");
                killed_after(&scene, cut, &wanted, &changes).await;
            });
        }
        while let Some(cut) = cuts.join_next().await {
            cut.expect("it ends the same");
        }
    });
}

async fn killed_after(scene: &Scene, cut: usize, wanted: &Value, changes: &[String]) {
    let folder = tempfile::tempdir().expect("a folder");
    let site = scene.site().await;
    let fault = format!("!GET * hang-after-applied times=1 skip={cut}");
    site.simulator.faults().add(fault.parse().expect("a fault"));
    let mut process = site
        .command(&scene.offboard(folder.path()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    while site.simulator.faults().fired() == 0 {
        if let Some(status) = process.try_wait().expect("it is ours") {
            panic!("cut {cut} ({}): it ended by itself, {status}", changes[cut]);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The fault is taken before the change is applied: wait for that.
    while site.changes().len() <= cut {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    process.kill().expect("it is ours");
    process.wait().expect("it is ours");
    let output = site.run(&scene.offboard(folder.path())).await;
    assert_eq!(
        output.status.code(),
        Some(0),
        "cut {cut} ({}): {}",
        changes[cut],
        text(&output.stderr)
    );
    let state = end_state(&site, scene);
    assert_eq!(&state, wanted, "cut {cut} ({})", changes[cut]);
    assert_eq!(
        site.changes().len(),
        changes.len(),
        "cut {cut} ({}): nothing twice",
        changes[cut]
    );
}

#[test]
fn a_plan_reads_and_its_json_is_what_apply_takes() {
    run(async {
        let scene = Scene::new(3, 2, 1, 1).await;
        let site = scene.site().await;
        let folder = tempfile::tempdir().expect("a folder");
        let made = site
            .run(&[
                "plan",
                "transfer",
                &scene.leaver,
                "--to",
                &scene.heir,
                "--json",
            ])
            .await;
        assert_done(&made);
        let shown = site.run(&["plan", "removal", &scene.leaver]).await;
        assert_done(&shown);
        assert_eq!(site.methods(), ["GET".to_owned()].into());
        let plan: Value = json_of(&made);
        assert_eq!(plan["x-harness"]["kind"], "transfer");
        assert_eq!(plan["x-harness"]["to"], scene.heir.as_str());
        let steps = plan["steps"].as_array().expect("steps").len();
        assert!(steps >= 5, "{plan}");
        let file = folder.path().join("plan.json");
        fs::write(&file, &made.stdout).expect("written");
        let file = file.to_str().expect("a path");

        let dry = site.run(&["apply", file, "--dry-run", "--json"]).await;
        assert_done(&dry);
        assert_eq!(json_of(&dry)["withheld"]["method"], "PUT");
        assert_eq!(site.methods(), ["GET".to_owned()].into());
        assert!(!folder.path().join("plan.json.journal").exists());

        let applied = site.run(&["apply", file, "--yes", "--json"]).await;
        assert_done(&applied);
        let outcome = json_of(&applied);
        let count = |name: &str| outcome[name].as_u64().expect("a number");
        assert_eq!(count("changed") + count("unchanged"), steps as u64);
        let again = json_of(&site.run(&["apply", file, "--yes", "--json"]).await);
        assert_eq!(again["done_before"], steps as u64, "{again}");
        assert_eq!(again["changed"], 0);

        let before = site.changes().len();
        let undone = site
            .run(&["apply", file, "--undo", "--yes", "--json"])
            .await;
        assert_done(&undone);
        assert!(site.changes().len() > before, "something was taken back");
        let incidents = site.rows(
            &format!(
                "/incidents?date_range=all&user_ids[]={}&statuses[]=triggered",
                scene.leaver
            ),
            "incidents",
        );
        assert!(incidents.len() >= 3, "the leaver has them again");
        let twice = site.run(&["apply", file, "--undo", "--yes"]).await;
        assert!(text(&twice.stderr).contains("nothing to take back"));
    });
}

#[test]
fn a_plan_or_a_journal_that_does_not_fit_is_refused_and_nothing_is_lost() {
    run(async {
        let scene = Scene::new(2, 1, 1, 0).await;
        let site = scene.site().await;
        let folder = tempfile::tempdir().expect("a folder");
        let made = site
            .run(&[
                "plan",
                "transfer",
                &scene.leaver,
                "--to",
                &scene.heir,
                "--json",
            ])
            .await;
        let plan = json_of(&made);
        let write = |name: &str, text: String| {
            let file = folder.path().join(name);
            fs::write(&file, text).expect("written");
            file.to_str().expect("a path").to_owned()
        };
        let edited = |edit: &dyn Fn(&mut Value)| {
            let mut plan = plan.clone();
            edit(&mut plan);
            plan.to_string()
        };
        let good = write("good.json", plan.to_string());
        let torn = write("torn.json", plan.to_string()[..200].to_owned());
        let other = write(
            "other.json",
            edited(&|p| p["x-harness"]["tenant"] = json!("globex")),
        );
        let foreign = write(
            "foreign.json",
            edited(&|p| p["x-harness"]["app_id"] = json!("okta")),
        );
        let twice = write(
            "twice.json",
            edited(&|p| {
                let step = p["steps"][0].clone();
                p["steps"].as_array_mut().expect("steps").push(step);
            }),
        );
        let shorter = write(
            "shorter.json",
            edited(&|p| p["steps"] = json!([p["steps"][0]])),
        );
        let cases = [
            (torn.as_str(), "is not a plan"),
            (&other, "`globex`"),
            (&foreign, "`okta`"),
            (&twice, "two steps"),
        ];
        for (file, said) in cases {
            let output = site.run(&["apply", file, "--yes"]).await;
            assert_eq!(output.status.code(), Some(2), "{file}");
            let shown = text(&output.stderr);
            assert!(
                shown.contains(said) && shown.contains("; hint: "),
                "{shown}"
            );
        }
        assert!(site.changes().is_empty(), "nothing was changed");

        // A journal that a death tore in its last line goes on; one of another
        // plan, or one that says what it should not, is left alone.
        let journal = folder.path().join("journal");
        let journal_text = journal.to_str().expect("a path");
        let args = ["apply", &good, "--yes", "--journal", journal_text];
        assert_done(&site.run(&args).await);
        let whole = fs::read_to_string(&journal).expect("a journal");
        let lines: Vec<&str> = whole.lines().collect();
        let cut = whole.len() - lines[lines.len() - 1].len() / 2;
        fs::write(&journal, &whole[..cut]).expect("written");
        let output = site.run(&args).await;
        assert_done(&output);
        let healed = fs::read_to_string(&journal).expect("a journal");
        assert!(
            healed
                .lines()
                .all(|line| serde_json::from_str::<Value>(line).is_ok()),
            "{healed}"
        );
        let args = ["apply", &shorter, "--yes", "--journal", journal_text];
        let output = site.run(&args).await;
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("another plan"));
        assert_eq!(fs::read_to_string(&journal).expect("a journal"), healed);
        let broken = whole.replacen("begun", "bogus", 1);
        fs::write(&journal, &broken).expect("written");
        let output = site
            .run(&["apply", &good, "--yes", "--journal", journal_text])
            .await;
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains("line 2"),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(fs::read_to_string(&journal).expect("a journal"), broken);
    });
}

#[test]
fn one_failing_leaver_does_not_stop_the_rest() {
    run(async {
        let site = Site::new(60).await;
        let owner = site.user("owner", 0);
        let heir = site.user("user", 0);
        let leavers = [site.user("limited_user", 0), site.user("limited_user", 1)];
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("leavers.csv");
        // By e-mail address as well.
        let email = site.get(&format!("/users/{}", leavers[1]))["user"]["email"].clone();
        let email = email.as_str().expect("an address").to_uppercase();
        let csv = format!(
            "leaver,heir\n{},{heir}\n{owner},{heir}\n{email},{heir}\n",
            leavers[0]
        );
        fs::write(&file, csv).expect("written");
        let journals = folder.path().join("journals");
        let args = [
            "offboard",
            "--accounts",
            file.to_str().expect("a path"),
            "--journals",
            journals.to_str().expect("a path"),
            "--yes",
            "--json",
        ];
        let output = site.run(&args).await;
        assert_eq!(output.status.code(), Some(1));
        let results = json_of(&output);
        let outcomes: Vec<&Value> = results
            .as_array()
            .expect("a list")
            .iter()
            .map(|result| &result["outcome"])
            .collect();
        assert_eq!(
            outcomes,
            ["offboarded", "failed", "offboarded"],
            "{results}"
        );
        assert!(
            results[1]["error"].as_str().expect("why").contains("own"),
            "{results}"
        );
        for leaver in &leavers {
            assert_eq!(
                site.simulator
                    .ask("GET", &format!("/users/{leaver}"), None)
                    .0,
                404
            );
        }
        let (status, _) = site.simulator.ask("GET", &format!("/users/{owner}"), None);
        assert_eq!(status, 200, "the owner stays");
        let again = json_of(
            &site
                .run(&[
                    "offboard",
                    &leavers[0],
                    "--to",
                    &heir,
                    "--yes",
                    "--json",
                    "--journals",
                    journals.to_str().expect("a path"),
                ])
                .await,
        );
        assert_eq!(again[0]["outcome"], "already_gone", "{again}");
    });
}
