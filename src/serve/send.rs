//! A piece of the bundle into a socket. On Linux the kernel moves it from the page cache; elsewhere it goes through one buffer.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::share::Slice;

/// Most bytes at once: a participant that takes them as fast as they come lets the others have their turn then.
const STEP: u64 = 512 * 1024;
/// A participant that takes nothing for so long is gone.
pub(super) const STILL: Duration = Duration::from_secs(30);

/// Sends `head` and then `slice` of `file`; counts what was sent of it. Waits for the socket, never for longer than [`STILL`]; a file that
/// is not in the page cache is waited for on this thread, so this belongs on threads that have nothing else to do.
pub(super) async fn send(stream: &mut TcpStream, file: &File, head: &[u8], slice: Slice, sent: &AtomicU64) -> io::Result<()> {
    timeout(STILL, stream.write_all(head)).await??;
    let (mut offset, end) = (slice.offset, slice.offset + slice.size);
    while offset < end {
        let most = usize::try_from((end - offset).min(STEP)).unwrap_or(usize::MAX);
        match timeout(STILL, stream.async_io(Interest::WRITABLE, || step(stream, file, &mut offset, most))).await?? {
            // Somebody cut the file that was verified.
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => sent.fetch_add(count as u64, Relaxed),
        };
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
