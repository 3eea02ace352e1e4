//! `up` again: nothing to do is nothing done, and what is broken is mended.

use crate::small::{Machine, of};

/// On a healthy cluster a second run writes nothing, and still proves the prediction.
#[tokio::test]
async fn a_second_run_writes_nothing() {
    let machine = Machine::up_and_running().await;
    let events = machine.up(&["-o", "json"]).await.expect(0).events();
    let written: Vec<String> = machine.server.writes().iter().map(|one| one.line()).collect();
    assert_eq!(written, Vec::<String>::new());
    assert!(of(&events, "object_applied").is_empty());
    assert_eq!(events.last().unwrap()["outcome"]["prediction"], serde_json::json!({"predictions": [1, 1]}));
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
}

/// The cluster was made from a bundle: going on needs neither the flag nor the file.
#[tokio::test]
async fn a_second_run_needs_no_bundle() {
    let machine = Machine::new().await;
    let own = machine.home().join("own.tar");
    fs_err::copy(&machine.bundle, &own).unwrap();
    let port = machine.port.to_string();
    machine.quickstart(&["up", "--bundle", &own.display().to_string(), "--port", &port]).await.expect(0);
    fs_err::remove_file(own).unwrap();
    machine.server.forget_requests();
    machine.quickstart(&["up"]).await.expect(0);
    assert!(machine.server.writes().is_empty());
}

/// A journal that is lost costs requests, not changes: every object is sent again, and none of them is another one afterwards.
#[tokio::test]
async fn a_full_apply_of_the_same_changes_nothing() {
    let machine = Machine::up_and_running().await;
    machine.edit_state(|state| state["stages"] = serde_json::json!({}));
    let events = machine.up(&["-o", "json"]).await.expect(0).events();
    let applied = of(&events, "object_applied");
    assert!(applied.len() > 50, "{} objects", applied.len());
    let changed: Vec<_> = applied.iter().filter(|event| event["changed"] == true).map(|event| event["object"].to_string()).collect();
    assert_eq!(changed, Vec::<String>::new());
    let changes: Vec<String> = machine.server.changes().iter().map(|one| one.line()).collect();
    assert_eq!(changes, Vec::<String>::new());
}

/// A Deployment that somebody has deleted is put back, and no other component is touched.
#[tokio::test]
async fn only_the_broken_component_is_mended() {
    let machine = Machine::up_and_running().await;
    let path = "/apis/apps/v1/namespaces/knative-serving/deployments/activator";
    delete(&machine, path).await;
    let events = machine.up(&["-o", "json"]).await.expect(0).events();
    let mut stages: Vec<&str> = of(&events, "object_applied").iter().filter_map(|event| event["stage"].as_str()).collect();
    stages.dedup();
    assert_eq!(stages, ["knative"]);
    assert!(machine.server.get(path).is_some());
    let changed: Vec<_> = of(&events, "object_applied").iter().filter(|event| event["changed"] == true).map(|event| event["object"].clone()).collect();
    assert_eq!(changed, ["Deployment knative-serving/activator"], "only what was missing is another one now");
}

/// Deletes an object as `kubectl delete` would; the request is not counted as the program's.
pub(crate) async fn delete(machine: &Machine, path: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.delete(format!("{}{path}", machine.server.url())).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    machine.server.forget_requests();
}

/// A node that was stopped, by a restart of the machine for instance, is started again and kept.
#[tokio::test]
async fn a_stopped_node_is_started_and_kept() {
    let machine = Machine::up_and_running().await;
    machine.engine.state().states.insert("quickstart-control-plane".into(), "exited".into());
    machine.up(&[]).await.expect(0);
    assert!(machine.engine.state().states.is_empty(), "the container runs again");
    assert!(machine.server.writes().is_empty());
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
}

/// A cluster that was deleted with `kind delete cluster`: the journal of the old one must not be believed.
#[tokio::test]
async fn a_cluster_that_is_gone_is_made_again() {
    let machine = Machine::up_and_running().await;
    machine.kind.state.forget("quickstart");
    crate::support::sandbox::eventually("the old port closes", || std::net::TcpListener::bind(("127.0.0.1", machine.port)).is_ok()).await;
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
}

/// What the user changed with kubectl comes back as it should be, where the field is ours.
#[tokio::test]
async fn a_field_of_ours_that_was_changed_is_put_back() {
    let machine = Machine::up_and_running().await;
    let path = "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager";
    machine.server.edit(path, "kubectl-edit", |object| object["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always".into());
    machine.edit_state(|state| drop(state["stages"].as_object_mut().unwrap().remove("kserve")));
    machine.up(&[]).await.expect(0);
    let live = machine.server.get(path).unwrap();
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
}

/// Profile, versions and port belong to a cluster: another one is refused, with the way out.
#[tokio::test]
async fn another_profile_version_or_port_is_refused() {
    let machine = Machine::up_and_running().await;
    let said = crate::small::refused(machine.up(&["--profile", "raw"]).await, 2, "CLUSTER_DIFFERS");
    assert!(said.stderr.contains("serverless") && said.stderr.contains("quickstart down"), "{}", said.text());
    let other = crate::support::sandbox::free_port().to_string();
    let said = crate::small::refused(machine.quickstart(&["up", "--port", &other]).await, 3, "PORT_FIXED");
    assert!(said.stderr.contains(&machine.port.to_string()) && said.stderr.contains("forward run"), "{}", said.text());
    assert!(machine.server.writes().is_empty());
    machine.quickstart(&["up"]).await.expect(0);
}
