//! What happens beside the sessions: the pod is looked up anew, waiting connections are tried and refilled, the gateway is looked at.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::time::{sleep, timeout};

use super::counters::Health;
use super::pool::Pool;

/// A pod that goes is noticed after this while the tunnel is used, and after [`RARELY`] otherwise.
const OFTEN: Duration = Duration::from_secs(1);
const RARELY: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(10);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: quickstart.invalid\r\nuser-agent: quickstart\r\nconnection: close\r\n\r\n";

/// Ports of our own looks through the tunnel: they are not counted as connections.
pub(super) type Own = Mutex<HashSet<u16>>;

/// Keeps the pool fit; never returns.
pub(super) async fn keep(pool: Arc<Pool>) {
    let (mut looked, mut tried, mut used, mut seen) = (Instant::now(), Instant::now(), Instant::now(), 0);
    loop {
        while pool.warm().await {}
        tokio::select! {
            () = pool.refill.notified() => {}
            () = sleep(OFTEN) => {}
        }
        let counted = pool.counters.connections.load(Relaxed) + pool.counters.up.load(Relaxed);
        if counted != seen {
            (seen, used) = (counted, Instant::now());
        }
        let busy = used.elapsed() < RARELY || pool.finder.last().is_none();
        if looked.elapsed() >= if busy { OFTEN } else { RARELY } {
            looked = Instant::now();
            look_up(&pool).await;
        }
        if tried.elapsed() >= RARELY {
            tried = Instant::now();
            try_waiting(&pool).await;
        }
    }
}

async fn look_up(pool: &Pool) {
    match pool.finder.refresh(&pool.cluster()).await {
        Ok(true) => {
            // Connections lead to the pod that was: the way is another one now.
            pool.clear();
            pool.counters.lost();
            pool.counters.found();
        }
        Ok(false) => {}
        Err(error) => pool.trouble(&error).await,
    }
}

/// A ping over each waiting connection; those that do not answer are hung up.
async fn try_waiting(pool: &Pool) {
    for _ in 0..pool.waiting() {
        let Some(mut wire) = pool.oldest() else { return };
        if wire.ping(ANSWER).await {
            pool.give(wire);
        } else {
            pool.counters.lost();
        }
    }
}

/// A request through the whole tunnel now and then: any HTTP status is an answer, and so is a server's side of TLS. Never returns.
pub(super) async fn look_through(pool: Arc<Pool>, own: Arc<Own>, port: u16) {
    let mut missed = 0;
    let (request, begins) =
        if pool.finder.service().is_tls() { (hello(), b"\x16".as_slice()) } else { (Some(GET.to_vec()), b"HTTP/".as_slice()) };
    let Some(request) = request else { return };
    loop {
        let began = Instant::now();
        let ok = timeout(LOOK, ask(&own, port, &request, begins)).await.is_ok_and(|answer| answer.is_ok());
        missed = if ok { 0 } else { missed + 1 };
        // One look that takes too long is a busy machine.
        if missed != 1 {
            pool.counters.looked(Health { ok, took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) });
        }
        sleep(if ok { LOOK } else { OFTEN }).await;
    }
}

/// The beginning of TLS, as for any client: who answers it goes on with a handshake record (RFC 8446, 5.1: 22). That is as far as a look goes.
fn hello() -> Option<Vec<u8>> {
    let config = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").ok()?;
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).ok()?;
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).ok()?;
    Some(bytes)
}

async fn ask(own: &Own, port: u16, request: &[u8], begins: &[u8]) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mine = socket.local_addr()?.port();
    own.lock().unwrap_or_else(PoisonError::into_inner).insert(mine);
    let _guard = Guard(own, mine);
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.write_all(request).await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    if answer.starts_with(begins) { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

struct Guard<'a>(&'a Own, u16);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
