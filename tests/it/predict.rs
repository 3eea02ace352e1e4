//! `predict`: the request through the gateway, and what its failures are called.

use serde_json::json;

use crate::small::{Machine, refused};

/// The demo's two rows, as data for programs and for people; the v2 protocol; another input.
#[tokio::test]
async fn the_demos_prediction() {
    let machine = Machine::up_and_running().await;
    let answer = machine.quickstart(&["predict", "-o", "json"]).await.expect(0);
    assert_eq!(answer.stdout, "{\"predictions\":[1,1]}\n");
    assert_eq!(machine.quickstart(&["predict"]).await.expect(0).stdout, "[1, 1]\n");
    let v2 = machine.quickstart(&["predict", "--protocol", "v2", "-o", "json"]).await.expect(0).json();
    assert_eq!(v2["outputs"][0]["data"], json!([1, 1]));
    let one = machine.quickstart_with_input(&["predict", "--input", "-", "-o", "json"], r#"{"instances": [[1, 2, 3, 4]]}"#).await.expect(0);
    assert_eq!(one.json(), json!({"predictions": [1]}));
    let hosts: std::collections::BTreeSet<String> = machine.gateway.requests().into_iter().map(|(host, _, _)| host).collect();
    assert!(hosts.contains("sklearn-iris.kserve-test.example.com"), "{hosts:?}");
}

/// The lesson's own service in `default` is reached under its own host.
#[tokio::test]
async fn another_service_of_another_namespace() {
    let machine = Machine::up_and_running().await;
    let url = format!("{}/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/sklearn-iris", machine.server.url());
    let body = json!({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "sklearn-iris", "namespace": "default"},
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://x"}}}});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.patch(format!("{url}?fieldManager=kubectl")).header("content-type", "application/apply-patch+yaml");
    assert!(request.body(body.to_string()).send().await.unwrap().status().is_success());
    for _ in 0..2 {
        client.get(&url).send().await.unwrap();
    }
    let answer = machine.quickstart(&["predict", "sklearn-iris", "-n", "default", "-o", "json"]).await.expect(0);
    assert_eq!(answer.json(), json!({"predictions": [1, 1]}));
    assert!(machine.gateway.requests().iter().any(|(host, _, _)| host == "sklearn-iris.default.example.com"));
}

/// The gateway's 404 is the most frequent question of all: it is not the model's answer, and the hint says so.
#[tokio::test]
async fn a_route_that_is_missing_is_told_from_a_model_that_fails() {
    let machine = Machine::up_and_running().await;
    machine.gateway.answer_next(404, json!(null));
    let output = refused(machine.quickstart(&["predict"]).await, 4, "GATEWAY_404");
    machine.snapshots().bind(|| insta::assert_snapshot!("gateway_404", output.text()));
    machine.gateway.answer_next(500, json!({"error": "ValueError: X has 3 features"}));
    let output = refused(machine.quickstart(&["predict"]).await, 4, "PREDICTION_FAILED");
    assert!(output.stderr.contains("X has 3 features"), "{}", output.text());
    machine.gateway.answer_next(404, json!(null));
    let json = machine.quickstart(&["predict", "-o", "json"]).await.expect(4).json();
    assert_eq!((&json["error"]["id"], &json["error"]["exit"]), (&json!("GATEWAY_404"), &json!(4)));
}

/// What is not there, and what cannot be read.
#[tokio::test]
async fn wrong_names_and_wrong_input() {
    let machine = Machine::up_and_running().await;
    refused(machine.quickstart(&["predict", "nobody"]).await, 6, "ISVC_MISSING");
    let output = refused(machine.quickstart_with_input(&["predict", "--input", "-"], "[1, 2").await, 2, "USAGE");
    assert!(output.stderr.contains("standard input"), "{}", output.text());
    let machine = Machine::new().await;
    refused(machine.quickstart(&["predict"]).await, 6, "NOT_RUNNING");
}

/// Many requests: the sum for people and for programs, each answer with its count; `--file` is `--input`.
#[tokio::test]
async fn many_predictions_are_summed_up() {
    let machine = Machine::up_and_running().await;
    let sum = machine.quickstart(&["predict", "--repeat", "40", "--parallel", "4", "-o", "json"]).await.expect(0).json();
    assert_eq!((&sum["requests"], &sum["errors"], &sum["answers"]["[1,1]"]), (&json!(40), &json!(0), &json!(40)));
    let of = |name: &str| sum[name].as_f64().unwrap();
    assert!(of("p50_ms") <= of("p95_ms") && of("p95_ms") <= of("p99_ms") && of("p99_ms") <= of("max_ms"), "{sum}");
    let file = machine.home().join("one.json");
    fs_err::write(&file, r#"{"instances": [[1, 2, 3, 4]]}"#).unwrap();
    let text = machine.quickstart(&["predict", "--file", &file.display().to_string(), "--repeat", "3"]).await.expect(0).stdout;
    assert!(text.contains("answer    3 × [1]\n") && text.contains("p99 "), "{text}");
}

/// The sum is told although some requests failed; then the first of them, with its ID.
#[tokio::test]
async fn a_prediction_among_many_that_fails() {
    let machine = Machine::up_and_running().await;
    machine.gateway.answer_next(500, json!({"error": "ValueError: X has 3 features"}));
    let output = machine.quickstart(&["predict", "--repeat", "5"]).await.expect(4);
    assert!(output.stdout.contains("errors    1\n"), "{}", output.text());
    assert!(
        output.stderr.contains("error[PREDICTION_FAILED]: 1 of 5 predictions failed") && output.stderr.contains("X has 3 features"),
        "{}",
        output.text()
    );
    refused(machine.quickstart(&["predict", "--parallel", "5"]).await, 2, "USAGE");
}
