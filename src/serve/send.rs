//! A piece of the bundle into a socket. On Linux the kernel moves it from the page cache; elsewhere it goes through one buffer.
//!
//! Synchronous, on a thread of the blocking pool each: a disk that must be waited for holds up one participant, not all of them, and the
//! kernel, which shares out processor and network time among threads and sockets, does so among participants.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::share::Slice;

/// Most bytes at once. What is counted and when it is looked whether to stop depend on it; speed does not, above some 100 kB.
const STEP: u64 = 1024 * 1024;
/// How often a stuck transfer looks whether it should stop.
const LOOK: Duration = Duration::from_millis(500);
/// A participant that takes nothing for so long is gone.
pub(super) const STILL: Duration = Duration::from_secs(30);

/// Sends `head` and then `slice` of `file`; counts what was sent of it. The socket blocks afterwards.
pub(super) fn send(
    mut stream: &TcpStream,
    file: &File,
    head: &[u8],
    slice: Slice,
    sent: &AtomicU64,
    stop: &CancellationToken,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(LOOK))?;
    stream.write_all(head)?;
    let (mut offset, end) = (slice.offset, slice.offset + slice.size);
    let mut moved = Instant::now();
    while offset < end {
        if stop.is_cancelled() {
            return Err(ErrorKind::Interrupted.into());
        }
        let most = usize::try_from((end - offset).min(STEP)).unwrap_or(usize::MAX);
        match step(stream, file, &mut offset, most) {
            // Somebody cut the file that was verified.
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                sent.fetch_add(count as u64, Relaxed);
                moved = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                if moved.elapsed() > STILL {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn step(stream: &TcpStream, file: &File, offset: &mut u64, most: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(stream, file, Some(offset), most)?)
}

#[cfg(not(target_os = "linux"))]
fn step(mut stream: &TcpStream, file: &File, offset: &mut u64, most: usize) -> io::Result<usize> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; most.min(256 * 1024)];
    let count = file.read_at(&mut buffer, *offset)?;
    let count = stream.write(&buffer[..count])?;
    *offset += count as u64;
    Ok(count)
}
