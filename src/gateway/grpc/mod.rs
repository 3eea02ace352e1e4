//! gRPC through the gateway: HTTP/2, without TLS and without an upgrade (h2c with prior knowledge), or over TLS.

mod frame;
mod status;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Authority, CONNECT, GatewayError, MAX_ANSWER, TIMEOUT, unreachable};
use crate::error::innermost;
use frame::framed;
pub use status::Code;

/// A connection that any number of calls share, made when the first one needs it and again when it has ended. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    open: Arc<Mutex<Option<Open>>>,
    authority: Option<Authority>,
}

#[derive(Clone, Debug)]
struct Open {
    port: u16,
    sender: SendRequest<Full<Bytes>>,
    http1: Arc<AtomicBool>,
}

impl Line {
    /// Not connected yet; `authority`: over TLS.
    pub(super) fn new(authority: Option<&Authority>) -> Self {
        Self { open: Arc::default(), authority: authority.cloned() }
    }

    /// One call of a method (`/package.Service/Method`): a message there, a message back.
    pub(super) async fn call(&self, port: u16, host: &str, method: &str, message: &[u8]) -> Result<Vec<u8>, GatewayError> {
        let (scheme, name) = self.authority.as_ref().map_or(("http", host), |authority| ("https", authority.name_for(host)));
        let unreachable = |message: String| unreachable(port, name, message);
        let called = timeout(TIMEOUT, async {
            let mut open = self.open(port, name).await?;
            let request = Request::builder()
                .method(Method::POST)
                .uri(format!("{scheme}://{host}{method}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("grpc-timeout", format!("{}S", TIMEOUT.as_secs()))
                .header("user-agent", concat!("grpc-quickstart/", env!("CARGO_PKG_VERSION")))
                .body(Full::new(framed(message)))
                .map_err(|error| GatewayError::Unreadable { host: host.to_owned(), message: error.to_string() })?;
            let failed = |error: &hyper::Error| {
                if open.http1.load(Relaxed) {
                    let saw = format!("127.0.0.1:{port} speaks HTTP/1 and not HTTP/2");
                    GatewayError::NotGrpc { host: host.to_owned(), saw }
                } else {
                    unreachable(innermost(error))
                }
            };
            let response = open.sender.send_request(request).await.map_err(|error| failed(&error))?;
            let (head, body) = response.into_parts();
            let (body, trailers) = whole(body).await.map_err(|error| failed(&error))?;
            if body.len() > MAX_ANSWER {
                let message = format!("it is longer than {MAX_ANSWER} bytes");
                return Err(GatewayError::Unreadable { host: host.to_owned(), message });
            }
            status::judge(host, head.status, &head.headers, trailers.as_ref(), &body)
        });
        called.await.unwrap_or_else(|_| Err(unreachable(format!("no answer within {} s", TIMEOUT.as_secs()))))
    }

    async fn open(&self, port: u16, name: &str) -> Result<Open, GatewayError> {
        let mut held = self.open.lock().await;
        if let Some(open) = held.as_ref().filter(|open| open.port == port && !open.sender.is_closed()) {
            return Ok(open.clone());
        }
        let failed = |error: &io::Error| unreachable(port, name, innermost(error));
        let connecting = async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true).map(|()| stream)
        };
        let stream = timeout(CONNECT, connecting).await.unwrap_or_else(|late| Err(late.into())).map_err(|error| failed(&error))?;
        let http1 = Arc::new(AtomicBool::new(false));
        let sender = match &self.authority {
            None => {
                let heard = Heard { stream, nothing_yet: true, http1: Arc::clone(&http1) };
                begun(heard).await
            }
            Some(authority) => {
                let server = ServerName::try_from(name.to_owned()).map_err(|error| unreachable(port, name, error.to_string()))?;
                let connecting = TlsConnector::from(Arc::new(authority.http2()?)).connect(server, stream);
                let stream = timeout(CONNECT, connecting).await.unwrap_or_else(|late| Err(late.into())).map_err(|error| failed(&error))?;
                // Who does not speak HTTP/2 agrees to none.
                http1.store(stream.get_ref().1.alpn_protocol() != Some(b"h2"), Relaxed);
                begun(stream).await
            }
        };
        let sender = sender.map_err(|error| unreachable(port, name, innermost(&error)))?;
        Ok(held.insert(Open { port, sender, http1 }).clone())
    }
}

async fn begun<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Result<SendRequest<Full<Bytes>>, hyper::Error> {
    let (sender, connection) = Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(TokioIo::new(stream)).await?;
    // Ends with the last sender; what goes wrong with it is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

/// The body, up to somewhat more than [`MAX_ANSWER`], and what follows it.
async fn whole(mut body: Incoming) -> Result<(Vec<u8>, Option<HeaderMap>), hyper::Error> {
    let (mut bytes, mut trailers) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if bytes.len() > MAX_ANSWER {
            break;
        }
    }
    Ok((bytes, trailers))
}

/// A stream that notices an answer in HTTP/1, which to HTTP/2 is a frame too large.
#[derive(Debug)]
struct Heard {
    stream: TcpStream,
    nothing_yet: bool,
    http1: Arc<AtomicBool>,
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if std::mem::take(&mut self.nothing_yet) && buffer.filled()[before..].starts_with(b"HTTP/1") {
            self.http1.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
