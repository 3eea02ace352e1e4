//! `down`: everything of ours is gone, nothing of anybody else's.

use crate::{
    small::{Machine, refused},
    support::{sandbox::eventually, workloads::Trouble},
};

/// No container, no volume but the one for kept images, no state, no context; the user's kubeconfig says what it said before.
#[tokio::test]
async fn nothing_is_left() {
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    let before = fs_err::read_to_string(&theirs).unwrap();
    machine.up(&[]).await.expect(0);
    let output = machine.quickstart(&["down"]).await.expect(0);
    assert!(output.stdout.is_empty(), "{}", output.text());
    assert!(machine.kind.state.clusters().is_empty());
    assert_eq!(machine.engine.state().volumes.iter().collect::<Vec<_>>(), ["quickstart-images"]);
    assert!(!machine.state_folder().exists());
    assert_eq!(meaning(&fs_err::read_to_string(&theirs).unwrap()), meaning(&before));
    eventually("the port is closed", || std::net::TcpListener::bind(("127.0.0.1", machine.port)).is_ok()).await;
    let again = machine.quickstart(&["down"]).await.expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.text());
    machine.knows_everything();
    machine.quickstart(&["status"]).await.expect(6);
}

/// What a kubeconfig says, whatever its order of lines.
fn meaning(text: &str) -> serde_json::Value {
    let config = kube::config::Kubeconfig::from_yaml(text).unwrap();
    serde_json::to_value(config).unwrap()
}

/// A context that the user chose after `up` is not taken back.
#[tokio::test]
async fn a_context_chosen_since_is_kept() {
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    machine.up(&[]).await.expect(0);
    let text = fs_err::read_to_string(&theirs).unwrap().replace("current-context: kind-quickstart", "current-context: mine");
    fs_err::write(&theirs, text).unwrap();
    machine.quickstart(&["down"]).await.expect(0);
    let config = kube::config::Kubeconfig::read_from(&theirs).unwrap();
    assert_eq!(config.current_context.as_deref(), Some("mine"));
    assert_eq!(config.contexts.len(), 1);
}

/// A cluster of that name that somebody else made is refused and stays.
#[tokio::test]
async fn a_foreign_cluster_is_left_alone() {
    let machine = Machine::new().await;
    machine.kind.state.add("quickstart", "kindest/node:v1.31.0");
    refused(machine.quickstart(&["down"]).await, 3, "CLUSTER_FOREIGN");
    assert_eq!(machine.kind.state.clusters().len(), 1);
    assert!(machine.kind.calls().iter().all(|call| !call.starts_with("delete")));
    assert!(machine.engine.state().log.iter().all(|request| request.method != "DELETE"));
}

/// A volume that the engine could not remove with its container is removed by name, and other people's stay.
#[tokio::test]
async fn other_peoples_containers_and_volumes_stay() {
    let machine = Machine::new().await;
    machine.kind.state.add("other", "kindest/node:v1.31.0");
    machine.engine.state().volumes.insert("precious".into());
    machine.up(&[]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    let left: Vec<String> = machine.kind.state.clusters().into_iter().map(|cluster| cluster.name).collect();
    assert_eq!(left, ["other"]);
    assert!(machine.engine.state().volumes.contains("precious"));
}

/// A state that cannot be read must not keep its cluster alive.
#[tokio::test]
async fn a_damaged_state_does_not_stop_it() {
    let machine = Machine::up_and_running().await;
    fs_err::write(machine.state_folder().join("state.json"), "{\"version\": 1").unwrap();
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}

/// `--all` takes every cluster of ours, `--purge` the cache too.
#[tokio::test]
async fn all_and_purge() {
    let machine = Machine::new().await;
    machine.up(&["--name", "one"]).await.expect(0);
    machine.quickstart(&["down", "--all", "--purge"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
    let left: Vec<_> = [".cache", ".local"].iter().flat_map(|folder| crate::small::files(&machine.home().join(folder))).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

/// `-o json` is a stream of events here too.
#[tokio::test]
async fn events_of_down() {
    let machine = Machine::up_and_running().await;
    let output = machine.quickstart(&["down", "-o", "json"]).await.expect(0);
    assert!(output.events().iter().all(|event| event["event"].is_string() && event["at"].is_string()), "{}", output.text());
    assert_ne!(output.events(), Vec::<serde_json::Value>::new());
}

/// The engine that is gone is told, not taken for an empty one: the state stays for the next try.
#[tokio::test]
async fn without_an_engine_nothing_is_forgotten() {
    let mut machine = Machine::up_and_running().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    refused(machine.quickstart(&["down"]).await, 3, "ENGINE_UNREACHABLE");
    assert!(machine.state_folder().join("state.json").exists());
}

/// The engine was reset behind our back: there is nothing to remove, and nothing is remembered.
#[tokio::test]
async fn containers_that_are_gone_already() {
    let machine = Machine::up_and_running().await;
    machine.kind.state.forget("quickstart");
    machine.quickstart(&["down"]).await.expect(0);
    assert!(!machine.state_folder().exists());
}

/// A kubeconfig that cannot be written is told with the command that mends it; the cluster is gone all the same.
#[tokio::test]
async fn a_kubeconfig_that_cannot_be_written() {
    let machine = Machine::up_and_running().await;
    let theirs = machine.home().join(".kube/config");
    fs_err::remove_file(&theirs).unwrap();
    // Root may write whatever is marked read-only, but nobody may write this.
    fs_err::os::unix::fs::symlink("/proc/version", &theirs).unwrap();
    let output = machine.quickstart(&["down"]).await.expect(0);
    assert!(output.stderr.contains("still holds context kind-quickstart"), "{}", output.text());
    assert!(machine.kind.state.clusters().is_empty() && !machine.state_folder().exists());
}

/// `up` in another window is asked to stop, and what it made until then goes too.
#[tokio::test]
async fn an_up_that_runs_is_asked_to_stop() {
    let machine = Machine::new().await;
    machine.server.trouble("istio-system/istiod", Trouble::NeverReady);
    let run = machine.start(&[]);
    eventually("istiod is applied", || machine.server.get("/apis/apps/v1/namespaces/istio-system/deployments/istiod").is_some()).await;
    let output = machine.quickstart(&["down"]).await.expect(0);
    assert!(output.stderr.contains("`quickstart up`, process") && output.stderr.contains("asked it to stop"), "{}", output.text());
    machine.finish(run, &["up"]).await.expect(130);
    assert!(machine.kind.state.clusters().is_empty() && !machine.state_folder().exists());
}

/// A cache folder that somebody named, and that holds other things too, loses only what is ours.
#[tokio::test]
async fn purge_takes_only_what_is_ours() {
    let machine = Machine::up_and_running().await;
    let cache = machine.home().join(".cache/quickstart");
    fs_err::write(cache.join("thesis.tex"), "three years of work").unwrap();
    let output = machine.quickstart(&["down", "--purge"]).await.expect(0);
    assert!(output.stderr.contains("what stays is not: thesis.tex"), "{}", output.text());
    let left: Vec<_> = fs_err::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["thesis.tex"]);
}

/// One cluster that cannot be taken away keeps no other one alive.
#[tokio::test]
async fn all_goes_on_after_a_failure() {
    let machine = Machine::new().await;
    machine.up(&["--name", "two"]).await.expect(0);
    // A state whose cluster somebody else has made meanwhile.
    let folder = machine.home().join(".local/state/quickstart/one");
    fs_err::create_dir_all(&folder).unwrap();
    let mut state: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(folder.with_file_name("two").join("state.json")).unwrap()).unwrap();
    (state["name"], state["created"]) = ("one".into(), false.into());
    fs_err::write(folder.join("state.json"), state.to_string()).unwrap();
    machine.kind.state.add("one", "kindest/node:v1.31.0");
    refused(machine.quickstart(&["down", "--all"]).await, 3, "CLUSTER_FOREIGN");
    let left: Vec<String> = machine.kind.state.clusters().into_iter().map(|cluster| cluster.name).collect();
    assert_eq!(left, ["one"]);
}
