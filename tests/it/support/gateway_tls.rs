//! The fake gateway's HTTPS: when it is open, and with whose certificate.
//!
//! Authority, certificate and key (`tls/gateway*`) are for these tests alone and were made with openssl for a hundred years; the
//! authority's key was thrown away.

use std::{path::PathBuf, sync::Arc};

use base64::Engine as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::store::World;

/// kind maps this one.
const NODE_PORT: u64 = 31080;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}

/// A server with the certificate of this name.
pub fn acceptor(name: &str) -> TlsAcceptor {
    drop(rustls::crypto::ring::default_provider().install_default());
    let certificates = CertificateDer::pem_file_iter(file(&format!("{name}.pem"))).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file(&format!("{name}-key.pem"))).unwrap();
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// The data of the Secret that cert-manager makes where an authority signs.
pub fn signed() -> Value {
    let text = |name: &str| base64::engine::general_purpose::STANDARD.encode(fs_err::read(file(name)).unwrap());
    json!({"tls.crt": text("gateway.pem"), "tls.key": text("gateway-key.pem"), "ca.crt": text("gateway-ca.pem")})
}

/// The authority's certificate.
pub fn authority() -> String {
    fs_err::read_to_string(file("gateway-ca.pem")).unwrap()
}

/// Does the mapped node port lead to the port for HTTPS?
pub fn is_mapped(world: &World) -> bool {
    let service = world.find("", "services", "istio-system", "istio-ingressgateway");
    let ports = service.and_then(|service| service["spec"]["ports"].as_array()).into_iter().flatten();
    ports.into_iter().any(|port| port["nodePort"] == NODE_PORT && port["port"] == 443)
}

/// Is there a Gateway for it, its Secret, and somebody to whom all of it goes?
pub fn is_open(world: &World) -> bool {
    let istio = |plural: &str| world.find("networking.istio.io", plural, "istio-system", "quickstart-https");
    let secret = istio("gateways").and_then(|gateway| gateway["spec"]["servers"][0]["tls"]["credentialName"].as_str().map(str::to_owned));
    secret.is_some_and(|name| world.find("", "secrets", "istio-system", &name).is_some()) && istio("virtualservices").is_some()
}
