//! What a node that slept may need: its new address in its own files, certificates that still hold.
//!
//! kind's entrypoint writes a new address into the static pods' manifests and makes the API server's certificate anew when the container
//! starts (`images/base/files/usr/local/bin/entrypoint`, `enable_network_magic`). What is left is an address that it could not know then,
//! because the container's network came later or its own memory of the old one (`/kind/old-ipv4`) was lost.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::docker::{DockerError, Engine, Node};
use crate::error::{Exit, Failure};

/// Certificates that end sooner are renewed; the kubelet renews its own when a third of their time is left.
const SOON: i64 = 30 * 24 * 60 * 60;
/// Without a byte from a command in the node.
const IDLE: Duration = Duration::from_secs(60);

/// `$1` is the address that the engine says. Prints the old one where it stood in the files.
const ADDRESS: &str = r#"
etcd=/etc/kubernetes/manifests/etcd.yaml
[ -f "$etcd" ] || exit 0
old=$(sed -n 's#.*--advertise-client-urls=https://\([0-9.]*\):.*#\1#p' "$etcd")
[ -n "$old" ] && [ "$old" != "$1" ] || exit 0
pattern=$(echo "$old" | sed 's#\.#\\.#g')
for file in "$etcd" /etc/kubernetes/manifests/kube-*.yaml /etc/kubernetes/*.conf /kind/kubeadm.conf /var/lib/kubelet/kubeadm-flags.env; do
  [ -f "$file" ] && sed -i "s#\b$pattern\b#$1#g" "$file"
done
rm -f /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key
kubeadm init phase certs apiserver --config /kind/kubeadm.conf >/dev/null || exit 1
printf %s "$1" >/kind/old-ipv4
systemctl restart kubelet
echo "$old"
"#;

/// The kubelet renews its own certificate, unless it slept through the end of it. Prints a line when it got another one.
const KUBELET: &str = r#"
pem=/var/lib/kubelet/pki/kubelet-client-current.pem
[ -e "$pem" ] && command -v openssl >/dev/null || exit 0
openssl x509 -noout -checkend 3600 -in "$pem" >/dev/null && exit 0
rm -f "$pem" /etc/kubernetes/kubelet.conf
kubeadm init phase kubeconfig kubelet --config /kind/kubeadm.conf >/dev/null || exit 1
systemctl restart kubelet
echo renewed
"#;

/// Static pods read their certificates when they start, and the kubelet starts again what ends. One after the other, etcd first: an API
/// server that does not find its etcd is put off for longer each time. By process, because not every node has a crictl.
const RESTART: &str = r#"
running() {
  for process in /proc/[0-9]*; do
    read -r found 2>/dev/null <"$process/comm" || continue
    [ "$found" = "$1" ] && echo "${process#/proc/}"
  done
}
for name in etcd kube-apiserver kube-controller kube-scheduler; do
  echo "$name"
  old=$(running "$name")
  [ -n "$old" ] || continue
  kill $old
  for _ in $(seq 60); do
    now=$(running "$name")
    [ -n "$now" ] && [ "$now" != "$old" ] && break
    sleep 0.5
  done
done
exit 0
"#;

const CHECK: &[&str] = &["kubeadm", "certs", "check-expiration", "--config", "/kind/kubeadm.conf", "-o", "json"];
const RENEW: &[&str] = &["kubeadm", "certs", "renew", "all", "--config", "/kind/kubeadm.conf"];

/// What was repaired, as sentences; `renewed` says that older kubeconfigs will not do any more.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    pub(super) notes: Vec<String>,
    pub(super) renewed: bool,
}

/// Looks at one node that runs, and repairs it. `outdated` hears of new certificates before they are made: whoever is interrupted then must
/// not believe in the old ones.
pub(super) async fn node(engine: &Engine, node: &Node, outdated: impl Fn()) -> Result<Repaired, Failure> {
    let mut repaired = Repaired::default();
    if node.role != "control-plane" {
        return Ok(repaired);
    }
    let container = node.name.as_str();
    if let Some(address) = &node.address {
        let old = engine.exec_ok(container, &["sh", "-c", ADDRESS, "sh", address], IDLE).await?;
        if let Some(old) = old.lines().next().filter(|old| !old.trim().is_empty()) {
            repaired.notes.push(format!("{container} has another address now: {} became {address} in its files", old.trim()));
        }
    }
    let (soonest, authority) = match engine.exec(container, CHECK, IDLE).await? {
        output if output.code == 0 => ends(&output.stdout),
        // kubeadm before 1.30 cannot say it as JSON; its clusters renew nothing here and lose nothing.
        output => {
            tracing::warn!(code = output.code, said = output.stderr, "the ends of the certificates cannot be read");
            (None, None)
        }
    };
    let now = jiff::Timestamp::now();
    let days = |end: jiff::Timestamp| (end.as_second() - now.as_second()) / (24 * 60 * 60);
    let soon = |end: &&Certificate| end.expiration_date.as_second() - now.as_second() < SOON;
    if let Some(authority) = authority.as_ref().filter(soon) {
        return Err(Failure::new("CERTIFICATES_EXPIRED", Exit::StageFailed, "the cluster's own certificate authority ends")
            .cause(format!("{} of {container} ends on {}", authority.name, authority.expiration_date))
            .hint("nothing renews it: `quickstart reset --keep-user` makes a fresh cluster"));
    }
    if let Some(soonest) = soonest.as_ref().filter(soon) {
        outdated();
        engine.exec_ok(container, RENEW, IDLE).await.map_err(|error| cannot_renew(soonest, &error))?;
        engine.exec_ok(container, &["sh", "-c", RESTART], IDLE).await?;
        let left = days(soonest.expiration_date);
        let when = if left < 0 {
            "had ended".to_owned()
        } else {
            format!("would have ended in {left} {}", if left == 1 { "day" } else { "days" })
        };
        repaired.notes.push(format!("the cluster's certificates {when} ({}): they were renewed", soonest.name));
        repaired.renewed = true;
    }
    let kubelet = engine.exec_ok(container, &["sh", "-c", KUBELET], IDLE).await?;
    if !kubelet.trim().is_empty() {
        repaired.notes.push(format!("the certificate of {container}'s kubelet had ended: it has another one"));
    }
    Ok(repaired)
}

fn cannot_renew(soonest: &Certificate, error: &DockerError) -> Failure {
    Failure::new("CERTIFICATES_EXPIRED", Exit::StageFailed, "the cluster's certificates end, and could not be renewed")
        .cause(format!("{} ends on {}: {error}", soonest.name, soonest.expiration_date))
        .hint("`quickstart reset --keep-user` makes a fresh cluster")
}

/// Of `kubeadm certs check-expiration -o json` (`output.kubeadm.k8s.io`, kind CertificateExpirationInfo).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    name: String,
    expiration_date: jiff::Timestamp,
    #[serde(default)]
    missing: bool,
}

/// The certificate and the authority that end first. kubeadm may talk before it answers.
fn ends(text: &str) -> (Option<Certificate>, Option<Certificate>) {
    let json = text.find('{').map_or("", |start| &text[start..]);
    let Ok(value) = serde_json::from_str::<Value>(json) else {
        tracing::warn!(text, "the ends of the certificates cannot be read");
        return (None, None);
    };
    let first = |key: &str| {
        let all = value.get(key).and_then(Value::as_array).into_iter().flatten();
        let read = all.filter_map(|one| serde_json::from_value::<Certificate>(one.clone()).ok());
        read.filter(|one| !one.missing).min_by_key(|one| one.expiration_date)
    };
    (first("certificates"), first("certificateAuthorities"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_that_ends_first_counts() {
        let text = "[check-expiration] Reading configuration\n{\"certificates\": [\
            {\"name\": \"admin.conf\", \"expirationDate\": \"2027-11-21T10:00:00Z\", \"residualTime\": 1, \"missing\": false},\
            {\"name\": \"super-admin.conf\", \"expirationDate\": \"0001-01-01T00:00:00Z\", \"missing\": true},\
            {\"name\": \"apiserver\", \"expirationDate\": \"2027-01-01T10:00:00Z\"}],\
            \"certificateAuthorities\": [{\"name\": \"ca\", \"expirationDate\": \"2036-11-19T10:00:00Z\"}]}";
        let (soonest, authority) = ends(text);
        assert_eq!((soonest.unwrap().name, authority.unwrap().name), ("apiserver".to_owned(), "ca".to_owned()));
        assert!(ends("W1121 deprecated").0.is_none());
    }
}
