//! Add-ons: planned without anything, installed beside a cluster that runs, remembered, shown, and named when something is wrong with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    small::{Machine, of, refused},
    support::{workloads::Trouble, yaml::documents},
    up::needs,
};

const ALL: &str = "metrics-server,prometheus,hardening";
const API: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";
const PROMETHEUS: &str = "/apis/apps/v1/namespaces/monitoring/deployments/prometheus";

fn names(report: &Value) -> Vec<&str> {
    report["components"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect()
}

fn waits(needs: &BTreeMap<String, Vec<String>>, stage: &str, other: &str) -> bool {
    needs[stage].iter().any(|need| need == other)
}

async fn source(machine: &Machine, words: &[&str]) -> Value {
    let plan = machine.quickstart(words).await.expect(0).json();
    plan["settings"].as_array().unwrap().iter().find(|one| one["key"] == "with").unwrap().clone()
}

/// Chosen by name, from whichever source; nothing is asked, and the way to the first prediction is not longer for it.
#[tokio::test]
async fn the_plan_has_what_was_asked_for() {
    let mut machine = Machine::new().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    machine.env("HTTPS_PROXY", "http://127.0.0.1:1");
    let bare = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    assert!(names(&bare).iter().all(|name| !ALL.contains(name)), "nobody asked: {:?}", names(&bare));
    let plan = machine.quickstart(&["plan", "--with", ALL, "-o", "json"]).await.expect(0).json();
    assert_eq!(names(&plan)[5..], ["metrics-server", "prometheus", "hardening"]);
    let (before, after) = (needs(&bare), needs(&plan));
    for stage in ["demo", "predict"] {
        assert_eq!(after[stage], before[stage], "{stage} does not wait for add-ons");
    }
    assert!(waits(&after, "prometheus", "images/prometheus") && waits(&after, "images/metrics-server", "images/demo"), "{after:?}");
    assert!(waits(&after, "hardening", "kserve"));
    let images = plan["pulls"].as_array().unwrap().iter().find(|group| group["group"] == "prometheus").unwrap();
    assert_eq!(images["images"][0]["reference"], "quay.io/prometheus/prometheus:v3.16.0");
    for form in ["mermaid", "dot", "svg", "tree"] {
        let drawn = machine.quickstart(&["plan", "--with", "prometheus", "-o", form]).await.expect(0).stdout;
        assert!(drawn.contains("prometheus"), "{form}: {drawn}");
    }
    machine.env("QUICKSTART_WITH", "hardening");
    fs_err::write(machine.home().join("quickstart.yaml"), "with: [prometheus, metrics-server]\n").unwrap();
    assert_eq!(
        source(&machine, &["plan", "-o", "json"]).await,
        json!({"key": "with", "value": "hardening", "source": "environment QUICKSTART_WITH"})
    );
    let typed = source(&machine, &["plan", "-o", "json", "--with", "prometheus", "--with", "hardening"]).await;
    assert_eq!(typed, json!({"key": "with", "value": "prometheus, hardening", "source": "flag"}));
    machine.env_remove("QUICKSTART_WITH");
    assert_eq!(source(&machine, &["plan", "-o", "json"]).await["value"], "prometheus, metrics-server");
}

/// A slip is answered with the name that was meant and with all there are; a component of the stack is no add-on.
#[tokio::test]
async fn an_unknown_name_is_a_usage_error_with_the_list() {
    let machine = Machine::new().await;
    for words in [["plan", "--with", "promethues"], ["up", "--with", "promethues"]] {
        let output = refused(machine.quickstart(&words).await, 2, "USAGE");
        assert!(output.stderr.contains("did you mean `prometheus`?"), "{}", output.text());
        assert!(output.stderr.contains("metrics-server, prometheus, hardening"), "{}", output.text());
    }
    refused(machine.quickstart(&["plan", "--with", "knative"]).await, 2, "USAGE");
}

/// The objects are ours, told as such, with what a cluster of ours needs changed; Knative's own exporters are switched on.
#[tokio::test]
async fn the_manifests_are_complete() {
    let machine = Machine::new().await;
    let text = machine.quickstart(&["plan", "--with", ALL, "-o", "manifests", "--bundle", &machine.bundle]).await.expect(0).stdout;
    assert!(text.contains("add-on prometheus"), "whose objects they are is said");
    let all: Vec<Value> = documents(&text).unwrap();
    let find = |kind: &str, name: &str| {
        all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap_or_else(|| panic!("{kind} {name} is missing"))
    };
    assert!(find("Deployment", "metrics-server").to_string().contains("--kubelet-insecure-tls"));
    let config = find("ConfigMap", "prometheus");
    assert!(config["data"]["prometheus.yml"].as_str().unwrap().contains("kubernetes_sd_configs"));
    assert!(config["data"]["rules.yml"].as_str().unwrap().contains("alert: ModelDown"));
    let dashboard: Value = serde_json::from_str(find("ConfigMap", "grafana-dashboard")["data"]["kserve.json"].as_str().unwrap()).unwrap();
    assert_eq!(dashboard["title"], "KServe models");
    for key in ["metrics-protocol", "request-metrics-protocol"] {
        assert_eq!(find("ConfigMap", "config-observability")["data"][key], "prometheus");
    }
    let plain = machine.quickstart(&["plan", "-o", "manifests", "--bundle", &machine.bundle]).await.expect(0).stdout;
    assert!(!plain.contains("request-metrics-protocol: prometheus"), "nobody asked for metrics");
}

/// On a cluster that runs only what is new is done; leaving a name out later takes nothing away, and neither does `reset`.
#[tokio::test]
async fn it_comes_to_a_running_cluster_and_stays() {
    let machine = Machine::up_and_running().await;
    let events = machine.up(&["--with", ALL, "--no-prefetch", "-o", "json"]).await.expect(0).events();
    let notes: Vec<&str> = of(&events, "noted").iter().filter_map(|event| event["message"].as_str()).collect();
    let lacks = |name: &str| notes.iter().any(|note| note.contains(&format!("of add-on {name}: they are pulled")));
    assert!(lacks("prometheus") && lacks("metrics-server") && !lacks("hardening"), "the bundle has none of their images: {notes:?}");
    let mut stages: Vec<&str> = of(&events, "object_applied").iter().filter_map(|event| event["stage"].as_str()).collect();
    stages.sort_unstable();
    stages.dedup();
    assert_eq!(
        stages,
        ["crds", "hardening", "knative", "metrics-server", "net-istio", "prometheus"],
        "Knative is told to export what it counts"
    );
    assert!(machine.server.get(PROMETHEUS).is_some() && machine.server.get(API).is_some());
    let policies = "/apis/networking.k8s.io/v1/namespaces/models/networkpolicies/default-deny";
    assert!(machine.server.get(policies).is_some());
    assert_eq!(machine.state()["components"]["prometheus"], "3.16.0");

    machine.server.forget_requests();
    let again = machine.up(&["-o", "json"]).await.expect(0).events();
    assert!(of(&again, "object_applied").is_empty(), "they are there, and known");
    assert!(!of(&again, "noted").iter().any(|event| event["message"].to_string().contains("add-on")), "what is there need not be pulled");
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(0).json();
    assert_eq!(names(&report)[5..], ["metrics-server", "prometheus", "hardening"]);
    let table = machine.quickstart(&["status"]).await.expect(0).stdout;
    assert!(table.lines().any(|line| line.starts_with("Hardening") && line.contains("✓ ready")), "{table}");

    machine.quickstart(&["reset", "--stack"]).await.expect(0);
    assert!(machine.server.get(PROMETHEUS).is_some(), "reset makes what was chosen");
    assert_eq!(machine.state()["components"]["hardening"], "1");
}

/// The API comes after the pods that serve it: one that nobody answers breaks discovery, and with it the deletion of namespaces.
#[tokio::test]
async fn an_api_is_registered_only_when_its_server_is_ready() {
    let machine = Machine::new().await;
    machine.server.trouble("kube-system/metrics-server", Trouble::image_pull("failed to resolve reference: not found"));
    let output = refused(machine.up(&["--with", "metrics-server", "--no-prefetch"]).await, 4, "IMAGE_NOT_FOUND");
    assert!(output.stderr.contains("metrics-server"), "{}", output.text());
    assert!(machine.server.get(API).is_none());
    let report = machine.quickstart(&["status", "-o", "json"]).await.expect(7).json();
    let component = &report["components"].as_array().unwrap()[5];
    assert_eq!((&component["name"], &component["ready"], &component["addon"]), (&json!("metrics-server"), &json!(false), &json!(true)));
    assert!(report["problems"].to_string().contains("v1beta1.metrics.k8s.io is not there"), "{}", report["problems"]);
}

/// An API that is registered and does not answer is no healthy add-on, though its Deployment is there.
#[tokio::test]
async fn status_asks_for_more_than_the_deployment() {
    let machine = Machine::new().await;
    machine.up(&["--with", "hardening,metrics-server", "--no-prefetch"]).await.expect(0);
    machine.server.edit(API, "kube-apiserver", |object| object["spec"]["service"]["name"] = json!("nobody"));
    crate::second_up::delete(&machine, "/api/v1/namespaces/models/resourcequotas/models").await;
    let table = machine.quickstart(&["status"]).await.expect(7);
    assert!(table.stdout.contains("metrics-server: v1beta1.metrics.k8s.io is not Available"), "{}", table.text());
    assert!(table.stdout.contains("Hardening: models is not there"), "{}", table.text());
    machine.up(&["-o", "json"]).await.expect(0);
    assert!(machine.server.get("/api/v1/namespaces/models/resourcequotas/models").is_some(), "`up` puts back what is missing");
}

/// A bundle brings an add-on's images as a group of its own, which is read only where the add-on is wanted.
#[tokio::test]
async fn its_images_come_out_of_the_bundle() {
    let machine = Machine::new().await;
    let spec = machine.bundle_spec();
    let mut value: Value = serde_json::from_str(&fs_err::read_to_string(&spec).unwrap()).unwrap();
    machine.engine.add_image("small/metrics:1", "amd64");
    let image = json!({"reference": "registry.k8s.io/metrics-server/metrics-server:v0.8.0", "local": "small/metrics:1", "group": "metrics-server", "substitute": null});
    value["images"].as_array_mut().unwrap().push(image);
    fs_err::write(&spec, value.to_string()).unwrap();
    let out = machine.path().join("with.tar").display().to_string();
    machine.quickstart(&["bundle", "create", "--from", &spec.display().to_string(), &out]).await.expect(0);
    let stages = async |with: &[&str]| {
        let words: Vec<&str> = ["plan", "-o", "json", "--bundle", &out].iter().chain(with).copied().collect();
        needs(&machine.quickstart(&words).await.expect(0).json())
    };
    assert!(!stages(&[]).await.contains_key("images/metrics-server"), "nobody asked for it");
    let with = stages(&["--with", "metrics-server"]).await;
    assert!(waits(&with, "metrics-server", "images/metrics-server"), "{with:?}");
    let port = machine.port.to_string();
    let output = machine.quickstart(&["up", "--bundle", &out, "--port", &port, "--with", "metrics-server"]).await.expect(0);
    assert!(!output.stderr.contains("are pulled"), "{}", output.text());
}

/// A ServiceMonitor is for the Prometheus Operator: where its definition is not served there is none, and that is no difference to the plan.
#[tokio::test]
async fn a_service_monitor_only_where_its_kind_is_served() {
    let machine = Machine::new().await;
    let path = "/apis/monitoring.coreos.com/v1/namespaces/monitoring/servicemonitors/quickstart-inferenceservices";
    machine.up(&["--with", "prometheus", "--no-prefetch"]).await.expect(0);
    assert!(machine.server.get(path).is_none());
    let compared = machine.quickstart(&["plan", "--diff", "-o", "json"]).await.expect(0).json();
    assert!(!compared["objects"].to_string().contains("ServiceMonitor"), "{}", compared["objects"]);
    let names =
        json!({"plural": "servicemonitors", "singular": "servicemonitor", "kind": "ServiceMonitor", "listKind": "ServiceMonitorList"});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
        "spec": {"group": "monitoring.coreos.com", "names": names, "scope": "Namespaced", "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    machine.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
    // A definition is established once somebody has looked.
    machine.quickstart(&["plan", "--diff"]).await;
    machine.up(&[]).await.expect(0);
    assert!(machine.server.get(path).is_some(), "the kind has come, and with it the object");
}
