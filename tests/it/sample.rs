//! `sample`: every verb against the fake cluster; what it leaves behind; whose objects it refuses.

use serde_json::json;

use crate::small::{Machine, refused, signal};
use crate::support::{sandbox::eventually, workloads::Trouble};

const SERVICES: &str = "/apis/serving.kserve.io/v1beta1/namespaces/samples/inferenceservices";

/// Objects of these namespaces, and volumes of samples: nothing may be left.
fn left(machine: &Machine, namespace: &str) -> Vec<String> {
    let world = machine.server.world();
    let ours = |key: &&crate::support::store::Key| {
        key.namespace == namespace || (key.namespace.is_empty() && (key.name == namespace || key.name.starts_with("sample-")))
    };
    world.objects.keys().filter(ours).map(|key| format!("{}/{}", key.plural, key.name)).collect()
}

/// Which there are, what is known of one, its manifest.
#[tokio::test]
async fn list_and_show() {
    let machine = Machine::new().await;
    let table = machine.quickstart(&["sample", "list"]).await.expect(0);
    machine.snapshots().bind(|| insta::assert_snapshot!("sample_list", table.stdout));
    let index = machine.quickstart(&["sample", "list", "-o", "json"]).await.expect(0).json();
    assert_eq!(
        (&index["version"], &index["samples"][0]["name"], &index["samples"][0]["state"]),
        (&json!(1), &json!("sklearn-iris"), &json!("lab"))
    );
    let text = machine.quickstart(&["sample", "show", "canary"]).await.expect(0).stdout;
    assert!(text.contains("canaryTrafficPercent: 20") && text.contains("kind: Deployment"), "{text}");
    let one = machine.quickstart(&["sample", "show", "gpu", "-o", "json"]).await.expect(0).json();
    assert!(one["manifest"].as_str().unwrap().contains("nvidia.com/gpu") && one["because"].as_str().unwrap().contains("GPU"), "{one}");
    refused(machine.quickstart(&["sample", "show", "nothing"]).await, 2, "SAMPLE_UNKNOWN");
    refused(machine.quickstart(&["sample", "apply", "sklearn-iris"]).await, 6, "NOT_RUNNING");
    refused(machine.quickstart(&["sample", "apply", "sklearn-iris", "-n", "../x"]).await, 2, "USAGE");
}

/// Applied beside the demo, asked, deleted: as if it had never been there. Of a bundle it is the node's own model, with a volume of its own.
#[tokio::test]
async fn apply_and_delete() {
    let machine = Machine::up_and_running().await;
    let before = machine.server.world().objects.len();
    let done = machine.quickstart(&["sample", "apply", "sklearn-iris", "-o", "json"]).await.expect(0).json();
    let objects = json!([
        "PersistentVolume sample-iris-samples",
        "PersistentVolumeClaim samples/sample-iris",
        "InferenceService samples/sklearn-iris"
    ]);
    assert_eq!((&done["objects"], &done["namespace"]), (&objects, &json!("samples")));
    assert_eq!(machine.quickstart(&["predict", "-n", "samples"]).await.expect(0).stdout, "[1, 1]\n");
    let managers = machine.server.world().find("serving.kserve.io", "inferenceservices", "samples", "sklearn-iris").cloned().unwrap();
    assert_eq!(managers["spec"]["predictor"]["model"]["storageUri"], "pvc://sample-iris/");
    let again = machine.quickstart(&["sample", "apply", "sklearn-iris"]).await.expect(0);
    assert!(
        again.stdout.contains("sklearn-iris is ready after") && again.stderr.contains("quickstart predict sklearn-iris -n samples"),
        "{}",
        again.text()
    );
    let gone = machine.quickstart(&["sample", "delete", "sklearn-iris"]).await.expect(0);
    assert!(gone.stdout.contains("deleted: InferenceService samples/sklearn-iris"), "{}", gone.text());
    assert_eq!(left(&machine, "samples"), Vec::<String>::new());
    assert_eq!(machine.server.world().objects.len(), before, "the demo and all else stay");
    let nothing = machine.quickstart(&["sample", "delete", "sklearn-iris", "-o", "json"]).await.expect(0).json();
    assert_eq!(nothing["deleted"], json!([]));
}

/// The user's own namespace stays, and what else is in it; the source of models stays while another sample needs it.
#[tokio::test]
async fn only_its_own_is_deleted() {
    let machine = Machine::up_and_running().await;
    machine.create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}})).await;
    machine.model("mine", "my-model", &json!({})).await;
    for sample in ["http", "resources"] {
        machine.quickstart(&["sample", "apply", sample, "-n", "mine"]).await.expect(0);
    }
    let first = machine.quickstart(&["sample", "delete", "http", "-n", "mine"]).await.expect(0);
    assert!(!first.stdout.contains("sample-models"), "{}", first.text());
    let second = machine.quickstart(&["sample", "delete", "resources", "-n", "mine"]).await.expect(0);
    assert!(second.stdout.contains("deleted: Deployment mine/sample-models"), "{}", second.text());
    assert!(machine.server.world().find("serving.kserve.io", "inferenceservices", "mine", "my-model").is_some());
    assert!(machine.server.world().find("", "namespaces", "", "mine").is_some());
}

/// The demo is `up`'s: a sample of the same name neither changes nor deletes it.
#[tokio::test]
async fn the_demo_is_left_alone() {
    let machine = Machine::up_and_running().await;
    for verb in ["apply", "delete"] {
        refused(machine.quickstart(&["sample", verb, "sklearn-iris", "-n", "kserve-test"]).await, 3, "SAMPLE_NAME_TAKEN");
    }
    assert!(machine.server.writes().is_empty());
}

/// What a test shows, for people and for programs; nothing is left, except where it was asked for.
#[tokio::test]
async fn tests_prove_and_clean_up() {
    let machine = Machine::up_and_running().await;
    for (sample, says) in [
        ("sklearn-iris", "POST /v1/models/sklearn-iris:predict answers [1,1]"),
        ("sklearn-iris-v2", "POST /v2/models/sklearn-iris-v2/infer answers [1,1]"),
        ("grpc", "gRPC /inference.GRPCInferenceService/ModelInfer answers [1,1]"),
        ("pvc", "POST /v1/models/sklearn-pvc:predict answers [1,1]"),
        ("s3", "POST /v1/models/sklearn-s3:predict answers [1,1]"),
    ] {
        let output = machine.quickstart(&["sample", "test", sample]).await.expect(0);
        assert!(output.stdout.contains(says) && output.stdout.contains("taken away"), "{}", output.text());
        assert_eq!(left(&machine, &format!("sample-test-{sample}")), Vec::<String>::new());
    }
    let kept = machine.quickstart(&["sample", "test", "http", "--keep", "-o", "json"]).await.expect(0).json();
    assert_eq!((&kept["kept"], &kept["proven"][1]["saw"]), (&json!(true), &json!([1, 1])));
    assert!(!left(&machine, "sample-test-http").is_empty());
}

/// The split is measured, then decided both ways, by the test and by hand.
#[tokio::test]
async fn a_canary() {
    let machine = Machine::up_and_running().await;
    let done = machine.quickstart(&["sample", "test", "canary", "-o", "json"]).await.expect(0).json();
    let split = &done["proven"][1]["saw"];
    assert_eq!((&split["told"], &split["measured"], &split["requests"]), (&json!(20), &json!(20.0), &json!(400)));
    assert_eq!(done["proven"][2]["saw"]["verb"], "rollback");
    assert_eq!(done["proven"][3]["saw"]["verb"], "promote");
    assert_eq!(left(&machine, "sample-test-canary"), Vec::<String>::new());

    machine.quickstart(&["sample", "apply", "canary"]).await.expect(0);
    let file = machine.home().join("one.json");
    fs_err::write(&file, r#"{"instances": [[6.8, 2.8, 4.8, 1.4]]}"#).unwrap();
    let file = file.display().to_string();
    let ask = ["predict", "canary", "-n", "samples", "--file", &file, "--repeat", "100", "-o", "json"];
    assert_eq!(machine.quickstart(&ask).await.expect(0).json()["answers"], json!({"[1]": 80, "[11]": 20}));
    let back = machine.quickstart(&["sample", "rollback"]).await.expect(0);
    assert_eq!(back.stdout, "0 % for the new revision, 100 % for the one before\n");
    assert_eq!(machine.quickstart(&ask).await.expect(0).json()["answers"], json!({"[1]": 100}));
    let all = machine.quickstart(&["sample", "promote", "-o", "json"]).await.expect(0).json();
    assert_eq!((&all["new"], &all["before"]), (&json!(100), &json!(0)));
    assert_eq!(machine.quickstart(&ask).await.expect(0).json()["answers"], json!({"[11]": 100}));
    refused(machine.quickstart(&["sample", "promote"]).await, 3, "CANARY_MISSING");
    refused(machine.quickstart(&["sample", "rollback", "nobody"]).await, 6, "ISVC_MISSING");
}

/// Every sample that the lab cannot run is applied, waited for and deleted here.
#[tokio::test]
async fn samples_that_were_not_proven_are_wire_tested() {
    let machine = Machine::up_and_running().await;
    let index = machine.quickstart(&["sample", "list", "-o", "json"]).await.expect(0).json();
    let all = index["samples"].as_array().unwrap();
    let names: Vec<&str> = all.iter().filter(|sample| sample["state"] == "wire").filter_map(|sample| sample["name"].as_str()).collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let output = machine.quickstart(&["sample", "test", name]).await.expect(0);
        assert!(output.stdout.contains("is ready after"), "{}", output.text());
        assert_eq!(left(&machine, &format!("sample-test-{name}")), Vec::<String>::new());
    }
}

/// An image that the node does not have is told as what it is; the sample is taken away all the same.
#[tokio::test]
async fn an_image_that_cannot_be_had() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble(
        "sample-test-xgboost/xgboost-iris",
        Trouble::image_pull("rpc error: code = NotFound: docker.io/kserve/xgbserver:v0.20.0: not found"),
    );
    let output = refused(machine.quickstart(&["sample", "test", "xgboost"]).await, 4, "IMAGE_NOT_FOUND");
    assert!(output.stderr.contains("kserve/xgbserver"), "{}", output.text());
    assert_eq!(left(&machine, "sample-test-xgboost"), Vec::<String>::new());
    machine.server.trouble("samples/xgboost-iris", Trouble::image_pull("not found"));
    let json = machine.quickstart(&["sample", "apply", "xgboost", "-o", "json"]).await.expect(4).json();
    assert_eq!((&json["error"]["id"], &json["error"]["exit"]), (&json!("IMAGE_NOT_FOUND"), &json!(4)));
    assert!(
        machine.server.world().find("serving.kserve.io", "inferenceservices", "samples", "xgboost-iris").is_some(),
        "left to be looked at: {SERVICES}"
    );
}

/// A model that answers something else, and a failing model that does not fail.
#[tokio::test]
async fn what_does_not_prove_itself_is_an_error() {
    let machine = Machine::up_and_running().await;
    let output = refused(machine.quickstart(&["sample", "test", "custom-predictor"]).await, 4, "SAMPLE_UNPROVEN");
    assert!(output.stderr.contains("it answered [1,1] instead of [[2,4],[6,8]]"), "{}", output.text());
    let output = refused(machine.quickstart(&["sample", "test", "failing-model"]).await, 4, "SAMPLE_UNPROVEN");
    assert!(output.stderr.contains("instead of failing with MODEL_DOWNLOAD"), "{}", output.text());
    assert_eq!(left(&machine, "sample-test-failing-model"), Vec::<String>::new());
}

/// A folder of one's own, and nothing of it twice.
#[tokio::test]
async fn init_writes_a_predictor() {
    let machine = Machine::new().await;
    let output = machine.quickstart(&["sample", "init", "my-model"]).await.expect(0);
    assert_eq!(output.stdout, "my-model/model.py\nmy-model/Dockerfile\nmy-model/inferenceservice.yaml\n");
    assert!(output.stderr.contains("quickstart image load dev.local/my-model:1"), "{}", output.text());
    refused(machine.quickstart(&["sample", "init", "my-model"]).await, 2, "USAGE");
}

/// Ctrl-C in the middle of a test: what was made for it goes all the same.
#[tokio::test]
async fn an_interrupted_test_is_taken_away_too() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble("sample-test-sklearn-iris/sklearn-iris", Trouble::NeverReady);
    let run = machine.spawn(&["sample", "test", "sklearn-iris"]);
    let there =
        || machine.server.world().find("serving.kserve.io", "inferenceservices", "sample-test-sklearn-iris", "sklearn-iris").is_some();
    eventually("the InferenceService is there", there).await;
    signal(&run, rustix::process::Signal::INT);
    let output = refused(machine.finish(run, &["sample", "test"]).await, 130, "INTERRUPTED");
    assert!(output.stderr.contains("run it again at any time"), "{}", output.text());
    assert_eq!(left(&machine, "sample-test-sklearn-iris"), Vec::<String>::new());
}
