//! The proxies that kind hands on to its nodes.

/// What of the environment says about proxies; filled by `config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// HTTP_PROXY, http_proxy, HTTPS_PROXY or https_proxy is set and not empty.
    pub any: bool,
    /// NO_PROXY, else no_proxy.
    pub no_proxy: Option<String>,
}

/// What a cluster's own traffic needs beside kind's own additions: kubeadm's defaults for services and pods as kind sets them.
const DIRECT: [&str; 8] =
    ["localhost", "127.0.0.1", "::1", "10.96.0.0/16", "10.244.0.0/16", ".svc", ".svc.cluster.local", ".cluster.local"];

impl Proxies {
    /// NO_PROXY and no_proxy with the cluster's own names and addresses added; nothing without a proxy.
    pub fn variables(&self) -> Vec<(String, String)> {
        if !self.any {
            return Vec::new();
        }
        let mut entries: Vec<&str> =
            self.no_proxy.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        for entry in DIRECT {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let value = entries.join(",");
        ["NO_PROXY", "no_proxy"].map(|name| (name.to_owned(), value.clone())).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_never_sees_the_clusters_own_traffic() {
        assert_eq!(Proxies { any: false, no_proxy: Some("x".into()) }.variables(), []);
        let variables = Proxies { any: true, no_proxy: Some("corp.example, localhost".into()) }.variables();
        assert_eq!(variables[0].0, "NO_PROXY");
        assert_eq!(
            variables[1].1,
            "corp.example,localhost,127.0.0.1,::1,10.96.0.0/16,10.244.0.0/16,.svc,.svc.cluster.local,.cluster.local"
        );
    }
}
