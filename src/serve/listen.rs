//! The listening side: who gets a connection, and how all of them end.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Hall, connection};
use super::room::Room;
use super::{ServeError, Share};
use crate::fetch::Secret;

/// The first port that is tried where none is asked for.
pub const DEFAULT_PORT: u16 = 7474;
/// How many ports are tried then.
const PORTS: u16 = 50;
/// Connections at a time; more wait in the listener's queue. Below the usual limit of 1,024 files.
const CONNECTIONS: usize = 800;
/// Threads that send pieces of the bundle. A disk that must be waited for holds up those whose turn it was on one of them, and nobody else.
const CARRIERS: usize = 2;
/// What is on its way gets so long to end.
const GRACE: Duration = Duration::from_secs(3);

/// A room that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    room: Arc<Room>,
}

impl Server {
    /// Listens on `port` of an address, or, where none is asked for, on the first free one from [`DEFAULT_PORT`] on.
    pub async fn open(share: Share, secret: &Secret, address: IpAddr, port: Option<u16>) -> Result<Self, ServeError> {
        let ports = port.map_or(DEFAULT_PORT..=DEFAULT_PORT + PORTS, |port| port..=port);
        let mut failed = None;
        for port in ports {
            let at = SocketAddr::new(address, port);
            match TcpListener::bind(at).await {
                Ok(listener) => return Ok(Self { listener, room: Arc::new(Room::new(share, secret)) }),
                Err(source) => {
                    let busy = source.kind() == std::io::ErrorKind::AddrInUse;
                    failed = Some(ServeError::Listen { address: at, source });
                    if !busy {
                        break;
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| ServeError::Listen {
            address: SocketAddr::new(address, DEFAULT_PORT),
            source: std::io::ErrorKind::AddrInUse.into(),
        }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or_else(|_| SocketAddr::new(IpAddr::from([127, 0, 0, 1]), DEFAULT_PORT))
    }

    /// What is served.
    pub fn share(&self) -> &Share {
        &self.room.share
    }

    /// Serves until told to stop; what is on its way then gets three seconds.
    pub async fn run(self, cancel: CancellationToken) -> std::io::Result<()> {
        let carriers = tokio::runtime::Builder::new_multi_thread().worker_threads(CARRIERS).thread_name("carrier").enable_all().build()?;
        let (clients, places, stop) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)), CancellationToken::new());
        let hall = Hall { room: Arc::clone(&self.room), carriers: carriers.handle().clone(), stop: stop.clone() };
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.listener.accept().await, place)
            };
            let (accepted, place) = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = accepted => accepted,
            };
            let Ok((stream, from)) = accepted else {
                // Out of file descriptors: the next one may find some.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let hall = hall.clone();
            clients.spawn(async move {
                if let Err(error) = connection(hall, stream, from).await {
                    tracing::debug!(%from, %error, "connection ended");
                }
                drop(place);
            });
        }
        drop(self.listener);
        clients.close();
        if timeout(GRACE, clients.wait()).await.is_err() {
            stop.cancel();
            drop(timeout(GRACE, clients.wait()).await);
        }
        carriers.shutdown_background();
        Ok(())
    }
}
