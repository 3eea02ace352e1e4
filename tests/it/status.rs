//! `status`: ready, degraded with the reason, stopped, not there.

use serde_json::{Value, json};

use crate::{
    second_up::delete,
    small::{Machine, refused},
    support::workloads::Trouble,
};

/// Every component with its version and what stands in for what; exit 0.
#[tokio::test]
async fn a_ready_cluster() {
    let machine = Machine::up_and_running().await;
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(0).json();
    assert_eq!(
        (&report["version"], &report["ready"], &report["running"], &report["exit"]),
        (&json!(1), &json!(true), &json!(true), &json!(0))
    );
    let names: Vec<&str> = report["components"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["cert-manager", "istio", "knative", "net-istio", "kserve"]);
    for component in report["components"].as_array().unwrap() {
        assert_eq!(component["ready"], true, "{component}");
        assert_ne!(component["deployments"], json!([]), "{component}");
        assert!(component["manifests"].to_string().contains("small manifests for tests"), "a stand-in is said to be one: {component}");
    }
    assert_eq!(report["url"], format!("http://127.0.0.1:{}", machine.port));
    assert_eq!((&report["demo"]["ready"], &report["ingress_ready"]), (&json!(true), &json!(true)));
    assert!(machine.server.writes().is_empty(), "looking changes nothing");
    let table = machine.quickstart(&["status"]).await.expect(0);
    machine.snapshots().bind(|| insta::assert_snapshot!("status_ready", table.stdout));
    let probed = machine.quickstart(&["status", "--probe", "-o", "json"]).await.expect(0).json();
    assert_eq!(probed["demo"]["prediction"], json!({"predictions": [1, 1]}));
}

/// Exit 7, and the reason stands in the report: the pod's own, not "not ready".
#[tokio::test]
async fn a_degraded_cluster_says_why() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble("istio-system/istiod", Trouble::crash_loop("OOMKilled", 137));
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(7).json();
    assert_eq!((&report["ready"], &report["exit"]), (&json!(false), &json!(7)));
    let problems: Vec<&str> = report["problems"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(problems.iter().any(|text| text.contains("istio-system/istiod") && text.contains("out of memory")), "{problems:?}");
    let table = machine.quickstart(&["status"]).await.expect(7);
    assert!(table.stdout.contains("out of memory"), "{}", table.text());
}

/// A Deployment that is not there at all is a reason too.
#[tokio::test]
async fn a_missing_deployment_is_named() {
    let machine = Machine::up_and_running().await;
    delete(&machine, "/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager-cainjector").await;
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(7).json();
    assert!(report["problems"].to_string().contains("cert-manager-cainjector"), "{}", report["problems"]);
}

/// No cluster: exit 6, and the next step.
#[tokio::test]
async fn no_cluster() {
    let machine = Machine::new().await;
    let output = refused(machine.quickstart(&["status"]).await, 6, "NOT_RUNNING");
    machine.snapshots().bind(|| insta::assert_snapshot!("status_nothing", output.text()));
    let json = machine.quickstart(&["status", "-o", "json"]).await.expect(6);
    assert_eq!(json.json()["error"]["exit"], 6);
}

/// A node that does not run: exit 6, not a hang.
#[tokio::test]
async fn a_stopped_cluster() {
    let machine = Machine::up_and_running().await;
    machine.kind.state.forget("quickstart");
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(6).json();
    assert_eq!((&report["running"], &report["ready"]), (&json!(false), &json!(false)));
    assert_ne!(report["problems"], json!([]));
}

/// A watch tells what changes, one document a line, until Ctrl-C; its exit code is that of the last look.
#[tokio::test]
async fn a_watch_goes_on_until_ctrl_c() {
    use tokio::io::AsyncBufReadExt as _;
    let machine = Machine::up_and_running().await;
    let mut run = machine.spawn(&["status", "--watch=1s", "-o", "json"]);
    let mut lines = tokio::io::BufReader::new(run.stdout.take().unwrap()).lines();
    let ready = |line: String| serde_json::from_str::<Value>(&line).unwrap()["ready"].clone();
    assert_eq!(ready(lines.next_line().await.unwrap().unwrap()), true);
    machine.server.trouble("kserve/kserve-controller-manager", Trouble::NeverReady);
    tokio::time::timeout(std::time::Duration::from_secs(60), async { while ready(lines.next_line().await.unwrap().unwrap()) == true {} })
        .await
        .expect("the trouble is seen");
    crate::small::signal(&run, rustix::process::Signal::INT);
    machine.finish(run, &["status"]).await.expect(7);
}
