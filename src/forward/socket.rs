//! One TCP connection through a websocket, for API servers and proxies that do not speak SPDY.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use kube::api::Portforwarder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::counters::Counters;
use super::session::part;
use super::watch::Pulse;

const END: Duration = Duration::from_secs(5);

/// Carries a client. kube throws away what the pod says after our side is closed, so it stays open until the pod has ended.
pub(super) async fn carry(
    client: &mut TcpStream,
    (from, here): (SocketAddr, SocketAddr),
    mut forwarder: Portforwarder,
    port: u16,
    counters: &Counters,
) {
    let Some(pod) = forwarder.take_stream(port) else { return };
    let pulse = Pulse::new();
    let finished = {
        let (mut from_pod, mut to_pod) = tokio::io::split(pod);
        let (mut from_client, mut to_client) = client.split();
        let up = async {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
                pulse.beat(0);
                if to_pod.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
                counters.up.fetch_add(count as u64, Relaxed);
            }
            pulse.gone(from, here).await;
        };
        let down = async {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(count @ 1..) = from_pod.read(&mut buffer).await {
                pulse.beat(count);
                counters.down.fetch_add(count as u64, Relaxed);
                if to_client.write_all(&buffer[..count]).await.is_err() {
                    return false;
                }
            }
            to_client.shutdown().await.ok();
            true
        };
        tokio::select! {
            finished = down => finished,
            () = up => false,
            () = pulse.idle() => false,
        }
    };
    if finished {
        part(client).await;
    }
    // A forwarder that is only dropped lives on.
    forwarder.abort();
    timeout(END, forwarder.join()).await.ok();
}
