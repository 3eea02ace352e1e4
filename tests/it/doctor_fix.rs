//! `doctor --fix`: what is ours or nobody's is mended and said, everything else stays.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    doctor::{check, offline},
    small::Machine,
};

fn make_old(path: &Path, seconds: u64) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.file().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// IDs of what was done.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(|fix| fix["id"].as_str()).collect()
}

/// A lock that a crashed kubectl left, and files of runs that were killed.
#[tokio::test]
async fn a_stale_lock_and_unfinished_files() {
    let mut machine = Machine::new().await;
    offline(&mut machine);
    let bundle = machine.bundle.clone();
    machine.env("QUICKSTART_BUNDLE", &bundle);
    let config = machine.users_kubeconfig();
    let lock = config.with_file_name("config.lock");
    let cache = machine.home().join(".cache/quickstart/sha256/downloads");
    fs_err::create_dir_all(&cache).unwrap();
    let (part, own, new) = (cache.join(format!("{}.part", "ab".repeat(32))), cache.join(".quickstart-Xy12"), cache.join(".quickstart-new"));
    for path in [&lock, &part, &own, &new] {
        fs_err::write(path, "x").unwrap();
    }
    make_old(&lock, 30);
    make_old(&part, 7200);
    make_old(&own, 7200);

    let before = machine.quickstart(&["doctor", "-o", "json"]).await.expect(0);
    assert_eq!(check(&before, "kubeconfig-lock")["error_id"], "KUBECONFIG_LOCKED");
    assert!(check(&before, "leftover-files")["saw"].to_string().contains("2 unfinished"), "{}", before.text());

    let report = machine.quickstart(&["doctor", "--fix", "-o", "json"]).await.expect(0);
    assert!(lock.exists(), "a lock of half a minute may be somebody's");
    assert_eq!((ids(&report.json()["fixed"]), ids(&report.json()["left"])), (vec!["leftover-files"; 2], vec!["kubeconfig-lock"]));
    assert!(!part.exists() && !own.exists() && new.exists());
    assert_eq!(check(&report, "leftover-files")["result"], "ok", "it looks again afterwards");

    make_old(&lock, 120);
    let report = machine.quickstart(&["doctor", "--fix"]).await.expect(0);
    assert!(
        report.stdout.starts_with("fixed: removed ") && report.stdout.contains("config.lock, left behind 2 min ago"),
        "{}",
        report.text()
    );
    assert!(!lock.exists() && config.exists());
    let again = machine.quickstart(&["doctor", "--fix"]).await.expect(0);
    assert!(again.stdout.starts_with("nothing to fix"), "{}", again.text());
}

/// A process that may hold the lock keeps it, however old it is.
#[tokio::test]
async fn a_lock_that_somebody_may_hold_stays() {
    let mut machine = Machine::new().await;
    offline(&mut machine);
    let lock = machine.users_kubeconfig().with_file_name("config.lock");
    fs_err::write(&lock, "").unwrap();
    make_old(&lock, 600);
    let (program, home) = (machine.path().join("kubectl"), machine.home());
    fs_err::copy("/bin/sleep", &program).unwrap();
    let mut holder = tokio::process::Command::new(&program).arg("60").env_clear().env("HOME", &home).kill_on_drop(true).spawn().unwrap();
    let report = machine.quickstart(&["doctor", "--fix", "-o", "json"]).await;
    assert!(lock.exists());
    assert!(report.json()["left"][0]["what"].to_string().contains("kubectl (process"), "{}", report.text());
    holder.kill().await.unwrap();
}

/// A cluster whose making was stopped, one whose container is gone, and one of somebody else.
#[tokio::test]
async fn torsos_of_ours_go_and_a_strangers_cluster_stays() {
    let machine = Machine::up_and_running().await;
    let states = machine.home().join(".local/state/quickstart");
    let state = |name: &str, creating: bool| {
        let mut state = machine.state();
        (state["name"], state["creating"], state["created"]) = (json!(name), json!(creating), json!(!creating));
        fs_err::create_dir_all(states.join(name)).unwrap();
        fs_err::write(states.join(name).join("state.json"), state.to_string()).unwrap();
    };
    state("half", true);
    state("gone", false);
    machine.kind.state.add("half", "kindest/node:v1");
    machine.kind.state.add("theirs", "kindest/node:v1");

    let before = machine.quickstart(&["doctor", "-o", "json"]).await.expect(0);
    assert_eq!(
        (&check(&before, "leftover-half")["result"], &check(&before, "leftover-gone")["result"]),
        (&json!("warning"), &json!("warning"))
    );
    assert!(check(&before, "other-clusters")["saw"].to_string().contains("theirs"), "{}", before.text());

    let report = machine.quickstart(&["doctor", "--fix", "-o", "json"]).await.expect(0);
    assert_eq!(ids(&report.json()["fixed"]), ["leftover-gone", "leftover-half"], "{}", report.text());
    let clusters: Vec<String> = machine.kind.state.clusters().into_iter().map(|cluster| cluster.name).collect();
    assert_eq!(clusters, ["quickstart", "theirs"]);
    assert!(!states.join("half").exists() && !states.join("gone").exists() && machine.state_folder().exists());
    assert_eq!(check(&report, "leftover-half"), Value::Null);
}

/// An engine without the container proves nothing while the cluster's own API server answers: it may be another engine's.
#[tokio::test]
async fn a_cluster_that_answers_is_not_gone() {
    let machine = Machine::up_and_running().await;
    let other = machine.home().join(".local/state/quickstart/other");
    fs_err::create_dir_all(&other).unwrap();
    for name in ["state.json", "kubeconfig"] {
        fs_err::copy(machine.state_folder().join(name), other.join(name)).unwrap();
    }
    let report = machine.quickstart(&["doctor", "--fix", "-o", "json"]).await.expect(0);
    assert_eq!((ids(&report.json()["fixed"]), ids(&report.json()["left"])), (Vec::new(), vec!["leftover-other"]), "{}", report.text());
    assert!(other.exists());
}

/// A half-made cluster that a living `up` is at work on is no leftover.
#[tokio::test]
async fn a_cluster_that_is_being_made_stays() {
    let machine = Machine::up_and_running().await;
    machine.edit_state(|state| (state["creating"], state["created"]) = (json!(true), json!(false)));
    let lock = fs_err::OpenOptions::new().write(true).create(true).truncate(false).open(machine.state_folder().join("lock")).unwrap();
    lock.file().lock().unwrap();
    let report = machine.quickstart(&["doctor", "--fix", "-o", "json"]).await;
    assert_eq!(ids(&report.json()["left"]), ["leftover-quickstart"], "{}", report.text());
    assert_eq!(machine.kind.state.clusters().len(), 1);
    assert!(machine.state_folder().exists());
}
