//! `predict --protocol grpc`: HTTP/2 and protobuf to the fake gateway, the JSON of v2 to whoever asks.

use serde_json::json;

use crate::small::{Machine, refused};
use crate::support::{
    grpc::{GrpcReply, InferResponse, METHOD, Tensor, framed},
    sandbox::Output,
};

/// A cluster with the sample on it.
async fn machine() -> Machine {
    let machine = Machine::up_and_running().await;
    let done = machine.quickstart(&["sample", "apply", "grpc"]).await.expect(0);
    assert!(done.stderr.contains("quickstart predict sklearn-iris-grpc -n samples --protocol grpc"), "{}", done.text());
    machine
}

async fn predict(machine: &Machine, more: &[&str]) -> Output {
    let arguments = ["predict", "sklearn-iris-grpc", "-n", "samples", "--protocol", "grpc"];
    machine.quickstart(&[arguments.as_slice(), more].concat()).await
}

/// The demo's two rows and a body of one's own, for people and for programs; the answer is that of v2.
#[tokio::test]
async fn a_prediction_over_grpc() {
    let machine = machine().await;
    assert_eq!(predict(&machine, &[]).await.expect(0).stdout, "[1, 1]\n");
    let output = json!({"name": "output-0", "shape": [2], "datatype": "INT64", "data": [1, 1]});
    let answer = predict(&machine, &["-o", "json"]).await.expect(0).json();
    assert_eq!(answer, json!({"model_name": "sklearn-iris-grpc", "id": "made-up", "outputs": [output]}));
    let body = json!({"id": "mine", "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[6.8, 2.8, 4.8, 1.4]]}]});
    let arguments = ["predict", "sklearn-iris-grpc", "-n", "samples", "--protocol", "grpc", "--input", "-", "-o", "json"];
    let own = machine.quickstart_with_input(&arguments, &body.to_string()).await.expect(0).json();
    assert_eq!((&own["id"], &own["outputs"][0]["data"]), (&json!("mine"), &json!([1])));
    let asked = machine.gateway.requests();
    assert!(asked.contains(&("sklearn-iris-grpc.samples.example.com".into(), METHOD.into(), 200)), "{asked:?}");
}

/// KServe without Knative: another host, the same sample.
#[tokio::test]
async fn the_sample_in_the_raw_profile() {
    let machine = Machine::new().await;
    machine.up(&["--profile", "raw"]).await.expect(0);
    let proven = machine.quickstart(&["sample", "test", "grpc"]).await.expect(0);
    assert!(proven.stdout.contains(&format!("gRPC {METHOD} answers [1,1]")), "{}", proven.text());
}

/// Many calls over one connection; the sum is told although one of them failed.
#[tokio::test]
async fn many_predictions_over_grpc() {
    let machine = machine().await;
    let sum = predict(&machine, &["--repeat", "40", "--parallel", "8", "-o", "json"]).await.expect(0).json();
    assert_eq!((&sum["requests"], &sum["errors"], &sum["answers"]["[1,1]"]), (&json!(40), &json!(0), &json!(40)));
    machine.gateway.answer_grpc_next(GrpcReply::Status(14, "no healthy upstream".into()));
    let output = predict(&machine, &["--repeat", "5"]).await.expect(4);
    assert!(output.stdout.contains("errors    1\n") && output.stdout.contains("answer    4 × [1,1]\n"), "{}", output.text());
    let told = "error[GRPC_UNAVAILABLE]: 1 of 5 predictions failed";
    assert!(output.stderr.contains(told) && output.stderr.contains("UNAVAILABLE: no healthy upstream"), "{}", output.text());
}

/// Each status has a name of its own where there is something of its own to do.
#[tokio::test]
async fn what_statuses_are_called() {
    let machine = machine().await;
    for (status, message, id) in [
        (3, "X has 3 features, but SVC is expecting 4 features as input.", "GRPC_INVALID_ARGUMENT"),
        (5, "Model with name x does not exist.", "GRPC_NOT_FOUND"),
        (12, "Method not found!", "GRPC_UNIMPLEMENTED"),
        (13, "Internal server error: 100%", "PREDICTION_FAILED"),
        (14, "upstream connect error or disconnect/reset before headers", "GRPC_UNAVAILABLE"),
        (12, "", "GATEWAY_404"),
    ] {
        machine.gateway.answer_grpc_next(GrpcReply::Status(status, message.into()));
        let output = refused(predict(&machine, &[]).await, 4, id);
        assert!(output.stderr.contains(message), "{}", output.text());
    }
    machine.gateway.answer_grpc_next(GrpcReply::Status(3, "X has 3 features".into()));
    let output = predict(&machine, &[]).await;
    machine.snapshots().bind(|| insta::assert_snapshot!("grpc_invalid_argument", output.text()));
}

/// The demo's container has no port named h2c: the request reaches a server that speaks HTTP, which knows no such path.
#[tokio::test]
async fn a_service_that_speaks_http_only() {
    let machine = machine().await;
    let output = refused(machine.quickstart(&["predict", "--protocol", "grpc"]).await, 4, "GRPC_HTTP_ONLY");
    machine.snapshots().bind(|| insta::assert_snapshot!("grpc_http_only", output.text()));
    let over_http = machine.quickstart(&["predict", "sklearn-iris-grpc", "-n", "samples", "--protocol", "v2"]).await;
    let output = refused(over_http, 4, "PREDICTION_FAILED");
    assert!(output.stderr.contains("answered 502"), "the other way round: {}", output.text());
    machine.gateway.speak_http1_only();
    let output = refused(predict(&machine, &[]).await, 4, "GRPC_HTTP_ONLY");
    assert!(output.stderr.contains("speaks HTTP/1 and not HTTP/2"), "{}", output.text());
}

/// Frames and messages that are none, an end before the status: errors with words, no panic, no wrong answer.
#[tokio::test]
async fn what_a_server_may_send_wrongly() {
    let machine = machine().await;
    let whole = framed(&InferResponse { model_name: "m".into(), ..InferResponse::default() });
    let tensor = Tensor { name: "o".into(), datatype: "FP32".into(), shape: vec![2], contents: None };
    let short = InferResponse { outputs: vec![tensor], raw_output_contents: vec![vec![0; 7]], ..InferResponse::default() };
    let cut = whole[..whole.len() - 1].to_vec();
    let compressed = [&[1], &whole[1..]].concat();
    for (reply, says) in [
        (GrpcReply::Body(cut), "ends within its frame"),
        (GrpcReply::Body(compressed), "is compressed"),
        (GrpcReply::Body([whole.as_slice(), &whole].concat()), "more than one message"),
        (GrpcReply::Body(vec![0; 16 * 1024 * 1024 + 1]), "longer than 16777216 bytes"),
        (GrpcReply::Body(b"\0\0\0\0\x02\xff\xff".to_vec()), "cannot be used"),
        (GrpcReply::Body(framed(&short)), "output o: 7 raw bytes for values of 4 bytes"),
        (GrpcReply::Unfinished(whole), "ended without a gRPC status"),
    ] {
        machine.gateway.answer_grpc_next(reply);
        let output = refused(predict(&machine, &[]).await, 4, "PREDICTION_FAILED");
        assert!(output.stderr.contains(says), "{says}: {}", output.text());
    }
    assert_eq!(predict(&machine, &[]).await.expect(0).stdout, "[1, 1]\n");
}

/// A body that gRPC has no message for is the user's to change: nothing is asked.
#[tokio::test]
async fn a_body_that_is_not_of_v2() {
    let machine = machine().await;
    let before = machine.gateway.requests().len();
    let arguments = ["predict", "sklearn-iris-grpc", "-n", "samples", "--protocol", "grpc", "--input", "-"];
    let short = r#"{"inputs": [{"name": "x", "shape": [2, 4], "datatype": "FP32", "data": [1, 2, 3]}]}"#;
    let output = refused(machine.quickstart_with_input(&arguments, short).await, 2, "USAGE");
    assert!(output.stderr.contains("x: it has 3 values, which do not fill the shape [2, 4]"), "{}", output.text());
    refused(machine.quickstart_with_input(&arguments, "{}").await, 2, "USAGE");
    assert_eq!(machine.gateway.requests().len(), before);
}

/// `-o curl` prints what would be asked, and asks nothing.
#[tokio::test]
async fn the_request_as_a_line_for_a_shell() {
    let machine = machine().await;
    let (before, port) = (machine.gateway.requests().len(), machine.port);
    let line = predict(&machine, &["-o", "curl"]).await.expect(0).stdout;
    let data = r#"{"model_name":"sklearn-iris-grpc","inputs":[{"name":"input-0","datatype":"FP32","shape":[2,4],"contents":{"fp32_contents":[6.8,2.8,4.8,1.4,6.0,3.4,4.5,1.6]}}]}"#;
    let host = "sklearn-iris-grpc.samples.example.com";
    assert_eq!(
        line,
        format!(
            "grpcurl -plaintext -proto open_inference_grpc.proto -authority {host} -d '{data}' 127.0.0.1:{port} inference.GRPCInferenceService/ModelInfer\n"
        )
    );
    let line = machine.quickstart(&["predict", "--protocol", "v2", "-o", "curl"]).await.expect(0).stdout;
    assert!(
        line.starts_with("curl -s -H 'Host: sklearn-iris.kserve-test.example.com'") && line.contains("/v2/models/sklearn-iris/infer"),
        "{line}"
    );
    assert_eq!(machine.gateway.requests().len(), before);
}
