//! One TCP connection through the tunnel.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{sleep, timeout};

use super::pool::{Pool, Way};
use super::socket;
use super::spdy::{DATA_HEADER, Frame};
use super::watch::Pulse;
use super::wire::{Pair, Reader, Wire, Writer, text};

/// What the client has said is kept up to here, to say it again to another pod where the first one could not be dialled.
const KEPT: usize = 64 << 10;
/// Payload of one frame: what one TLS record holds.
const PAYLOAD: usize = (16 << 10) - 64;
/// How often a pod that cannot be dialled is looked for anew.
const DIALS: u32 = 12;
/// For the far end to notice, and for a client to read to the end.
const PARTING: Duration = Duration::from_secs(2);

/// How a session's passage through one pod ended.
#[derive(Debug)]
enum End {
    /// The service has said its last byte.
    Finished,
    /// Nobody listens to the service any more.
    ClientGone,
    /// The pod was never reached.
    NotDialled(String),
    /// The way broke.
    Broken(String),
}

/// What the client has said so far; `None` when it cannot be said again.
pub(super) type Early = Mutex<Option<Vec<u8>>>;

/// Carries one client from its first byte to its last.
pub(super) async fn session(mut client: TcpStream, pool: Arc<Pool>) {
    let (Ok(from), Ok(here)) = (client.peer_addr(), client.local_addr()) else { return };
    client.set_nodelay(true).ok();
    let early: Early = Mutex::new(Some(Vec::new()));
    for attempt in 1..=DIALS {
        let Ok(way) = pool.way().await else { break };
        let end = match way {
            Way::Wire(wire, pair) => through(&mut client, (from, here), *wire, pair, &pool, &early).await,
            Way::Socket(forwarder, port) => {
                socket::carry(&mut client, (from, here), forwarder, port, &pool.counters).await;
                End::Finished
            }
        };
        match end {
            End::Finished | End::ClientGone => return,
            End::NotDialled(why) => {
                pool.counters.told(why);
                pool.counters.lost();
                pool.finder.forget();
                if early.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                    break;
                }
                sleep(Duration::from_millis(25) * attempt).await;
            }
            End::Broken(why) => {
                pool.counters.told(why);
                pool.counters.lost();
                break;
            }
        }
    }
    pool.counters.failed.fetch_add(1, Relaxed);
    // An ordinary end would tell the client that this was all.
    client.set_zero_linger().ok();
}

async fn through(client: &mut TcpStream, ends: (SocketAddr, SocketAddr), wire: Wire, pair: Pair, pool: &Arc<Pool>, early: &Early) -> End {
    let Wire { mut reader, mut writer, pod } = wire;
    let again = early.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    if !again.is_empty() {
        let mut framed = vec![0; DATA_HEADER];
        framed.extend(again);
        if let Err(error) = writer.framed(pair.data, &mut framed).await {
            return End::Broken(error.to_string());
        }
    }
    let pulse = Pulse::new();
    let end = {
        let (mut from_client, mut to_client) = client.split();
        let down = down(&mut to_client, &mut reader, pair, pool, &pulse, early);
        let up = up(&mut from_client, &mut writer, pair, pool, &pulse, early);
        let watch = async {
            match up.await {
                // Half of it is closed: whatever the service still says is wanted while somebody is there to read it.
                None => pulse.gone(ends.0, ends.1).await,
                Some(end) => return end,
            }
            End::ClientGone
        };
        tokio::select! {
            end = down => end,
            end = watch => end,
            () = pulse.idle() => End::ClientGone,
        }
    };
    match &end {
        End::Finished => {
            if writer.end(pair.data).await.is_ok() {
                pool.give(Wire { reader, writer, pod });
            }
            part(client).await;
        }
        End::ClientGone => {
            // The kubelet's side lingers for a second (containerd's port-forward); what it still says belongs to streams that nobody reads.
            // Of a download that is too much: only hanging up ends it.
            if !pulse.is_flood() && writer.end(pair.data).await.is_ok() {
                pool.give(Wire { reader, writer, pod });
            }
        }
        End::NotDialled(_) | End::Broken(_) => {}
    }
    end
}

/// From the client; `None` when it has closed its side.
async fn up(client: &mut ReadHalf<'_>, writer: &mut Writer, pair: Pair, pool: &Pool, pulse: &Pulse, early: &Early) -> Option<End> {
    let mut buffer = vec![0; DATA_HEADER + PAYLOAD];
    loop {
        let count = match client.read(&mut buffer[DATA_HEADER..]).await {
            Ok(0) => return None,
            Ok(count) => count,
            Err(_) => return Some(End::ClientGone),
        };
        if let Some(kept) = early.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            kept.extend(&buffer[DATA_HEADER..DATA_HEADER + count]);
        }
        forget_if(early, |kept| kept.len() > KEPT);
        pulse.beat(0);
        if let Err(error) = writer.framed(pair.data, &mut buffer[..DATA_HEADER + count]).await {
            return Some(End::Broken(format!("the connection to the API server broke: {error}")));
        }
        pool.counters.up.fetch_add(count as u64, Relaxed);
    }
}

/// To the client, until the service has ended.
async fn down(client: &mut WriteHalf<'_>, reader: &mut Reader, pair: Pair, pool: &Pool, pulse: &Pulse, early: &Early) -> End {
    let mut answered = false;
    loop {
        match reader.frame().await {
            Ok(Frame::Data { stream, fin, bytes }) if stream == pair.data => {
                if !bytes.is_empty() {
                    if !answered {
                        answered = true;
                        forget_if(early, |_| true);
                    }
                    pulse.beat(bytes.len());
                    pool.counters.down.fetch_add(bytes.len() as u64, Relaxed);
                    if client.write_all(&bytes).await.is_err() {
                        return End::ClientGone;
                    }
                }
                if fin {
                    client.shutdown().await.ok();
                    return End::Finished;
                }
            }
            Ok(Frame::Data { stream, bytes, .. }) if stream == pair.error && !bytes.is_empty() => return said(&bytes, answered),
            Ok(Frame::Reset { stream, .. }) if stream == pair.data => return End::Broken("the kubelet ended the stream".into()),
            Ok(_) => {}
            Err(error) => {
                let why = if error.kind() == ErrorKind::UnexpectedEof { "it was closed".to_owned() } else { error.to_string() };
                return End::Broken(format!("the connection to the API server broke: {why}"));
            }
        }
    }
}

/// What the kubelet said on the error stream: was the pod reached at all?
fn said(bytes: &Bytes, answered: bool) -> End {
    const NOT_DIALLED: &[&str] = &["failed to connect", "failed to dial", "connection refused", "sandbox", "not running", "not found"];
    let text = text(bytes);
    let dialled = answered || !NOT_DIALLED.iter().any(|sign| text.contains(sign)) || text.contains("reset by peer");
    if dialled { End::Broken(text) } else { End::NotDialled(text) }
}

fn forget_if(early: &Early, condition: impl FnOnce(&Vec<u8>) -> bool) {
    let mut early = early.lock().unwrap_or_else(PoisonError::into_inner);
    if early.as_ref().is_some_and(condition) {
        *early = None;
    }
}

/// Reads what the client still says: closing over unread bytes would reset the connection, and with it what the client has not read yet.
pub(super) async fn part(client: &mut TcpStream) {
    let mut rest = [0; 4096];
    let ended = async { while client.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    timeout(PARTING, ended).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a pod that was never reached may be asked again: a request that was sent once must not be sent twice.
    #[test]
    fn what_may_be_said_again() {
        let refused = "an error occurred forwarding 8080 -> 8080: failed to connect to localhost:8080 inside namespace \"x\"";
        let (refused, reset) = (Bytes::from(refused), Bytes::from("read: connection reset by peer"));
        assert!(matches!(said(&refused, false), End::NotDialled(_)));
        assert!(matches!(said(&refused, true), End::Broken(_)));
        assert!(matches!(said(&reset, false), End::Broken(_)));
    }
}
