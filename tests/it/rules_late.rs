//! What may pass by itself for a while: when the time of the run is up before the patience is, the failure carries the rule's name
//! all the same, with exit 5. `--timeout` is what makes these tests short; how long each rule is waited for is tested on a clock that
//! stands still (`src/health/wait_tests.rs`).

use crate::{
    rules::{Told, three_lines},
    small::{Machine, error_id},
    support::{
        api_server::Pace,
        faults::{Fault, FaultKind},
        sandbox::Output,
        workloads::Trouble,
    },
};

/// The three lines of a rule, at the end of the run's time: or, on a machine so busy that a longer time was given, of the rule's own.
#[track_caller]
pub(crate) fn late(output: &Output, id: &str, parts: &[&str]) -> Told {
    let told = three_lines(output, if output.code == Some(4) { 4 } else { 5 }, id);
    assert!(output.code == Some(4) || told.what.starts_with("not done within "), "{told:?}");
    for part in parts {
        assert!(told.cause.contains(part), "{part} is not in the cause: {told:?}");
    }
    told
}

/// `up` within some seconds; where they were too few for a busy machine to get as far as the trouble, again within twice as many: `up` goes on.
pub(crate) async fn until_it_is_named(machine: &Machine, id: &str, mut seconds: u64) -> Output {
    loop {
        let output = machine.up(&["--timeout", &format!("{seconds}s")]).await;
        if error_id(&output) == Some(id) || seconds > 20 {
            return output;
        }
        seconds *= 2;
    }
}

/// `up` on a new machine with this workload in trouble; `log` is what the container wrote.
async fn up(id: &str, workload: &str, trouble: Trouble, log: (&str, &str)) -> Output {
    let machine = Machine::new().await;
    machine.server.world().logs.insert(log.0.into(), log.1.into());
    // Events are asked for after five seconds.
    let seconds = if matches!(trouble, Trouble::FailedMount(_)) { 9 } else { 4 };
    machine.server.trouble(workload, trouble);
    until_it_is_named(&machine, id, seconds).await
}

/// A pod that ends again and again, one that cannot resolve names, one that waits for a Secret, one that is too large.
#[tokio::test]
async fn a_pod_in_trouble_when_the_time_is_up() {
    let istiod = "istio-system/istiod";
    let panic = "info: starting\nfatal: no leader\ngoroutine 1 [running]:\nmain.main()\n\n";
    let dns = "dial tcp: lookup istiod.istio-system.svc on 10.96.0.10:53: server misbehaving\n";
    let mount = "MountVolume.SetUp failed for volume \"cert\" : secret \"istio-ca\" not found";
    let (crash, names, secret, memory) = tokio::join!(
        up("CRASH_LOOP", istiod, Trouble::crash_loop("Error", 2), ("discovery", panic)),
        up("DNS_IN_CLUSTER", istiod, Trouble::crash_loop("Error", 1), ("discovery", dns)),
        up("SECRET_MISSING", istiod, Trouble::FailedMount(mount.into()), ("", "")),
        up("INSUFFICIENT_MEMORY", istiod, Trouble::insufficient("memory"), ("", "")),
    );
    let told = late(&crash, "CRASH_LOOP", &["istiod", "discovery ends with code 2", "fatal: no leader", "goroutine 1", "main.main()"]);
    assert!(told.hint.contains("logs --previous"), "{told:?}");
    late(&names, "DNS_IN_CLUSTER", &["istiod", "10.96.0.10:53"]);
    let told = late(&secret, "SECRET_MISSING", &["istiod", "FailedMount", "secret \"istio-ca\" not found"]);
    assert!(told.hint.contains("cert-manager"), "{told:?}");
    late(&memory, "INSUFFICIENT_MEMORY", &["istiod", "Insufficient memory"]);
}

/// What KServe and Knative say of a model: no runtime for it, a tag that Knative cannot resolve, a download that fails.
#[tokio::test]
async fn a_model_in_trouble_when_the_time_is_up() {
    let model = "kserve-test/sklearn-iris";
    let (reason, message) = ("NoSupportingRuntime".to_owned(), "No runtime found to support specified framework/version".to_owned());
    let runtime = Trouble::Model { reason, message };
    let digest = Trouble::Unready {
        reason: "RevisionFailed".into(),
        message: "Revision \"sklearn-iris-predictor-00001\" failed with message: Unable to fetch image \"kserve/sklearnserver:v0.20.0\": failed to resolve image to digest: Get \"https://quay.io/v2/\": context deadline exceeded.".into(),
    };
    let init = "storage-initializer";
    let log = "INFO:root:Initializing, args: src_uri [gs://nowhere/model]\nRuntimeError: Failed to fetch model. No model found in gs://nowhere/model.\n";
    let (runtime, digest, download) = tokio::join!(
        up("ISVC_NO_RUNTIME", model, runtime, ("", "")),
        up("IMAGE_DIGEST_RESOLVE", model, digest, ("", "")),
        up("MODEL_DOWNLOAD", model, Trouble::Init { container: init.into(), code: 1 }, (init, log)),
    );
    let told = late(&runtime, "ISVC_NO_RUNTIME", &["demo", "No runtime found"]);
    assert!(told.hint.contains("clusterservingruntimes"), "{told:?}");
    let told = late(&digest, "IMAGE_DIGEST_RESOLVE", &["demo", "failed to resolve image to digest"]);
    assert!(told.hint.contains("registries-skipping-tag-resolving"), "{told:?}");
    let told = late(&download, "MODEL_DOWNLOAD", &[init, "Failed to fetch model"]);
    assert!(told.hint.contains("storageUri"), "{told:?}");
}

/// A definition that the API server takes and never serves.
#[tokio::test]
async fn a_definition_that_is_never_served() {
    let machine = Machine::new().await;
    machine.server.pace(Pace { crds: 1_000_000, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: 0 });
    let output = until_it_is_named(&machine, "CRD_NOT_ESTABLISHED", 4).await;
    late(&output, "CRD_NOT_ESTABLISHED", &["crds/served", "custom resources are not served yet"]);
}

/// A webhook behind a certificate that the API server does not know (the CA was not injected): not the same as one that is silent.
#[tokio::test]
async fn a_webhook_whose_certificate_is_not_trusted() {
    let machine = Machine::new().await;
    let why = "Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s\": tls: failed to verify certificate: x509: certificate signed by unknown authority";
    machine.server.fault(Fault::on("/issuers?", u32::MAX, FaultKind::webhook("webhook.cert-manager.io", why)).method("POST"));
    let output = until_it_is_named(&machine, "WEBHOOK_CERT", 4).await;
    late(&output, "WEBHOOK_CERT", &["cert-manager/webhook/issuers", "x509"]);
}

/// The model is Ready and has a host that the gateway does not know: its routes are of another domain, and it says 404.
#[tokio::test]
async fn a_host_under_another_domain() {
    let machine = Machine::new().await;
    machine.server.world().stale_routes = true;
    let output = until_it_is_named(&machine, "GATEWAY_404", 4).await;
    let told = late(&output, "GATEWAY_404", &["predict/answer", "sklearn-iris.kserve-test.example.com answered 404"]);
    assert!(told.hint.contains("domain"), "{told:?}");
}
