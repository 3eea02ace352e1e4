//! An engine behind TLS that wants to know who asks: what the fake engine's socket says, to whoever has the client's certificate.
//!
//! Authority, certificates and keys (`tls/engine-*`) are for these tests alone; the authority's key was thrown away.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

/// Opens it on a port of 127.0.0.1; it stops with the runtime.
pub async fn before(socket: PathBuf) -> SocketAddr {
    let certificates = |name: &str| CertificateDer::pem_file_iter(file(name)).unwrap().map(Result::unwrap);
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates("engine-ca.pem"));
    let clients = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(file("engine-server-key.pem")).unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(clients);
    let config = config.with_single_cert(certificates("engine-server.pem").collect(), key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let Ok(mut inside) = UnixStream::connect(socket).await else { return };
                drop(tokio::io::copy_bidirectional(&mut outside, &mut inside).await);
            });
        }
    });
    address
}

/// Puts a client's certificates into a folder, under the names that docker gives them.
pub fn certificates(folder: &Path, with_key: bool) {
    fs_err::create_dir_all(folder).unwrap();
    let mut names = vec![("engine-ca.pem", "ca.pem")];
    if with_key {
        names.extend([("engine-client.pem", "cert.pem"), ("engine-client-key.pem", "key.pem")]);
    }
    for (from, to) in names {
        fs_err::copy(file(from), folder.join(to)).unwrap();
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}
