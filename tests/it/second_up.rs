//! `up` again: nothing to do is nothing done, and what is broken is mended.

use serde_json::{Value, json};

use crate::{
    small::{Machine, of, refused},
    support::{
        faults::Logged,
        sandbox::{eventually, free_port},
        store::{Key, World},
    },
};

/// On a healthy cluster a second run writes nothing, and still proves the prediction.
#[tokio::test]
async fn a_second_run_writes_nothing() {
    let machine = Machine::up_and_running().await;
    let events = machine.up(&["-o", "json"]).await.expect(0).events();
    let written: Vec<String> = machine.server.writes().iter().map(Logged::line).collect();
    assert_eq!(written, Vec::<String>::new());
    assert!(of(&events, "object_applied").is_empty());
    assert_eq!(events.last().unwrap()["outcome"]["prediction"], serde_json::json!({"predictions": [1, 1]}));
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
}

/// The cluster was made from a bundle: going on needs neither the flag nor the file.
#[tokio::test]
async fn a_second_run_needs_no_bundle() {
    let machine = Machine::new().await;
    machine.up_from_a_bundle_that_goes().await;
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
    let other: Vec<String> = machine.server.changes().iter().map(Logged::line).collect();
    assert_eq!(other, Vec::<String>::new());
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
    let changed: Vec<_> =
        of(&events, "object_applied").iter().filter(|event| event["changed"] == true).map(|event| event["object"].clone()).collect();
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

/// The engine does not start what is paused: it asks for `unpause`, and every `up` failed with just that (seen on the real engine).
#[tokio::test]
async fn a_paused_node_runs_again() {
    let machine = Machine::up_and_running().await;
    machine.engine.state().states.insert("quickstart-control-plane".into(), "paused".into());
    machine.up(&[]).await.expect(0);
    assert!(machine.engine.state().states.is_empty(), "the container runs again");
}

/// `state.json` was lost while the cluster runs: its port was "taken by docker-proxy", and then the cluster was called somebody else's.
#[tokio::test]
async fn a_state_that_was_lost_is_made_again_from_the_cluster() {
    let machine = Machine::up_and_running().await;
    fs_err::remove_file(machine.state_folder().join("state.json")).unwrap();
    machine.up(&[]).await.expect(0);
    let state = machine.state();
    assert_eq!((&state["created"], &state["port"]), (&serde_json::json!(true), &serde_json::json!(machine.port)));
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}

/// Scaled to 0 by hand, a Deployment whose replicas an autoscaler owns was called ready and never came back.
#[tokio::test]
async fn a_deployment_that_was_scaled_to_zero_comes_back() {
    let machine = Machine::up_and_running().await;
    for name in ["activator", "webhook"] {
        let path = format!("/apis/apps/v1/namespaces/knative-serving/deployments/{name}");
        let url = format!("{}{path}?fieldManager=kubectl&force=true", machine.server.url());
        let zero = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "knative-serving"}, "spec": {"replicas": 0}});
        let answer =
            reqwest::Client::builder().no_proxy().build().unwrap().patch(url).header("content-type", "application/apply-patch+yaml");
        assert!(answer.body(zero.to_string()).send().await.unwrap().status().is_success());
    }
    machine.quickstart(&["status"]).await.expect(7);
    machine.up(&[]).await.expect(0);
    for name in ["activator", "webhook"] {
        let live = machine.server.get(&format!("/apis/apps/v1/namespaces/knative-serving/deployments/{name}")).unwrap();
        assert_ne!(live["spec"]["replicas"], 0, "{name}");
    }
    machine.quickstart(&["status"]).await.expect(0);
}

/// A namespace that was deleted was never made again: its stage had no check that missed it, and every `up` ran into "not found"
/// (seen on the real cluster).
#[tokio::test]
async fn a_namespace_that_was_deleted_comes_back_with_all_that_was_in_it() {
    let machine = Machine::up_and_running().await;
    for name in ["deployments/kserve-controller-manager", "namespaces/kserve"] {
        let path = if name.starts_with("names") { format!("/api/v1/{name}") } else { format!("/apis/apps/v1/namespaces/kserve/{name}") };
        delete(&machine, &path).await;
    }
    machine.up(&[]).await.expect(0);
    assert!(machine.server.get("/api/v1/namespaces/kserve").is_some());
    assert!(machine.server.get("/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager").is_some());
}

/// A cluster that was deleted with `kind delete cluster`: the journal of the old one must not be believed.
#[tokio::test]
async fn a_cluster_that_is_gone_is_made_again() {
    let machine = Machine::up_and_running().await;
    machine.kind.state.forget("quickstart");
    eventually("the old port closes", || std::net::TcpListener::bind(("127.0.0.1", machine.port)).is_ok()).await;
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
}

/// What somebody changed with kubectl comes back, where the field is ours; what is not ours is left to them.
#[tokio::test]
async fn a_field_of_ours_that_was_changed_is_put_back() {
    let machine = Machine::up_and_running().await;
    let path = "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager";
    let policy = |object: &Value| {
        let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        containers
            .iter()
            .position(|container| container["name"] == "manager")
            .map(|at| (at, containers[at]["imagePullPolicy"].clone()))
            .unwrap()
    };
    machine.server.edit(path, "kubectl-edit", |object| {
        let (at, _) = policy(object);
        object["spec"]["template"]["spec"]["containers"][at]["imagePullPolicy"] = "Always".into();
        object["metadata"]["annotations"]["mine"] = "kept".into();
    });
    machine.edit_state(|state| drop(state["stages"].as_object_mut().unwrap().remove("kserve")));
    machine.up(&[]).await.expect(0);
    let live = machine.server.get(path).unwrap();
    assert_eq!((policy(&live).1, &live["metadata"]["annotations"]["mine"]), ("IfNotPresent".into(), &Value::from("kept")));
}

/// Versions and port belong to a cluster: another one is refused, with the way out.
#[tokio::test]
async fn another_version_or_port_is_refused() {
    let machine = Machine::up_and_running().await;
    let other = free_port().to_string();
    let said = refused(machine.quickstart(&["up", "--port", &other]).await, 3, "PORT_FIXED");
    assert!(said.stderr.contains(&machine.port.to_string()) && said.stderr.contains("forward start"), "{}", said.text());
    assert!(machine.server.writes().is_empty());
    machine.quickstart(&["up"]).await.expect(0);
    machine.edit_state(|state| state["components"]["kserve"] = "0.19.0".into());
    let said = refused(machine.quickstart(&["up"]).await, 2, "CLUSTER_DIFFERS");
    assert!(said.stderr.contains("0.19.0") && said.stderr.contains("0.20.0"), "{}", said.text());
}

/// A role binding, a webhook's configuration or an account that was deleted stayed away: the stage's checks were green without it.
#[tokio::test]
async fn what_no_check_looks_at_is_put_back() {
    let machine = Machine::up_and_running().await;
    let applied: Vec<String> = machine.server.objects();
    let first = |plural: &str| applied.iter().find_map(|line| line.strip_prefix(plural)?.strip_prefix(" /")).unwrap().to_owned();
    let paths = [
        format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{}", first("clusterrolebindings.rbac.authorization.k8s.io")),
        format!(
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}",
            first("validatingwebhookconfigurations.admissionregistration.k8s.io")
        ),
        "/api/v1/namespaces/cert-manager/serviceaccounts/cert-manager".to_owned(),
    ];
    for path in &paths {
        delete(&machine, path).await;
    }
    machine.up(&[]).await.expect(0);
    for path in &paths {
        assert!(machine.server.get(path).is_some(), "{path}");
    }
    machine.server.forget_requests();
    machine.up(&[]).await.expect(0);
    assert!(machine.server.writes().is_empty());
}

/// Knative's namespace, or the Deployment of its webhook, was deleted: `up` waited 150 s for the webhook that was to come back with its own
/// stage's next wave, and failed, every time.
#[tokio::test]
async fn a_webhook_whose_pods_are_gone_does_not_keep_them_away() {
    for path in [
        "/api/v1/namespaces/knative-serving",
        "/apis/apps/v1/namespaces/knative-serving/deployments/webhook",
        "/apis/apps/v1/namespaces/knative-serving/deployments/net-istio-webhook",
    ] {
        let machine = Machine::up_and_running().await;
        delete(&machine, path).await;
        machine.up(&["--timeout", "45s"]).await.expect(0);
        assert!(machine.server.get(path).is_some(), "{path}");
    }
}

/// A private kubeconfig that was cut off was called the user's, to be corrected by hand: kind knows it, and is asked again.
#[tokio::test]
async fn a_damaged_private_kubeconfig_is_written_again() {
    let machine = Machine::up_and_running().await;
    for text in ["", "apiVersion: v1\nclusters: [", "\0"] {
        fs_err::write(machine.state_folder().join("kubeconfig"), text).unwrap();
        machine.up(&[]).await.expect(0);
    }
    assert!(machine.server.writes().is_empty());
}

/// A paused node was "started", which an engine refuses: it is let go on.
#[tokio::test]
async fn a_paused_node_goes_on() {
    let machine = Machine::up_and_running().await;
    machine.engine.state().states.insert("quickstart-control-plane".into(), "paused".into());
    machine.up(&[]).await.expect(0);
    assert!(machine.engine.state().states.is_empty());
}

/// A copy of the bundle's kind that a power failure has cut was run again and again, and every `up` failed with it.
#[tokio::test]
async fn a_damaged_copy_of_kind_is_made_again() {
    let machine = Machine::new().await;
    let own = machine.bundle().await.display().to_string();
    machine.remove_kind();
    let port = machine.port.to_string();
    let arguments = ["up", "--bundle", &own, "--port", &port];
    machine.quickstart(&arguments).await.expect(0);
    let copies: Vec<_> = crate::small::files(&machine.home().join(".cache"))
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kind-")))
        .collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    fs_err::write(&copies[0], "").unwrap();
    machine.quickstart(&arguments).await.expect(0);
}

/// On the real cluster namespace knative-serving could not be deleted: its webhook guards what was in it, and its pods were gone first. No
/// `up` converged any more, since the namespace is what comes first.
#[tokio::test]
async fn a_namespace_that_its_own_webhook_holds() {
    let machine = Machine::up_and_running().await;
    {
        let mut world = machine.server.world();
        for plural in ["deployments", "services"] {
            let group = if plural == "services" { "" } else { "apps" };
            for key in world.keys(group, plural).into_iter().filter(|key| key.namespace == "knative-serving") {
                world.delete(&key);
            }
        }
        leave(&mut world, "knative-serving");
    }
    let output = machine.up(&["--timeout", "60s"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    machine.quickstart(&["status"]).await.expect(0);
}

/// On the real cluster knative-serving was looked at while the activator still had its ten minutes: it was empty two seconds later and stayed
/// for five minutes, and `up` gave up after two and a half.
#[tokio::test]
async fn a_namespace_that_waits_for_a_pods_grace() {
    let machine = Machine::up_and_running().await;
    {
        let mut world = machine.server.world();
        for pod in world.keys("", "pods").into_iter().filter(|pod| pod.namespace == "knative-serving") {
            world.edit(&pod, "kube-apiserver", |pod| pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:10:00Z"));
        }
        leave(&mut world, "knative-serving");
    }
    machine.up(&["--timeout", "60s"]).await.expect(0);
}

/// A namespace whose deletion was asked for.
fn leave(world: &mut World, namespace: &str) {
    let key = Key::new("", "namespaces", "", namespace);
    world.edit(&key, "kube-apiserver", |object| object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
}
