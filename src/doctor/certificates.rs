//! How long the cluster's certificates are still valid: those of the node, ours, and cert-manager's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube::config::Kubeconfig;
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::check::CheckResult;

const DAY: i64 = 24 * 3600;
/// kubeadm gives a year; kind nodes live longer than people think.
const SOON: i64 = 30 * DAY;
/// What kubeadm puts into a node, without the CAs, which last ten years.
pub(super) const NODE_FILES: [&str; 4] = [
    "/etc/kubernetes/pki/apiserver.crt",
    "/etc/kubernetes/pki/apiserver-kubelet-client.crt",
    "/etc/kubernetes/pki/front-proxy-client.crt",
    "/etc/kubernetes/pki/etcd/server.crt",
];

/// A certificate: for people, and its last second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    /// `the API server's certificate`.
    pub(super) what: String,
    /// When it ends.
    pub(super) until: Timestamp,
    /// Somebody renews it, and the time for that has not come.
    pub(super) renewed: bool,
}

/// Every certificate of a text of PEM blocks, by its subject; a block that is none is left out.
pub(super) fn of_pem(text: &str, owner: &str) -> Vec<Expiry> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter_map(|block| Some(&block[block.find("-----BEGIN CERTIFICATE-----")?..]));
    let parsed = blocks.filter_map(|block| Certificate::from_pem(block.as_bytes()).ok());
    parsed
        .filter_map(|certificate| {
            let seconds = certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
            let until = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
            Some(Expiry { what: format!("{} ({owner})", certificate.tbs_certificate().subject()), until, renewed: false })
        })
        .collect()
}

/// Our own client certificate in a kubeconfig.
pub(super) fn of_kubeconfig(text: &str) -> Vec<Expiry> {
    let Ok(config) = Kubeconfig::from_yaml(text) else { return Vec::new() };
    let data = config.auth_infos.into_iter().filter_map(|user| user.auth_info?.client_certificate_data);
    data.filter_map(|data| STANDARD.decode(data.trim()).ok())
        .flat_map(|pem| of_pem(&String::from_utf8_lossy(&pem), "the kubeconfig's"))
        .collect()
}

/// cert-manager's Certificates with the time of their end; those that were never issued are no matter of time.
pub(super) fn of_cert_manager(certificates: &[Value], now: Timestamp) -> Vec<Expiry> {
    let time = |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str)?.parse::<Timestamp>().ok();
    certificates
        .iter()
        .filter_map(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let until = time(object, "/status/notAfter")?;
            let renewed = time(object, "/status/renewalTime").is_some_and(|renewal| renewal > now);
            Some(Expiry { what: format!("Certificate {}/{}", text("/metadata/namespace"), text("/metadata/name")), until, renewed })
        })
        .collect()
}

/// One check: all of them are valid for a month, or which one is the next to end.
pub(super) fn certificates(all: &[Expiry], now: Timestamp) -> Option<CheckResult> {
    let (id, title) = ("certificates", "certificates are valid for another 30 days");
    let left = |expiry: &Expiry| expiry.until.as_second().saturating_sub(now.as_second());
    let mut due: Vec<&Expiry> = all.iter().filter(|expiry| left(expiry) < SOON && (!expiry.renewed || left(expiry) < 0)).collect();
    due.sort_by_key(|expiry| expiry.until);
    let next = all.iter().min_by_key(|expiry| expiry.until)?;
    let Some(first) = due.first() else {
        let saw = format!("{} certificates, the next one to end is {} in {} days", all.len(), next.what, left(next) / DAY);
        return Some(CheckResult::ok(id, title, saw));
    };
    let words: Vec<String> = due
        .iter()
        .map(|expiry| match left(expiry) {
            seconds if seconds < 0 => format!("{} ended {} days ago", expiry.what, -seconds / DAY),
            seconds => format!("{} ends in {} days", expiry.what, seconds / DAY),
        })
        .collect();
    let hint = "a cluster from `quickstart down` and `quickstart up` has new ones; to keep it: `docker exec NODE kubeadm certs renew all`, then restart the node; \
                cert-manager renews its own as soon as its pods run";
    let saw = words.join(", ");
    let check = if left(first) < 0 { CheckResult::error(id, title, saw, hint) } else { CheckResult::warning(id, title, saw, hint) };
    Some(check.named("CERT_EXPIRED"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::Outcome;

    /// Valid in 2024 only.
    const ENDED: &str = "-----BEGIN CERTIFICATE-----
MIIBGTCBwAIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5rdWJlLWFwaXNlcnZl
cjAeFw0yNDAxMDEwMDAwMDBaFw0yNTAxMDEwMDAwMDBaMBkxFzAVBgNVBAMMDmt1
YmUtYXBpc2VydmVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgAe1HOD9lKOH
PLSk17wIoJF/pylDQ0HHb5hv042BoWdM7LLLsX25+Cp7GTuOII7W3jyPCgohDjFT
jF/27n0ZcjAKBggqhkjOPQQDAgNIADBFAiAs75yQKwAJ5ZXgS21TElbZBEYTH7T4
wqoSgHTxLTzJkwIhANV3BaAKLHsNyj7QLJkbjaMb4RPpQRXjJXjph7NBUAKp
-----END CERTIFICATE-----
";

    fn day(text: &str) -> Timestamp {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn the_dates_of_pem_blocks_are_read_and_what_is_none_is_left_out() {
        let text = format!("cat: no such file\n{ENDED}-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n{ENDED}");
        let found = of_pem(&text, "node");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].what.as_str(), found[0].until), ("CN=kube-apiserver (node)", day("2025-01-01")));
        let user = STANDARD.encode(ENDED);
        let kubeconfig = format!("apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-certificate-data: {user}\n");
        assert_eq!(of_kubeconfig(&kubeconfig)[0].until, day("2025-01-01"));
        assert!(of_kubeconfig("users: 3").is_empty());
    }

    #[test]
    fn the_last_month_is_a_warning_and_what_has_ended_an_error() {
        let all = of_pem(ENDED, "node");
        let of = |now| certificates(&all, day(now)).unwrap();
        assert_eq!(
            [of("2024-06-01").result, of("2024-12-15").result, of("2025-01-03").result],
            [Outcome::Ok, Outcome::Warning, Outcome::Error]
        );
        assert!(of("2024-12-15").saw.contains("ends in 17 days"), "{:?}", of("2024-12-15"));
        assert_eq!(of("2025-01-03").error_id.as_deref(), Some("CERT_EXPIRED"));
        assert_eq!(certificates(&[], day("2024-01-01")), None);
    }

    /// A certificate that lives for a day is not due while its renewal is still to come.
    #[test]
    fn what_cert_manager_will_renew_is_not_due() {
        let certificate = |renewal: &str| {
            json!({"metadata": {"namespace": "kserve", "name": "serving-cert"},
                "status": {"notAfter": "2025-01-10T00:00:00Z", "renewalTime": renewal}})
        };
        let now = day("2025-01-01");
        let of = |renewal| certificates(&of_cert_manager(&[certificate(renewal), json!({})], now), now).unwrap();
        assert_eq!(of("2025-01-05T00:00:00Z").result, Outcome::Ok);
        let late = of("2024-12-20T00:00:00Z");
        assert_eq!(late.result, Outcome::Warning);
        assert!(late.saw.contains("Certificate kserve/serving-cert ends in 9 days"), "{late:?}");
    }
}
