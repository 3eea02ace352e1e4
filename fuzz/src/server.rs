//! A server on localhost that answers with whatever a target wants.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The one runtime of a target.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        drop(rustls::crypto::ring::default_provider().install_default());
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// Makes an answer, bytes on the wire, out of a request's head.
type Answer = Arc<Mutex<Box<dyn Fn(&str) -> Vec<u8> + Send>>>;

/// Answers each connection once and closes it.
pub struct Server {
    /// Where it listens.
    pub port: u16,
    answer: Answer,
}

impl Server {
    /// Listens on a port of localhost.
    pub fn start() -> Self {
        let answer: Answer = Arc::new(Mutex::new(Box::new(|_| Vec::new())));
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a port of localhost");
        let port = listener.local_addr().expect("its number").port();
        let shared = Arc::clone(&answer);
        runtime().spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, answer }
    }

    /// What is answered from now on.
    pub fn answers(&self, answer: impl Fn(&str) -> Vec<u8> + Send + 'static) {
        *self.answer.lock().expect("the answer") = Box::new(answer);
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let bytes = (answer.lock().expect("the answer"))(&String::from_utf8_lossy(&request));
    if stream.write_all(&bytes).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    // What is left unread would make the end a reset.
    let rest = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
    drop(tokio::time::timeout(Duration::from_secs(2), rest).await);
}
