//! `plan` drawn, `plan -o manifests` explained, and `plan --diff` against a running cluster.

use serde_json::{Value, json};

use crate::small::{Machine, refused};
use crate::support::faults::Logged;

/// A diagram for a page, from nothing but the catalog: each stage once, an arrow for each thing that nothing else says.
#[tokio::test]
async fn three_drawings_of_one_plan() {
    let mut machine = Machine::new().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let plan = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
    let mermaid = machine.quickstart(&["plan", "-o", "mermaid"]).await.expect(0);
    insta::assert_snapshot!("mermaid", mermaid.stdout);
    let dot = machine.quickstart(&["plan", "-o", "dot"]).await.expect(0);
    insta::assert_snapshot!("dot", dot.stdout);
    let svg = machine.quickstart(&["plan", "-o", "svg"]).await.expect(0).stdout;
    let again = machine.quickstart(&["plan", "-o", "svg"]).await.expect(0).stdout;
    assert_eq!(svg, again, "the same plan is the same picture");
    assert!(svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"));
    for stage in plan["stages"].as_array().unwrap() {
        let id = stage["id"].as_str().unwrap();
        assert!(svg.contains(&format!(">{id}</tspan>")), "{id} is not in the picture");
    }
    let arrows = mermaid.stdout.matches(" --> ").count();
    assert_eq!((dot.stdout.matches(" -> ").count(), svg.matches("marker-end").count()), (arrows, arrows));
    assert!([&mermaid.stderr, &dot.stderr].iter().all(|talk| talk.is_empty()));
}

/// Above each object stands what differs from upstream's file, in which fields and why; what is left out is named first.
#[tokio::test]
async fn the_manifests_say_what_is_not_upstreams() {
    let machine = Machine::new().await;
    let text = machine.quickstart(&["plan", "-o", "manifests", "--bundle", &machine.bundle]).await.expect(0).stdout;
    let comments: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    insta::assert_snapshot!("marks", comments.join("\n"));
    let document = |start: &str| {
        let mut found = text.split("\n---\n").filter(|document| document.contains(start));
        found.next().unwrap_or_else(|| panic!("no {start}")).to_owned()
    };
    let istiod = document("kind: Deployment\nmetadata:\n  labels:\n    app: istiod");
    assert!(istiod.contains("# overlay lean-istiod changes spec.template.spec.containers[discovery].resources"), "{istiod}");
    assert!(!text.contains("caBundle") && !text.contains("\nstatus:"), "what is never sent is not shown");
    let all: Vec<Value> = crate::support::yaml::documents(&text).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for one in &all {
        let meta = &one["metadata"];
        assert!(seen.insert(format!("{}{}{}{}", one["apiVersion"], one["kind"], meta["namespace"], meta["name"])), "twice: {meta}");
    }
}

/// Without the files there is nothing to show, and the hint says how to get them.
#[tokio::test]
async fn manifests_that_are_not_at_hand() {
    let mut machine = Machine::new().await;
    machine.env("HTTPS_PROXY", "http://127.0.0.1:1");
    let output = machine.quickstart(&["plan", "-o", "manifests"]).await;
    assert!(output.stdout.is_empty() && output.code != Some(0), "{}", output.text());
    assert!(output.stderr.contains("name a bundle with --bundle FILE"), "{}", output.text());
}

const ISTIOD: &str = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
const CONFIG: &str = "/api/v1/namespaces/knative-serving/configmaps/config-domain";

/// Straight after `up` nothing differs; afterwards it says what somebody did, field by field, and stores nothing.
#[tokio::test]
async fn the_difference_to_a_running_cluster() {
    let machine = Machine::up_and_running().await;
    let same = machine.quickstart(&["plan", "--diff"]).await.expect(0);
    machine.snapshots().bind(|| insta::assert_snapshot!("same", same.stdout));
    machine.server.edit(ISTIOD, "kubectl-edit", |istiod| {
        istiod["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("2");
    });
    let path = "/api/v1/namespaces/kserve/services/kserve-webhook-server-service";
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let delete =
        async |path: &str| assert!(client.delete(format!("{}{path}", machine.server.url())).send().await.unwrap().status().is_success());
    delete(path).await;
    delete(CONFIG).await;
    let mine = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config-domain", "namespace": "knative-serving"},
        "data": {"mine.example": ""}});
    machine.create("/api/v1/namespaces/knative-serving/configmaps", &mine).await;
    machine.server.forget_requests();
    let differs = machine.quickstart(&["plan", "--diff"]).await.expect(7);
    machine.snapshots().bind(|| insta::assert_snapshot!("differs", differs.stdout));
    let document = machine.quickstart(&["plan", "--diff", "-o", "json"]).await.expect(7).json();
    assert_eq!((&document["same"], &document["exit"], &document["version"]), (&json!(false), &json!(7), &json!(1)));
    let of = |name: &str| document["objects"].as_array().unwrap().iter().find(|one| one["object"] == name).unwrap().clone();
    assert_eq!(of("Deployment istio-system/istiod")["state"], "changed");
    assert_eq!(of("Deployment istio-system/istiod")["fields"], json!(["spec.template.spec.containers[discovery].resources.requests.cpu"]));
    assert_eq!(of("ConfigMap knative-serving/config-domain")["state"], "foreign");
    assert_eq!(of("Namespace kserve"), json!({"object": "Namespace kserve", "state": "same"}));
    let stored: Vec<String> = machine.server.writes().iter().map(Logged::line).collect();
    assert_eq!(stored, Vec::<String>::new(), "a difference is asked for, not made");
}

/// No cluster: exit 6. A drawing of a difference: there is none.
#[tokio::test]
async fn a_difference_to_nothing() {
    let machine = Machine::new().await;
    refused(machine.quickstart(&["plan", "--diff", "--bundle", &machine.bundle]).await, 6, "NOT_RUNNING");
    refused(machine.quickstart(&["plan", "--diff", "-o", "dot"]).await, 2, "USAGE");
    assert!(machine.server.requests().is_empty(), "nothing was asked");
}
