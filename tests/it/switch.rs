//! Another profile for a cluster that runs: shown, agreed to, done, and done to the end wherever it was stopped.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    small::{Machine, refused, signal},
    support::sandbox::eventually,
};

const SERVICES: &str = "/apis/serving.kserve.io/v1beta1/namespaces";
const KNATIVE_HOST: &str = "sklearn-iris.kserve-test.example.com";
const RAW_HOST: &str = "sklearn-iris-kserve-test.example.com";

fn model(machine: &Machine, namespace: &str, name: &str) -> Option<Value> {
    machine.server.get(&format!("{SERVICES}/{namespace}/inferenceservices/{name}"))
}

/// A machine with a serverless model of the user's, and one that has asked for a plain Deployment.
async fn with_models() -> Machine {
    let machine = Machine::up_and_running().await;
    machine.create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})).await;
    machine.model("team", "mine", &json!({})).await;
    machine.model("team", "plain", &json!({})).await;
    let plain = format!("{SERVICES}/team/inferenceservices/plain");
    machine.server.edit(&plain, "kubectl", |object| {
        object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("Standard");
        object["status"] = json!({});
    });
    assert_eq!(model(&machine, "team", "plain").unwrap()["status"]["deploymentMode"], "Standard");
    assert_eq!(model(&machine, "team", "mine").unwrap()["status"]["deploymentMode"], "Knative");
    machine
}

fn is_raw(machine: &Machine) {
    let left: Vec<String> = machine.server.objects().into_iter().filter(|object| object.contains("knative")).collect();
    assert_eq!(left, Vec::<String>::new(), "nothing of Knative's stays");
    let state = machine.state();
    assert_eq!((&state["profile"], &state["demo_host"], &state["switching"]), (&json!("raw"), &json!(RAW_HOST), &Value::Null));
    assert!(state["components"].get("knative").is_none() && state["stages"].get("knative").is_none(), "{state}");
    assert_eq!(model(machine, "kserve-test", "sklearn-iris").unwrap()["status"]["deploymentMode"], "Standard");
}

/// `up --profile raw` on a serverless cluster was refused: `down` and `up`, with all images again, was the only way.
#[tokio::test]
async fn serverless_becomes_raw_and_raw_serverless() {
    let machine = Machine::up_and_running().await;
    let before = machine.server.objects();
    let plan = machine.quickstart(&["plan", "--profile", "raw"]).await.expect(0);
    for part in [
        "from profile serverless to raw",
        "goes      Knative Serving 1.21.2, net-istio 1.21.4",
        &format!("{KNATIVE_HOST} becomes {RAW_HOST}"),
    ] {
        assert!(plan.stdout.contains(part), "{part} is missing: {}", plan.text());
    }
    let plan = machine.quickstart(&["plan", "--profile", "raw", "-o", "json"]).await.expect(0).json();
    assert_eq!((&plan["switch"]["to"], &plan["switch"]["objects"][0]["fate"]), (&json!("raw"), &json!("recreated")));
    assert!(machine.server.writes().is_empty(), "a plan touches nothing");

    // On the real cluster the new controller waited 15 s for the lease of the old one, and the demo with it.
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kserve-controller-manager-leader-lock"},
        "spec": {"holderIdentity": "kserve-controller-manager-77f-old_2b1c"}});
    machine.create("/apis/coordination.k8s.io/v1/namespaces/kserve/leases", &lease).await;
    let output = machine.up(&["--profile", "raw"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains(RAW_HOST), "{}", output.text());
    assert!(machine.server.get("/apis/coordination.k8s.io/v1/namespaces/kserve/leases/kserve-controller-manager-leader-lock").is_none());
    assert!(output.stderr.contains("from profile serverless to raw"), "{}", output.text());
    is_raw(&machine);
    machine.quickstart(&["status", "--probe"]).await.expect(0);
    assert!(machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json().get("switch").is_none());

    // Nobody says which profile: it stays, and nothing is written.
    machine.server.forget_requests();
    let output = machine.quickstart(&["up"]).await.expect(0);
    assert!(output.stdout.contains(RAW_HOST), "{}", output.text());
    assert!(machine.server.writes().is_empty());

    let output = machine.up(&["--profile", "serverless"]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]") && output.stdout.contains(KNATIVE_HOST), "{}", output.text());
    let state = machine.state();
    assert_eq!((&state["profile"], &state["demo_host"]), (&json!("serverless"), &json!(KNATIVE_HOST)));
    let strip = |objects: Vec<String>| {
        objects.into_iter().filter(|object| !object.contains("pods") && !object.contains("lease")).collect::<Vec<_>>()
    };
    assert_eq!(strip(machine.server.objects()), strip(before), "there and back is where it began");
    assert_eq!(machine.kind.calls().iter().filter(|call| call.starts_with("create")).count(), 1);
    machine.knows_everything();
}

/// Without a word for it nothing of the user's is touched, and nothing of ours either.
#[tokio::test]
async fn what_is_the_users_is_named_first() {
    let machine = with_models().await;
    let service = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"}, "spec": {"template": {"spec": {"containers": [{"image": "hello"}]}}}});
    machine.create("/apis/serving.knative.dev/v1/namespaces/team/services", &service).await;
    let old = model(&machine, "team", "mine").unwrap();
    let plain = model(&machine, "team", "plain").unwrap();
    let state = machine.state();

    let output = refused(machine.up(&["--profile", "raw"]).await, 2, "WOULD_LOSE");
    for part in
        ["made again in the other mode: InferenceService team/mine", "lost: Knative Service team/hello", "--yes", "nothing was changed"]
    {
        assert!(output.stderr.contains(part), "{part} is missing: {}", output.text());
    }
    assert!(machine.server.writes().is_empty());
    assert_eq!(machine.state(), state, "and nothing is remembered of it");
    machine.quickstart(&["up"]).await.expect(0);

    let output = machine.up(&["--profile", "raw", "--yes"]).await.expect(0);
    assert!(output.stderr.contains("your InferenceServices are back: team/mine"), "{}", output.text());
    is_raw(&machine);
    let new = model(&machine, "team", "mine").unwrap();
    assert_eq!((&new["spec"], &new["status"]["deploymentMode"]), (&old["spec"], &json!("Standard")));
    assert_eq!(new["status"]["url"], "http://mine-team.example.com");
    assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
    assert_eq!(model(&machine, "team", "plain").unwrap()["metadata"]["uid"], plain["metadata"]["uid"], "it was one already");
    assert!(!machine.state_folder().join("kept.yaml").exists());

    // The other way round nothing of the user's is in the way: what is a Deployment stays one.
    machine.up(&["--profile", "serverless"]).await.expect(0);
    let stays = model(&machine, "team", "mine").unwrap();
    assert_eq!((&stays["metadata"]["uid"], &stays["status"]["deploymentMode"]), (&new["metadata"]["uid"], &json!("Standard")));
    assert_eq!(model(&machine, "kserve-test", "sklearn-iris").unwrap()["status"]["deploymentMode"], "Knative");
}

/// Asked for by name, Knative's mode would be refused by a cluster without Knative: the annotation goes.
#[tokio::test]
async fn a_mode_that_was_asked_for_by_name_is_not_asked_for_again() {
    let machine = with_models().await;
    machine.server.edit(&format!("{SERVICES}/team/inferenceservices/mine"), "kubectl", |object| {
        object["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = json!("Knative");
    });
    machine.up(&["--profile", "raw", "--yes"]).await.expect(0);
    assert_eq!(model(&machine, "team", "mine").unwrap()["status"]["deploymentMode"], "Standard");
}

/// Killed after so many requests, a bare `up` ends what was begun: no flag, no `--yes` again.
#[tokio::test]
async fn killed_anywhere_it_ends_what_was_begun() {
    for requests in [20, 45, 70, 100, 140, 180] {
        let machine = with_models().await;
        let run = machine.start(&["--profile", "raw", "--yes"]);
        eventually("so many requests", || machine.server.requests().len() >= requests || model(&machine, "team", "mine").is_none()).await;
        if requests > 45 {
            eventually("so many requests", || machine.server.requests().len() >= requests).await;
        }
        signal(&run, Signal::KILL);
        machine.finish(run, &["up"]).await;
        let begun = machine.state()["profile"] == "raw";
        let output = machine.quickstart(if begun { &["up"] } else { &["up", "--profile", "raw", "--yes"] }).await.expect(0);
        assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
        is_raw(&machine);
        assert_eq!(model(&machine, "team", "mine").unwrap()["status"]["deploymentMode"], "Standard", "after {requests} requests");
    }
}

/// Stopped in the middle and asked for the old profile again: it comes back, and what was kept with it.
#[tokio::test]
async fn half_way_and_back() {
    let machine = with_models().await;
    let run = machine.start(&["--profile", "raw", "--yes"]);
    eventually("Knative's namespace is gone", || machine.server.get("/api/v1/namespaces/knative-serving").is_none()).await;
    signal(&run, Signal::KILL);
    machine.finish(run, &["up"]).await;
    assert_eq!(machine.state()["switching"]["from"][0]["profile"], "serverless");
    let report = machine.quickstart(&["status"]).await.expect(7);
    assert!(report.text().contains("the switch from profile serverless to raw has not ended"), "{}", report.text());
    let output = machine.up(&["--profile", "serverless"]).await.expect(0);
    assert!(output.stdout.contains(KNATIVE_HOST), "{}", output.text());
    assert_eq!(model(&machine, "team", "mine").unwrap()["status"]["deploymentMode"], "Knative");
    assert_eq!(machine.state()["switching"], Value::Null);
    machine.quickstart(&["status"]).await.expect(0);
}

/// A stack that is taken down in the middle of a switch leaves nothing of the old profile.
#[tokio::test]
async fn reset_of_the_stack_half_way() {
    let machine = Machine::up_and_running().await;
    let run = machine.start(&["--profile", "raw"]);
    eventually("the switch is begun", || machine.state()["profile"] == "raw").await;
    signal(&run, Signal::KILL);
    machine.finish(run, &["up"]).await;
    machine.quickstart(&["reset", "--stack"]).await.expect(0);
    is_raw(&machine);
}

/// A cluster that was made without Knative's images needs the bundle again: without it nothing is touched.
#[tokio::test]
async fn without_its_bundle_a_raw_cluster_stays_one() {
    let machine = Machine::new().await;
    let own = machine.home().join("own.tar");
    fs_err::copy(&machine.bundle, &own).unwrap();
    let port = machine.port.to_string();
    machine.quickstart(&["up", "--bundle", &own.display().to_string(), "--port", &port, "--profile", "raw"]).await.expect(0);
    fs_err::remove_file(own).unwrap();
    machine.server.forget_requests();
    let output = refused(machine.quickstart(&["up", "--profile", "serverless"]).await, 2, "BUNDLE_UNREADABLE");
    assert!(output.stderr.contains("nothing was changed"), "{}", output.text());
    assert!(machine.server.writes().is_empty());
    machine.quickstart(&["up"]).await.expect(0);
    let output = machine.up(&["--profile", "serverless"]).await.expect(0);
    assert!(output.stdout.contains(KNATIVE_HOST), "{}", output.text());
}

/// A cluster that sleeps cannot say what is in it; the plan says so, and `up` wakes it and goes on.
#[tokio::test]
async fn a_cluster_that_sleeps() {
    let machine = Machine::up_and_running().await;
    machine.quickstart(&["stop"]).await.expect(0);
    let plan = machine.quickstart(&["plan", "--profile", "raw"]).await.expect(0);
    assert!(plan.stdout.contains("nobody knows what of yours is in it"), "{}", plan.text());
    machine.up(&["--profile", "raw"]).await.expect(0);
    is_raw(&machine);
}
