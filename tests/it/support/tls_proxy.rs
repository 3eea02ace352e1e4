//! A proxy that opens TLS, as offices have them: it speaks for github.com and its file servers with a certificate of its own authority.
//!
//! The certificate, its key and the authority (`tls/`) are for these tests alone and trusted by nobody; the authority's key was
//! thrown away. They were made with openssl for a hundred years.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::wire::{self, Reply};

/// The proxy; it stops with the runtime.
#[derive(Clone, Debug)]
pub struct TlsProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TlsProxy {
    /// A proxy whose every page is this code and body.
    pub async fn start(code: u16, body: &'static [u8]) -> Self {
        let certificates: Vec<_> = CertificateDer::pem_file_iter(file("cert.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
        let (acceptor, asked) = (TlsAcceptor::from(Arc::new(config)), Arc::new(Mutex::new(Vec::new())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, asked) = (acceptor.clone(), Arc::clone(&asked));
                tokio::spawn(async move {
                    let Some(stream) = tunnel(stream).await else { return };
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = |got: wire::Got| {
                        asked.lock().unwrap().push(got.path);
                        async move { Reply::Full(code, "application/octet-stream", body.to_vec()) }
                    };
                    wire::serve(stream, answer).await;
                });
            }
        });
        this
    }

    /// For HTTPS_PROXY.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The authority's certificate, for SSL_CERT_FILE.
    pub fn authority() -> PathBuf {
        file("ca.pem")
    }

    /// Paths that were asked for inside TLS.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls").join(name)
}

/// Reads `CONNECT host:443` and agrees to it.
async fn tunnel(mut stream: TcpStream) -> Option<TcpStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    head.starts_with(b"CONNECT ").then_some(())?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
    Some(stream)
}
