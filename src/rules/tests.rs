use super::*;

fn id(source: Source, reason: &str, message: &str) -> Option<&'static str> {
    find(source, reason, message).map(|found| found.rule.id)
}

/// What says more comes first: a certificate and a limit are also images that cannot be pulled.
#[test]
fn the_first_rule_that_fits_is_the_one_that_says_most() {
    let pull = |message| id(Source::Waiting, "ImagePullBackOff", message);
    assert_eq!(pull("dial tcp: lookup quay.io: no such host: not found"), Some("IMAGE_PULL"));
    assert_eq!(pull("tls: failed to verify certificate: x509: certificate signed by unknown authority"), Some("REGISTRY_TLS"));
    assert_eq!(pull("toomanyrequests: manifest not found"), Some("IMAGE_RATE_LIMIT"));
    assert_eq!(pull("no match for platform in manifest: not found"), Some("IMAGE_ARCH"));
    assert_eq!(pull("proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused"), Some("PROXY_ENV"));
    assert_eq!(id(Source::Ended, "OOMKilled", "c\n"), Some("OOM_KILLED"));
    assert_eq!(id(Source::Ended, "Error", "c\nexec /manager: exec format error"), Some("IMAGE_ARCH"));
    assert_eq!(id(Source::Ended, "Error", "c\nfailed to create fsnotify watcher: too many open files"), Some("INOTIFY_LIMIT"));
    assert_eq!(id(Source::Ended, "Error", "storage-initializer\nException: boom"), Some("MODEL_DOWNLOAD"));
    assert_eq!(id(Source::Ended, "Error", "manager\nboom"), Some("CRASH_LOOP"));
}

/// The API server quotes the webhook's own trouble: a certificate is not silence.
#[test]
fn a_webhook_is_told_apart_by_what_it_lacks() {
    let call = "Internal error occurred: failed calling webhook \"w\": failed to call webhook: Post \"https://x:443\": ";
    assert_eq!(id(Source::Api, "500", &format!("{call}x509: certificate signed by unknown authority")), Some("WEBHOOK_CERT"));
    assert_eq!(id(Source::Api, "500", &format!("{call}dial tcp 10.96.0.1:443: connect: connection refused")), Some("WEBHOOK_UNREACHABLE"));
    assert_eq!(id(Source::Api, "422", "spec.ports: Invalid value"), None);
}

#[test]
fn words_of_one_source_are_not_looked_for_in_another() {
    assert_eq!(id(Source::Api, "500", "toomanyrequests"), None);
    assert_eq!(id(Source::Condition, "", "Insufficient cpu"), None);
    assert_eq!(id(Source::Scheduling, "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."), Some("INSUFFICIENT_CPU"));
}

/// What the cluster says may be given up (exit 4), and cut short by the deadline of a stage or of the run (exit 5).
#[test]
fn a_rule_of_the_cluster_lists_the_deadline_that_it_may_be_cut_short_by() {
    let cluster = [Source::Waiting, Source::Ended, Source::Scheduling, Source::Event, Source::Condition, Source::Api];
    for rule in all() {
        for sign in rule.signs.iter().filter(|sign| sign.from.iter().any(|from| cluster.contains(from))) {
            assert!(rule.exits.contains(&Exit::Deadline), "{}", rule.id);
            let given_up = matches!(sign.patience, Patience::Seconds(_));
            assert!(!given_up || rule.exits.contains(&Exit::StageFailed), "{}", rule.id);
        }
    }
}
