//! The authority that signed the gateway's certificate: made by cert-manager for this cluster, read from it, trusted for it alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::GatewayError;
use crate::cluster::Cluster;
use crate::config::Scheme;
use crate::plan::CERTIFICATE;

/// How rustls begins when it refuses a certificate (`Error::InvalidCertificate`).
pub(super) const REFUSED: &str = "invalid peer certificate: ";
/// The name that every certificate of ours has: where we connect to.
const HERE: &str = "localhost";

/// What the gateway's certificate is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    pem: String,
    names: Vec<String>,
    file: PathBuf,
}

impl Authority {
    /// Asks the cluster for it, where its gateway speaks HTTPS.
    ///
    /// # Errors
    /// [`GatewayError::NoAuthority`].
    pub async fn of(cluster: &Cluster, scheme: Scheme) -> Result<Option<Self>, GatewayError> {
        if scheme.is_http() {
            return Ok(None);
        }
        let (namespace, name) = CERTIFICATE;
        let (secret, certificate) = (
            format!("/api/v1/namespaces/{namespace}/secrets/{name}"),
            format!("/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/{name}"),
        );
        let asked = async { tokio::join!(cluster.find(&secret), cluster.find(&certificate)) };
        let (secret, certificate) = Box::pin(asked).await;
        let unread = |message: String| GatewayError::NoAuthority { message };
        let secret = secret.map_err(|error| unread(error.to_string()))?.unwrap_or_default();
        let names = certificate.ok().flatten().unwrap_or_default();
        let names = names.pointer("/spec/dnsNames").and_then(Value::as_array).into_iter().flatten();
        let text = secret.pointer("/data").and_then(|data| data.get("ca.crt")).and_then(Value::as_str).unwrap_or_default();
        let pem = base64::engine::general_purpose::STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pem = pem.filter(|pem| !pem.is_empty()).ok_or_else(|| unread(format!("Secret {namespace}/{name} has no ca.crt")))?;
        let names = names.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Some(Self { pem, names, file: "ca.crt".into() }))
    }

    /// The certificate, as other programs read it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Where a copy of it lies.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A copy of it lies there.
    #[must_use]
    pub fn at(self, file: &Path) -> Self {
        Self { file: file.to_owned(), ..self }
    }

    /// The name that the certificate is to be for: the model's host, where it claims to be. A wildcard does not reach into other namespaces;
    /// whoever answers there is known by the name that is always in it.
    pub(super) fn name_for<'a>(&self, host: &'a str) -> &'a str {
        let below = |name: &str| name.strip_prefix("*.").is_some_and(|end| host.split_once('.').is_some_and(|(_, rest)| rest == end));
        if self.names.iter().any(|name| name == host || below(name)) { host } else { HERE }
    }

    /// For a connection of HTTP/2 that trusts nobody else.
    pub(super) fn http2(&self) -> Result<ClientConfig, GatewayError> {
        let unread = |message: String| GatewayError::NoAuthority { message };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.pem.as_bytes()) {
            let certificate = certificate.map_err(|error| unread(error.to_string()))?;
            roots.add(certificate).map_err(|error| unread(error.to_string()))?;
        }
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// A client that trusts nobody else, and for which every name is this machine.
    pub(super) fn trusted(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, GatewayError> {
        let certificate = reqwest::Certificate::from_pem(self.pem.as_bytes());
        let certificate = certificate.map_err(|error| GatewayError::NoAuthority { message: error.to_string() })?;
        Ok(builder.tls_certs_only([certificate]).dns_resolver(Arc::new(Here)))
    }
}

/// The gateway listens on this machine, whatever it is called.
#[derive(Debug)]
struct Here;

impl Resolve for Here {
    fn resolve(&self, _: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        Box::pin(std::future::ready(Ok(here)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of another namespace was refused: no wildcard stands for two labels.
    #[test]
    fn a_host_is_the_name_where_the_certificate_has_it() {
        let names = ["*.example.com", "*.kserve-test.example.com", "localhost", "one.test"].map(str::to_owned).to_vec();
        let authority = Authority { pem: String::new(), names, file: PathBuf::new() };
        for host in ["m.kserve-test.example.com", "m-kserve-test.example.com", "one.test"] {
            assert_eq!(authority.name_for(host), host);
        }
        for host in ["m.other.example.com", "example.com", "two.test", "quickstart.invalid"] {
            assert_eq!(authority.name_for(host), "localhost", "{host}");
        }
    }
}
