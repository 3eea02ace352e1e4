//! `reset`: a fresh cluster or a fresh stack, without a download, and without losing what is the user's.

use serde_json::{Value, json};

use crate::{
    small::{Machine, of, refused},
    support::{
        faults::{Fault, FaultKind, Logged},
        store::Key,
    },
};

const MINE: &str = "/apis/serving.kserve.io/v1beta1/namespaces/team/inferenceservices/mine";

/// A machine with a model of the user's, in a namespace of its own and with credentials.
async fn with_a_model() -> Machine {
    let machine = Machine::up_and_running().await;
    machine
        .create(
            "/api/v1/namespaces",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"of": "us"}}}),
        )
        .await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "type": "Opaque", "data": {"key": "c2VjcmV0"}});
    machine.create("/api/v1/namespaces/team/secrets", &secret).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}, "secrets": [{"name": "s3"}]});
    machine.create("/api/v1/namespaces/team/serviceaccounts", &account).await;
    machine.model("team", "mine", &json!({"serviceAccountName": "reader"})).await;
    machine
}

fn creations(machine: &Machine) -> usize {
    machine.kind.calls().iter().filter(|call| call.starts_with("create")).count()
}

/// A new node with the same port, profile and bundle; kubectl's context stays where it was; the journal tells.
#[tokio::test]
async fn a_fresh_cluster() {
    let machine = Machine::new().await;
    let theirs = machine.users_kubeconfig();
    machine.up(&["--without-demo"]).await.expect(0);
    machine.edit_state(|state| state["stages"]["kserve"]["digest"] = json!("of the old cluster"));
    let text = fs_err::read_to_string(&theirs).unwrap().replace("current-context: kind-quickstart", "current-context: mine");
    fs_err::write(&theirs, text).unwrap();
    let output = machine.quickstart(&["reset", "-o", "json"]).await.expect(0);
    let events = output.events();
    assert_eq!(events.last().unwrap()["outcome"]["prediction"], Value::Null, "there was no demo: {}", output.text());
    assert!(of(&events, "object_applied").iter().all(|event| event["changed"] == true), "everything is new");
    assert_eq!((creations(&machine), machine.kind.state.clusters().len()), (2, 1));
    let state = machine.state();
    assert_eq!((&state["port"], &state["demo_host"], &state["created"]), (&json!(machine.port), &Value::Null, &json!(true)));
    assert_eq!((&state["resets"][0]["kind"], &state["resetting"]), (&json!("cluster"), &Value::Null));
    assert!(fs_err::read_to_string(&theirs).unwrap().contains("current-context: mine"));
    machine.knows_everything();
}

/// Without a word for it nothing of the user's is lost: the list, the two ways on, exit 2, and nothing was touched.
#[tokio::test]
async fn what_would_be_lost_is_listed_first() {
    let machine = with_a_model().await;
    for arguments in [&["reset"][..], &["reset", "--stack"]] {
        let output = refused(machine.quickstart(arguments).await, 2, "WOULD_LOSE");
        assert!(output.stderr.contains("1 InferenceService of yours") && output.stderr.contains("team/mine"), "{}", output.text());
        assert!(output.stderr.contains("--keep-user") && output.stderr.contains("--yes"), "{}", output.text());
    }
    assert!(machine.server.writes().is_empty() && creations(&machine) == 1);
    machine.quickstart(&["reset", "--yes"]).await.expect(0);
    assert!(machine.server.get(MINE).is_none());
    assert_eq!(creations(&machine), 2);
}

/// `--keep-user` carries models over with what they need, and they are Ready again.
#[tokio::test]
async fn models_of_the_user_are_carried_over() {
    for stack in [false, true] {
        let machine = with_a_model().await;
        let old = machine.server.get(MINE).unwrap();
        let arguments: &[&str] = if stack { &["reset", "--stack", "--keep-user"] } else { &["reset", "--keep-user"] };
        let output = machine.quickstart(arguments).await.expect(0);
        assert!(output.stderr.contains("your InferenceServices are back: team/mine"), "{}", output.text());
        let new = machine.server.get(MINE).unwrap();
        assert_eq!(new["spec"], old["spec"]);
        assert_eq!(new["metadata"]["annotations"], json!({"mine": "kept"}));
        assert_ne!(new["metadata"]["uid"], old["metadata"]["uid"]);
        assert_eq!(new["metadata"]["managedFields"][0]["manager"], "quickstart-keep", "{new}");
        let ready = new["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Ready").unwrap().clone();
        assert_eq!(ready["status"], "True");
        assert_eq!(machine.server.get("/api/v1/namespaces/team/secrets/s3").unwrap()["data"]["key"], "c2VjcmV0");
        assert!(machine.server.get("/api/v1/namespaces/team/serviceaccounts/reader").is_some());
        assert_eq!(machine.server.get("/api/v1/namespaces/team").unwrap()["metadata"]["labels"]["of"], "us");
        assert!(!machine.state_folder().join("kept.yaml").exists());
        assert_eq!(machine.state()["resets"][0]["kind"], if stack { "stack" } else { "cluster" });
    }
}

/// A reset that fails half-way keeps the file, readable by its owner only, and `up` without a flag ends what was begun.
#[tokio::test]
async fn nothing_is_lost_half_way() {
    let machine = with_a_model().await;
    machine.kind.fail_create("ERROR: failed to create cluster: the machine is tired", false);
    let output = machine.quickstart(&["reset", "--keep-user"]).await;
    assert_eq!(output.code, Some(4), "{}", output.text());
    let kept = machine.state_folder().join("kept.yaml");
    assert!(fs_err::read_to_string(&kept).unwrap().contains("c2VjcmV0"));
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&kept).unwrap().permissions()) & 0o777, 0o600);
    machine.kind.heal();
    let output = machine.quickstart(&["up"]).await.expect(0);
    assert!(machine.server.get(MINE).is_some(), "{}", output.text());
    assert!(!kept.exists());
    assert_eq!((&machine.state()["port"], &machine.state()["resetting"]), (&json!(machine.port), &Value::Null));
}

/// `down` in the middle of a reset leaves what was kept beside the folder that goes.
#[tokio::test]
async fn down_after_a_reset_that_failed() {
    let machine = with_a_model().await;
    machine.kind.fail_create("ERROR: failed to create cluster: the machine is tired", false);
    machine.quickstart(&["reset", "--keep-user"]).await.expect(4);
    let output = machine.quickstart(&["down"]).await.expect(0);
    let place = machine.state_folder().with_file_name("quickstart.kept.yaml");
    assert!(place.exists() && output.stderr.contains("quickstart.kept.yaml"), "{}", output.text());
}

/// The stack goes from the leaves to the roots and comes back; the node stays. A finalizer that nobody takes off is named.
#[tokio::test]
async fn a_fresh_stack() {
    let machine = with_a_model().await;
    machine.server.edit(MINE, "kserve", |model| model["metadata"]["finalizers"] = json!(["inferenceservice.finalizers"]));
    let output = machine.quickstart(&["reset", "--stack", "--yes", "--patience", "1s"]).await.expect(0);
    assert!(
        output.stderr.contains("inferenceservices team/mine hung") && output.stderr.contains("inferenceservice.finalizers"),
        "{}",
        output.text()
    );
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    assert!(machine.server.get(MINE).is_none());
    assert!(machine.server.get("/api/v1/namespaces/team").is_some(), "the user's namespace stays");
    assert_eq!((creations(&machine), &machine.state()["resets"][0]["kind"]), (1, &json!("stack")));
    let log: Vec<Logged> = machine.server.requests().into_iter().filter(|one| one.method == "DELETE").collect();
    let first = |part: &str| {
        log.iter()
            .position(|one| if part.ends_with('/') { one.path.contains(part) } else { one.path.ends_with(part) })
            .unwrap_or_else(|| panic!("no DELETE of {part}"))
    };
    let order = [
        "/inferenceservices/",
        "/clusterservingruntimes/",
        "/validatingwebhookconfigurations/",
        "/deployments/",
        "/namespaces/knative-serving",
        "/customresourcedefinitions/",
    ]
    .map(first);
    assert!(order.is_sorted(), "{order:?}: {:?}", log.iter().map(|one| &one.path).collect::<Vec<_>>());
    assert!(
        log.iter().all(|one| !one.path.ends_with("/namespaces/team") && !one.path.contains("kube-system/") && !one.path.contains("/nodes"))
    );
    machine.knows_everything();
    machine.quickstart(&["status"]).await.expect(0);
}

/// A stack whose webhooks are dead could not be taken away: every deletion asked them. They go first then.
#[tokio::test]
async fn webhooks_that_do_not_answer_hold_nothing() {
    let machine = Machine::up_and_running().await;
    let deaf = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "reason": "InternalError",
        "message": "Internal error occurred: failed calling webhook \"inferenceservice.kserve-webhook-server.validator\": no endpoints available"});
    machine.server.fault(Fault::on("/inferenceservices/sklearn-iris", 3, FaultKind::Answer(500, deaf)).method("DELETE"));
    let output = machine.quickstart(&["reset", "--stack"]).await.expect(0);
    assert!(output.stderr.contains("the webhooks go first"), "{}", output.text());
    let key = Key::new("serving.kserve.io", "inferenceservices", "kserve-test", "sklearn-iris");
    assert!(machine.server.world().get(&key).is_some(), "the demo is back");
}

/// A fresh node needs the bundle's images again: without the file nothing is taken away.
#[tokio::test]
async fn without_its_bundle_a_cluster_is_not_given_up() {
    let machine = Machine::new().await;
    machine.up_from_a_bundle_that_goes().await;
    let output = refused(machine.quickstart(&["reset"]).await, 2, "BUNDLE_UNREADABLE");
    assert!(output.stderr.contains("nothing was taken away"), "{}", output.text());
    assert_eq!(machine.kind.state.clusters().len(), 1);
    machine.quickstart(&["reset", "--stack"]).await.expect(0);
}

/// A cluster that does not answer may hold anything: it is given up only when that is said.
#[tokio::test]
async fn a_cluster_that_sleeps_is_not_given_up_silently() {
    let machine = Machine::up_and_running().await;
    machine.quickstart(&["stop"]).await.expect(0);
    let output = refused(machine.quickstart(&["reset"]).await, 2, "WOULD_LOSE");
    assert!(output.stderr.contains("does not answer"), "{}", output.text());
    refused(machine.quickstart(&["reset", "--keep-user"]).await, 6, "NOT_RUNNING");
    machine.quickstart(&["reset", "--yes"]).await.expect(0);
    assert_eq!(creations(&machine), 2);
}
