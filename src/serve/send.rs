//! A piece of the bundle into a socket. On Linux the kernel moves it from the page cache; elsewhere it goes through one buffer.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fair::Turn;
use super::share::Slice;

/// Most bytes at once: a participant that takes them as fast as they come lets the others have their turn then.
const STEP: u64 = 512 * 1024;
/// A participant that takes nothing for so long is gone.
pub(super) const STILL: Duration = Duration::from_secs(30);

/// Sends `head` and then `slice` of `file`; counts what was sent of it. Waits for the socket, never for longer than [`STILL`]; a file that
/// is not in the page cache is waited for on this thread, so this belongs on threads that have nothing else to do.
pub(super) async fn send(stream: &mut TcpStream, file: &File, head: &[u8], slice: Slice, sent: &AtomicU64, turn: &Turn) -> io::Result<()> {
    timeout(STILL, stream.write_all(head)).await??;
    let (mut offset, end) = (slice.offset, slice.offset + slice.size);
    while offset < end {
        turn.wait().await;
        let most = usize::try_from((end - offset).min(STEP)).unwrap_or(usize::MAX);
        match timeout(STILL, stream.async_io(Interest::WRITABLE, || step(stream, file, &mut offset, most))).await?? {
            // Somebody cut the file that was verified.
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => {
                sent.fetch_add(count as u64, Relaxed);
                turn.took(count as u64);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn step(stream: &TcpStream, file: &File, offset: &mut u64, most: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(stream, file, Some(offset), most)?)
}

#[cfg(not(target_os = "linux"))]
fn step(stream: &TcpStream, file: &File, offset: &mut u64, most: usize) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; most.min(256 * 1024)];
    let count = file.read_at(&mut buffer, *offset)?;
    let count = stream.try_write(&buffer[..count])?;
    *offset += count as u64;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::super::fair::Shares;
    use super::*;

    /// Over real sockets: a participant who opened eight connections had eight turns in each round.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn eight_connections_get_no_eight_shares() {
        const ENOUGH: u64 = 128 << 20;
        let file = tempfile::tempfile().unwrap();
        file.set_len(64 << 30).unwrap();
        let file = Arc::new(file);
        let shares = Arc::new(Shares::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sent: [Arc<AtomicU64>; 2] = Default::default();
        let mut all = tokio::task::JoinSet::new();
        for client in [1_u8, 0, 0, 0, 0, 0, 0, 0, 0] {
            let mut taker = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let turn = shares.enter([192, 0, 2, client].into());
            let (file, sent) = (Arc::clone(&file), Arc::clone(&sent[usize::from(client)]));
            all.spawn(async move {
                let _ = send(&mut stream, &file, b"", Slice { offset: 0, size: 64 << 30 }, &sent, &turn).await;
            });
            all.spawn(async move {
                let mut buffer = vec![0; 1 << 20];
                while matches!(taker.read(&mut buffer).await, Ok(count) if count > 0) {}
            });
        }
        while sent[1].load(Relaxed) < ENOUGH {
            tokio::task::yield_now().await;
        }
        let (eight, one) = (sent[0].load(Relaxed), sent[1].load(Relaxed));
        all.shutdown().await;
        assert!(eight < one * 2, "eight connections got {eight}, one got {one}");
    }
}
