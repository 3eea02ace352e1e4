//! `doctor`: exit codes, forms, and what it sees of a machine and of a cluster; what each check means is tested beside it.

use serde_json::{Value, json};

use crate::{
    second_up::delete,
    small::Machine,
    support::{docker_engine::ExecAnswer, sandbox::Output, workloads::Trouble},
};

/// The check of that name, or `null`.
pub(crate) fn check(output: &Output, id: &str) -> Value {
    let document = output.json();
    let categories = document["categories"].as_array().cloned().unwrap_or_default();
    let checks = categories.into_iter().flat_map(|category| category["checks"].as_array().cloned().unwrap_or_default());
    checks.into_iter().find(|check| check["id"] == id).unwrap_or_default()
}

/// Downloads and registries go by a proxy that is not there: an offline machine, whatever this one's network is.
pub(crate) fn offline(machine: &mut Machine) {
    machine.env("HTTPS_PROXY", "http://127.0.0.1:1");
    machine.env("NO_PROXY", "localhost,127.0.0.1");
}

/// A machine without a network and without a bundle cannot do it; with the bundle it can.
#[tokio::test]
async fn a_bare_machine() {
    let mut machine = Machine::new().await;
    offline(&mut machine);
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(3);
    let registries = check(&report, "registries");
    assert_eq!((&registries["result"], registries["hint"].to_string().contains("--bundle")), (&json!("error"), true), "{registries}");
    assert!(registries["saw"].to_string().contains("docker.io"), "{registries}");
    let engine = check(&report, "engine-cgroups");
    assert_eq!((&engine["result"], &engine["saw"]), (&json!("ok"), &json!("version 2, driver systemd")));
    assert_eq!(check(&report, "inotify")["result"], "warning", "the fake engine has a kernel of its own: {}", report.text());
    assert!(
        machine.server.requests().is_empty() && machine.kind.calls().iter().all(|call| call.starts_with("version")),
        "it changes nothing"
    );
    let bundle = machine.bundle.clone();
    machine.env("QUICKSTART_BUNDLE", &bundle);
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(0);
    assert_eq!(check(&report, "registries"), Value::Null, "a bundle needs no registry");
    machine.knows_everything();
}

#[tokio::test]
async fn no_engine() {
    let mut machine = Machine::new().await;
    offline(&mut machine);
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let report = machine.quickstart(&["doctor"]).await.expect(3);
    assert!(
        report.stdout.contains("unix:///nowhere/docker.sock") && report.stdout.contains("error[ENGINE_UNREACHABLE]"),
        "{}",
        report.text()
    );
}

/// The engine's clock is compared with ours.
#[tokio::test]
async fn a_clock_that_is_wrong() {
    let mut machine = Machine::new().await;
    offline(&mut machine);
    machine.engine.state().info.insert("SystemTime".into(), json!("2020-01-01T00:00:00.000000000Z"));
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(3);
    let clock = check(&report, "engine-clock");
    assert_eq!((&clock["result"], &clock["error_id"]), (&json!("error"), &json!("CLOCK_SKEW")), "{clock}");
    assert!(clock["saw"].to_string().contains("behind"), "{clock}");
}

/// Every part of a cluster is looked at, quickly, and nothing is written.
#[tokio::test]
async fn a_healthy_cluster() {
    let machine = Machine::up_and_running().await;
    machine.engine.on_exec("/proc/sys/fs/inotify", ExecAnswer::ok("512\n524288\n"));
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(0);
    let document = report.json();
    assert_eq!((&document["success"], &document["exit"], &document["fixed"]), (&json!(true), &json!(0), &Value::Null));
    let cluster = document["categories"].as_array().unwrap().iter().find(|one| one["name"] == "cluster quickstart").unwrap().clone();
    assert!(cluster["checks"].as_array().unwrap().iter().all(|check| check["result"] == "ok"), "{cluster:#}");
    assert!(check(&report, "inotify-instances")["saw"].to_string().contains("read in quickstart-control-plane"), "{}", report.text());
    assert!(check(&report, "webhook-kserve-kserve-webhook-server-service")["saw"].to_string().contains("hooks"), "{}", report.text());
    machine.snapshots().bind(|| insta::assert_json_snapshot!("doctor_cluster", cluster));
    assert!(machine.server.writes().is_empty(), "looking changes nothing");
    machine.knows_everything();
}

/// A webhook without a pod: its Service is named, the ID is the one that `up` would end with, exit 7; `--wait` sees it settle.
#[tokio::test]
async fn a_broken_webhook() {
    let machine = Machine::up_and_running().await;
    let deployment = "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager";
    machine.server.edit(deployment, "kubectl", |object| object["spec"]["replicas"] = json!(0));
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(7);
    let webhook = check(&report, "webhook-kserve-kserve-webhook-server-service");
    assert_eq!(
        (&webhook["result"], &webhook["error_id"], &webhook["settles"]),
        (&json!("error"), &json!("WEBHOOK_UNREACHABLE"), &json!(true))
    );
    let short = machine.quickstart(&["doctor", "-o", "short"]).await.expect(7);
    assert!(short.stdout.contains("× webhook kserve/kserve-webhook-server-service") && !short.stdout.contains('✓'), "{}", short.text());

    let waiting = machine.spawn(&["doctor", "--wait", "30s"]);
    let before = machine.server.requests().len();
    crate::support::sandbox::eventually("it looks", || machine.server.requests().len() > before).await;
    machine.server.edit(deployment, "kubectl", |object| object["spec"]["replicas"] = json!(1));
    machine.finish(waiting, &["doctor", "--wait"]).await.expect(0);
}

/// A webhook whose authority nobody wrote.
#[tokio::test]
async fn a_webhook_without_authority() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble("cert-manager/cert-manager-cainjector", Trouble::NeverReady);
    let hook = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/inferenceservice.serving.kserve.io";
    machine.server.edit(hook, "kubectl", |object| object["webhooks"][0]["clientConfig"]["caBundle"] = json!(""));
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(7);
    let webhook = check(&report, "webhook-kserve-kserve-webhook-server-service");
    assert_eq!((&webhook["result"], &webhook["error_id"]), (&json!("error"), &json!("WEBHOOK_CERT")), "{webhook}");
    assert!(webhook["saw"].to_string().contains("inferenceservice.serving.kserve.io"), "{webhook}");
}

/// A certificate of the node that has ended, as after a year.
#[tokio::test]
async fn a_certificate_that_has_ended() {
    const ENDED: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBGTCBwAIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5rdWJlLWFwaXNlcnZl\n\
        cjAeFw0yNDAxMDEwMDAwMDBaFw0yNTAxMDEwMDAwMDBaMBkxFzAVBgNVBAMMDmt1\n\
        YmUtYXBpc2VydmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgAe1HOD9lKOH\n\
        PLSk17wIoJF/pylDQ0HHb5hv042BoWdM7LLLsX25+Cp7GTuOII7W3jyPCgohDjFT\n\
        jF/27n0ZcjAKBggqhkjOPQQDAgNIADBFAiAs75yQKwAJ5ZXgS21TElbZBEYTH7T4\n\
        wqoSgHTxLTzJkwIhANV3BaAKLHsNyj7QLJkbjaMb4RPpQRXjJXjph7NBUAKp\n\
        -----END CERTIFICATE-----\n";
    let machine = Machine::up_and_running().await;
    machine.engine.on_exec("/etc/kubernetes/pki/apiserver.crt", ExecAnswer::ok(ENDED));
    let report = machine.quickstart(&["doctor", "-o", "json"]).await.expect(7);
    let certificates = check(&report, "certificates");
    assert_eq!((&certificates["result"], &certificates["error_id"]), (&json!("error"), &json!("CERT_EXPIRED")));
    assert!(certificates["saw"].to_string().contains("CN=kube-apiserver (in the node) ended"), "{certificates}");
}

/// A Service that waits for an address: normal on kind.
#[tokio::test]
async fn a_pending_gateway_is_normal_on_kind() {
    let machine = Machine::up_and_running().await;
    let service = "/api/v1/namespaces/istio-system/services/istio-ingressgateway";
    machine.server.edit(service, "kubectl", |object| object["spec"]["type"] = json!("LoadBalancer"));
    let gateway = check(&machine.quickstart(&["doctor", "-o", "json"]).await.expect(0), "gateway-address");
    assert_eq!((&gateway["result"], gateway["saw"].to_string().contains("normal on kind")), (&json!("ok"), true), "{gateway}");
    machine.edit_state(|state| state["target"] = json!("kind-quickstart"));
    let gateway = check(&machine.quickstart(&["doctor", "-o", "json"]).await, "gateway-address");
    assert_eq!((&gateway["result"], &gateway["error_id"]), (&json!("warning"), &json!("GATEWAY_PENDING")), "{gateway}");
}

/// A Deployment that is not there: exit 7, as `status` says it.
#[tokio::test]
async fn a_degraded_cluster() {
    let machine = Machine::up_and_running().await;
    delete(&machine, "/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager-cainjector").await;
    let report = machine.quickstart(&["doctor"]).await.expect(7);
    assert!(report.stdout.contains("cert-manager-cainjector") && report.stdout.contains("error[NOT_READY]"), "{}", report.text());
}

/// `--list` names every error ID once.
#[tokio::test]
async fn it_lists_the_ids() {
    let machine = Machine::new().await;
    let list = machine.quickstart(&["doctor", "--list"]).await.expect(0);
    for id in ["IMAGE_RATE_LIMIT", "PORT_BUSY", "CLUSTER_FOREIGN", "BUNDLE_DAMAGED", "GATEWAY_404", "GATEWAY_PENDING"] {
        assert!(list.stdout.contains(id), "{id} is missing:\n{}", list.stdout);
    }
}
