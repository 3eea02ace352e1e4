//! `stop` and `start`: nothing is lost, what has aged is repaired, and old news are not believed.

use serde_json::{Value, json};

use crate::{
    second_up::delete,
    small::{Machine, of, refused},
    support::{
        docker_engine::{ExecAnswer, certificates},
        faults::Logged,
        sandbox::{Output, eventually},
    },
};

const NODE: &str = "quickstart-control-plane";

/// Power requests to the engine, such as `stop` and `start`.
fn power(machine: &Machine) -> Vec<String> {
    let log = machine.engine.state().log.clone();
    let last = |request: &Logged| request.path.rsplit('/').next().unwrap_or_default().to_owned();
    log.iter()
        .filter(|request| request.method == "POST" && request.path.starts_with("/containers/") && !request.path.contains("c0de000"))
        .map(last)
        .filter(|verb| ["stop", "start", "unpause"].contains(&verb.as_str()))
        .collect()
}

/// The node sleeps and wakes; nothing is written on the way, and the prediction is proven again.
#[tokio::test]
async fn stop_and_start() {
    let machine = Machine::up_and_running().await;
    let output = machine.quickstart(&["stop"]).await.expect(0);
    assert!(output.stdout.is_empty() && output.stderr.contains("stopped quickstart-control-plane"), "{}", output.text());
    assert_eq!(machine.engine.state().states.get(NODE).map(String::as_str), Some("exited"));
    machine.quickstart(&["status"]).await.expect(6);
    let again = machine.quickstart(&["stop"]).await.expect(0);
    assert!(again.stderr.contains("quickstart is stopped already"), "{}", again.text());
    let output = machine.quickstart(&["start"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains("curl "), "{}", output.text());
    assert_eq!(power(&machine), ["stop", "start"]);
    assert!(machine.server.writes().is_empty(), "{:?}", machine.server.writes());
    machine.quickstart(&["status"]).await.expect(0);
    machine.knows_everything();
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
}

fn lease(holder: &str, renewed: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": holder},
        "spec": {"holderIdentity": format!("{holder}-5bd76d98d7-p842p_1"), "leaseDurationSeconds": 60, "renewTime": renewed}})
}

/// After `start` the prediction took 68 s more on the real cluster: Knative's controller waited for the lease of the one before it.
#[tokio::test]
async fn leases_of_the_dead_are_released() {
    let machine = Machine::up_and_running().await;
    let past = "2020-01-01T00:00:00.000000Z";
    for (namespace, name, renewed) in [
        ("knative-serving", "controller", past),
        ("kube-system", "cert-manager", "2999-01-01T00:00:00.000000Z"),
        ("kube-node-lease", "node", past),
    ] {
        machine.server.world().put("coordination.k8s.io", "leases", namespace, lease(name, renewed), "a controller");
    }
    let left = || machine.server.objects().into_iter().filter(|object| object.starts_with("leases")).collect::<Vec<_>>();
    machine.quickstart(&["stop"]).await.expect(0);
    machine.quickstart(&["start"]).await.expect(0);
    let after = left();
    assert!(after.len() == 2 && !after.iter().any(|lease| lease.ends_with("controller")), "{after:?}");
    machine.quickstart(&["reset", "--stack"]).await.expect(0);
    let after = left();
    assert!(after.len() == 1 && after[0].ends_with("node"), "{after:?}");
}

/// `start` on a cluster that runs proves it and changes nothing.
#[tokio::test]
async fn a_cluster_that_runs_is_only_proven() {
    let machine = Machine::up_and_running().await;
    let events = machine.quickstart(&["start", "-o", "json"]).await.expect(0).events();
    assert_eq!(events.last().unwrap()["outcome"]["prediction"], json!({"predictions": [1, 1]}));
    assert_eq!((&events[0]["event"], &events[0]["verb"]), (&json!("run_started"), &json!("start")));
    let skipped: Vec<&Value> = of(&events, "stage_skipped").iter().map(|event| &event["stage"]).collect();
    assert_eq!(skipped, [&json!("cluster")]);
    assert!(power(&machine).is_empty() && machine.server.writes().is_empty());
    machine.engine.state().states.insert(NODE.into(), "paused".into());
    machine.quickstart(&["start"]).await.expect(0);
    assert_eq!(power(&machine), ["unpause"]);
}

/// What is not there is exit 6, with the way to make it.
#[tokio::test]
async fn there_is_nothing_to_stop() {
    let machine = Machine::new().await;
    for verb in ["stop", "start", "reset"] {
        let output = refused(machine.quickstart(&[verb, "--name", "nobody"]).await, 6, "NOT_RUNNING");
        assert!(output.stderr.contains("quickstart up"), "{}", output.text());
    }
    let machine = Machine::up_and_running().await;
    machine.kind.state.forget("quickstart");
    for verb in ["stop", "start"] {
        let output = refused(machine.quickstart(&[verb]).await, 6, "NOT_RUNNING");
        assert!(output.stderr.contains("gone"), "{}", output.text());
    }
}

/// After a restart the API server repeats what it knew: Deployments were green for half a minute whose pods did not run.
#[tokio::test]
async fn news_from_before_the_restart_are_not_believed() {
    let machine = Machine::up_and_running().await;
    let started = |at: &str| {
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "etcd", "ready": true, "state": {"running": {"startedAt": at}}}]})
    };
    let etcd = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "etcd-quickstart", "labels": {"tier": "control-plane"}},
        "spec": {"containers": [{"name": "etcd", "image": "etcd"}]}, "status": started("2025-11-01T00:00:00Z")});
    machine.server.world().put("", "pods", "kube-system", etcd, "kubelet");
    machine.engine.state().started.insert(NODE.into(), "2025-12-01T00:00:00.5Z".into());
    let run = machine.spawn(&["start", "-o", "json"]);
    eventually("the pods are looked at", || machine.server.requests().iter().filter(|one| one.path == "/api/v1/pods").count() > 1).await;
    machine
        .server
        .edit("/api/v1/namespaces/kube-system/pods/etcd-quickstart", "kubelet", |pod| pod["status"] = started("2025-12-01T00:00:09Z"));
    let events = machine.finish(run, &["start"]).await.expect(0).events();
    let saw: Vec<&str> = of(&events, "check_pending").iter().filter_map(|event| event["saw"].as_str()).collect();
    assert!(saw.contains(&"pod etcd-quickstart has not started again yet"), "{saw:?}");
}

/// kind's entrypoint repairs an address that it knew before; one that it could not know is repaired in the node's files.
#[tokio::test]
async fn another_address_is_told_and_repaired() {
    let machine = Machine::up_and_running().await;
    machine.quickstart(&["stop"]).await.expect(0);
    machine.engine.state().addresses.insert(NODE.into(), "172.18.0.9".into());
    machine.engine.on_exec("advertise-client-urls", ExecAnswer::ok("172.18.0.2\n"));
    let output = machine.quickstart(&["start"]).await.expect(0);
    assert!(output.stderr.contains("172.18.0.2 became 172.18.0.9"), "{}", output.text());
    let ran = machine.engine.ran();
    let script = ran.iter().find(|ran| ran.argv.iter().any(|word| word.contains("advertise-client-urls"))).unwrap();
    assert_eq!(script.argv.last().map(String::as_str), Some("172.18.0.9"));
}

/// Kubernetes' certificates live for a year: a laptop that slept for long gets new ones, and our access with them.
#[tokio::test]
async fn certificates_that_end_soon_are_renewed() {
    let machine = Machine::up_and_running().await;
    machine.quickstart(&["stop"]).await.expect(0);
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 3 + 1);
    machine.engine.on_exec("check-expiration", ExecAnswer::ok(&certificates(&soon.to_string(), "2109-01-01T00:00:00Z")));
    let ours = machine.state_folder().join("kubeconfig");
    fs_err::write(&ours, fs_err::read_to_string(&ours).unwrap().replace("secret", "old")).unwrap();
    let output = machine.quickstart(&["start"]).await.expect(0);
    assert!(output.stderr.contains("would have ended in 3 days (admin.conf): they were renewed"), "{}", output.text());
    let ran: Vec<String> = machine.engine.ran().iter().map(|ran| ran.argv.join(" ")).collect();
    let renewed = ran.iter().position(|line| line.contains("kubeadm certs renew all --config /kind/kubeadm.conf")).unwrap();
    let restarted = ran.iter().position(|line| line.contains("in etcd kube-apiserver kube-controller kube-scheduler")).unwrap();
    assert!(renewed < restarted);
    assert!(!fs_err::read_to_string(&ours).unwrap().contains("old"), "our access is the new one");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&ours).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// `up` on a stopped cluster does what `start` does: it used to wake the containers and leave certificates and access as they were.
#[tokio::test]
async fn up_repairs_too() {
    let machine = Machine::up_and_running().await;
    machine.engine.state().states.insert(NODE.into(), "exited".into());
    machine.engine.on_exec("check-expiration", ExecAnswer::ok(&certificates("2026-01-01T00:00:00Z", "2109-01-01T00:00:00Z")));
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stderr.contains("had ended (admin.conf): they were renewed"), "{}", output.text());
}

/// What cannot be renewed is said, with the way out.
#[tokio::test]
async fn certificates_that_cannot_be_renewed() {
    let machine = Machine::up_and_running().await;
    machine.engine.on_exec("check-expiration", ExecAnswer::ok(&certificates("2026-01-01T00:00:00Z", "2109-01-01T00:00:00Z")));
    machine.engine.on_exec("certs renew", ExecAnswer::failed(1, "ca.key is not here\n"));
    let output = refused(machine.quickstart(&["start"]).await, 4, "CERTIFICATES_EXPIRED");
    assert!(output.stderr.contains("ca.key is not here") && output.stderr.contains("reset --keep-user"), "{}", output.text());
    machine.engine.on_exec("check-expiration", ExecAnswer::ok(&certificates("2099-01-01T00:00:00Z", "2026-01-01T00:00:00Z")));
    let output = refused(machine.quickstart(&["start"]).await, 4, "CERTIFICATES_EXPIRED");
    assert!(output.stderr.contains("authority"), "{}", output.text());
}

/// A private kubeconfig that points to a port of yesterday, or is lost, is written anew; the user's own entry follows, their context stays.
#[tokio::test]
async fn our_access_follows_the_cluster() {
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    machine.up(&[]).await.expect(0);
    let text = fs_err::read_to_string(&theirs).unwrap().replace("current-context: kind-quickstart", "current-context: mine");
    fs_err::write(&theirs, text.replace(&machine.server.url(), "http://127.0.0.1:1")).unwrap();
    machine.quickstart(&["stop"]).await.expect(0);
    let ours = machine.state_folder().join("kubeconfig");
    fs_err::write(&ours, fs_err::read_to_string(&ours).unwrap().replace(&machine.server.url(), "http://127.0.0.1:1")).unwrap();
    machine.quickstart(&["start"]).await.expect(0);
    let text = fs_err::read_to_string(&theirs).unwrap();
    assert!(text.contains(&machine.server.url()) && text.contains("current-context: mine"), "{text}");
    fs_err::remove_file(&ours).unwrap();
    machine.quickstart(&["start"]).await.expect(0);
}

/// A demo that the user has deleted is not missed, and a node that does not stay up says so.
#[tokio::test]
async fn what_start_does_not_wait_for() {
    let machine = Machine::up_and_running().await;
    delete(&machine, "/apis/serving.kserve.io/v1beta1/namespaces/kserve-test/inferenceservices/sklearn-iris").await;
    let output: Output = machine.quickstart(&["start"]).await.expect(0);
    assert!(output.stdout.contains("ready in") && !output.stdout.contains("curl"), "{}", output.text());
    machine.quickstart(&["stop"]).await.expect(0);
    machine.engine.state().dies.insert(NODE.into());
    let output = refused(machine.quickstart(&["start"]).await, 4, "NODE_DOWN");
    assert!(output.stderr.contains("docker logs quickstart-control-plane"), "{}", output.text());
}
