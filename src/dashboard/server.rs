//! Listening on 127.0.0.1, and one look at the cluster for all who ask within two seconds.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{at_once, looked};
use crate::error::{Exit, Explain, Failure};
use crate::status::{Models, Report};

/// The first port that is tried where none is asked for.
pub const DEFAULT_PORT: u16 = 7480;
/// How many ports are tried then.
const PORTS: u16 = 20;
/// Connections at a time.
const CONNECTIONS: usize = 32;
/// A look is some twenty questions to the API server: several browsers share one.
const FRESH: Duration = Duration::from_secs(2);
/// The head of a request must be whole within.
const HEAD: Duration = Duration::from_secs(10);
/// What is on its way gets so long to end.
const GRACE: Duration = Duration::from_secs(1);

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The cluster and its components.
    pub report: Report,
    /// Its models.
    pub models: Models,
}

/// Nobody can listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on 127.0.0.1:{port}")]
pub struct DashboardError {
    /// The port.
    pub port: u16,
    /// Why.
    #[source]
    pub source: std::io::Error,
}

impl Explain for DashboardError {
    fn id(&self) -> &'static str {
        "PORT_BUSY"
    }
    fn exit(&self) -> Exit {
        Exit::Prerequisite
    }
    fn hint(&self) -> Option<String> {
        Some("take another port with --port, or leave it out: the next free one is found".into())
    }
}

/// A page that is listened for.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    port: u16,
}

type Last = Mutex<Option<(Instant, Arc<Result<Seen, Failure>>)>>;

impl Server {
    /// Listens on `port` of 127.0.0.1, or on the first free one from [`DEFAULT_PORT`] on.
    pub async fn open(port: Option<u16>) -> Result<Self, DashboardError> {
        let ports = port.map_or(DEFAULT_PORT..=DEFAULT_PORT + PORTS, |port| port..=port);
        let mut failed = DashboardError { port: DEFAULT_PORT, source: std::io::ErrorKind::AddrInUse.into() };
        for port in ports {
            match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
                Ok(listener) => return Ok(Self { listener, port }),
                Err(source) => failed = DashboardError { port, source },
            }
        }
        Err(failed)
    }

    /// Where a browser finds it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Serves until told to stop; `look` is asked at most every two seconds, and only while somebody looks at the page.
    pub async fn run<L, F>(self, look: L, cancel: CancellationToken)
    where
        L: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Seen, Failure>> + Send,
    {
        let (clients, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
        let (look, last, port) = (Arc::new(look), Arc::new(Last::default()), self.port);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = accepted => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors: the next one may find some.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (look, last) = (Arc::clone(&look), Arc::clone(&last));
            let service = service_fn(move |request| {
                let (look, last) = (Arc::clone(&look), Arc::clone(&last));
                async move {
                    Ok::<_, Infallible>(match at_once(&request, port) {
                        Some(answer) => answer,
                        None => looked(&request, &*latest(&last, &*look).await),
                    })
                }
            });
            clients.spawn(async move {
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
                if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(%error, "connection ended");
                }
                drop(place);
            });
        }
        clients.close();
        drop(timeout(GRACE, clients.wait()).await);
    }
}

/// What was seen a moment ago, or a new look, which all who ask meanwhile wait for.
async fn latest<L, F>(last: &Last, look: &L) -> Arc<Result<Seen, Failure>>
where
    L: Fn() -> F,
    F: Future<Output = Result<Seen, Failure>>,
{
    let mut last = last.lock().await;
    if let Some((at, seen)) = &*last
        && at.elapsed() < FRESH
    {
        return Arc::clone(seen);
    }
    let seen = Arc::new(look().await);
    *last = Some((Instant::now(), Arc::clone(&seen)));
    seen
}
