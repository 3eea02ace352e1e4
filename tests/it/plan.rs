//! `plan`: what `up` would do, without doing anything.

use serde_json::{Value, json};

use crate::{small::Machine, support::yaml::documents, up::needs};

/// Nowhere to go: no engine, no network, no cache, no home to write to.
async fn isolated() -> Machine {
    let mut machine = Machine::new().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    machine.env("HTTPS_PROXY", "http://127.0.0.1:1");
    machine.env("HTTP_PROXY", "http://127.0.0.1:1");
    machine.remove_kind();
    machine
}

/// `stage <- what it needs`, a line each.
fn arrows(plan: &Value) -> String {
    let lines: Vec<String> = needs(plan).iter().map(|(stage, needs)| format!("{stage} <- {}", needs.join(" "))).collect();
    lines.join("\n")
}

/// The plan comes out of the catalog alone, and is the same every time.
#[tokio::test]
async fn it_needs_nothing_but_the_catalog() {
    let machine = isolated().await;
    let plan = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    insta::assert_snapshot!("stages", arrows(&plan));
    let bundled = machine.quickstart(&["plan", "--bundle", &machine.bundle, "-o", "json"]).await.expect(0).json();
    insta::assert_snapshot!("stages_of_a_bundle", arrows(&bundled));
    let again = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    assert_eq!(plan, again);
    let tree = machine.quickstart(&["plan"]).await.expect(0);
    machine.snapshots().bind(|| insta::assert_snapshot!("plan_tree", tree.stdout));
    assert_eq!(crate::small::files(&machine.home()), Vec::<std::path::PathBuf>::new(), "plan touches nothing");
}

/// A stage stands behind what it needs, in the list too.
#[tokio::test]
async fn the_list_is_an_order() {
    let machine = isolated().await;
    let plan = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    let mut seen: Vec<&Value> = Vec::new();
    for stage in plan["stages"].as_array().unwrap() {
        assert!(stage["needs"].as_array().unwrap().iter().all(|need| seen.contains(&need)), "{}", stage["id"]);
        seen.push(&stage["id"]);
    }
}

/// `-o manifests` is what will be sent: upstream's objects with our overlays, parseable, in order.
#[tokio::test]
async fn the_manifests_have_the_overlays_in_them() {
    let machine = isolated().await;
    let text = machine.quickstart(&["plan", "-o", "manifests", "--bundle", &machine.bundle]).await.expect(0).stdout;
    let all: Vec<Value> = documents(&text).unwrap();
    assert!(all.len() > 80, "{} objects", all.len());
    let find = |kind: &str, name: &str| {
        all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap_or_else(|| panic!("{kind} {name} is missing"))
    };
    let gateway = find("Service", "istio-ingressgateway");
    assert_eq!(gateway["spec"]["type"], "NodePort");
    assert!(gateway["spec"]["ports"].as_array().unwrap().iter().any(|port| port["nodePort"] == 31080), "{gateway}");
    for kind in ["HorizontalPodAutoscaler", "PodDisruptionBudget", "LocalModelCache", "LLMInferenceServiceConfig"] {
        assert!(all.iter().all(|one| one["kind"] != kind), "{kind} is left out");
    }
    let manager = find("Deployment", "kserve-controller-manager").to_string();
    assert!(!manager.contains("\"Always\""), "images of the bundle are not asked for again: {manager}");
    assert!(manager.contains("\"initialDelaySeconds\":1"), "{manager}");
    assert_eq!(find("InferenceService", "sklearn-iris")["spec"]["predictor"]["minReplicas"], json!(1));
    let registries = find("ConfigMap", "config-deployment")["data"]["registries-skipping-tag-resolving"].as_str().unwrap();
    for registry in ["kind.local", "ko.local", "dev.local", "index.docker.io", "quay.io", "gcr.io"] {
        assert!(registries.split(',').any(|one| one == registry), "{registry} is missing in {registries}");
    }
    assert_eq!(all[0]["kind"], "Namespace");
}

/// Flags win over the environment, it wins over the file, it wins over defaults; the plan says which.
#[tokio::test]
async fn it_says_where_each_value_came_from() {
    let mut machine = isolated().await;
    fs_err::write(machine.home().join("quickstart.yaml"), "port: 9001\nprofile: serverless\ntimeout: 20m\n").unwrap();
    machine.env("QUICKSTART_PORT", "9002");
    let plan = machine.quickstart(&["plan", "--timeout", "7m", "-o", "json"]).await.expect(0).json();
    let source = |key: &str| plan["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap()["source"].clone();
    assert_eq!(source("port"), "environment QUICKSTART_PORT");
    assert_eq!(source("profile"), "file quickstart.yaml");
    assert_eq!(source("timeout"), "flag");
    assert_eq!(source("name"), "default");
    assert_eq!((&plan["timeout"], &plan["target"]["port"]), (&json!(420), &json!(9002)));
}

/// What it costs, on a machine with an engine and a bundle: nothing to pull, and the pods fit. The second time there is a run to go by.
#[tokio::test]
async fn the_budget_of_a_bundle() {
    let machine = Machine::new().await;
    let bundled = ["plan", "--bundle", &machine.bundle];
    let tree = machine.quickstart(&bundled).await.expect(0).stdout;
    let lines: Vec<&str> = tree.lines().skip_while(|line| *line != "budget").take_while(|line| !line.is_empty()).collect();
    machine.snapshots().bind(|| insta::assert_snapshot!("budget_of_a_bundle", lines.join("\n")));
    assert_eq!(crate::small::files(&machine.home()), Vec::<std::path::PathBuf>::new(), "plan touches nothing");
    machine.up(&[]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    let plan = machine.quickstart(&["plan", "--bundle", &machine.bundle, "-o", "json"]).await.expect(0).json();
    assert_eq!(plan["budget"]["expected"]["runs"], 1, "{}", plan["budget"]);
    assert_eq!((&plan["budget"]["bytes_to_pull"], &plan["budget"]["pulls"]), (&json!(0), &json!([])));
    let requested = |of: &str| plan["budget"]["requests"].as_array().unwrap().iter().find(|part| part["of"] == of).unwrap().clone();
    assert_eq!(requested("demo"), json!({"of": "demo", "pods": 1, "cpu_millis": 125, "memory": 256 << 20}));
}
