//! One upgraded connection to a pod's kubelet. It carries one TCP connection at a time and is used again when that ended in order.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::spdy::{self, DATA_HEADER, Frame, Opener};
use crate::cluster::Raw;

/// How long the far end may take to accept a stream.
const ACCEPT: Duration = Duration::from_secs(5);

/// The connection; both halves can be used at the same time.
pub(super) struct Wire {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Pod at its other end.
    pub(super) pod: String,
}

/// What comes.
pub(super) struct Reader {
    io: ReadHalf<Raw>,
    buffer: BytesMut,
}

/// What goes.
pub(super) struct Writer {
    io: WriteHalf<Raw>,
    opener: Opener,
    next: u32,
}

/// The two streams of a connection to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) error: u32,
    pub(super) data: u32,
}

impl Wire {
    /// Over a connection that was just upgraded.
    pub(super) fn new(raw: Raw, pod: String) -> Self {
        let (read, write) = tokio::io::split(raw);
        let reader = Reader { io: read, buffer: BytesMut::with_capacity(64 << 10) };
        Self { reader, writer: Writer { io: write, opener: Opener::default(), next: 1 }, pod }
    }

    /// Opens a connection to a port of the pod. Nothing was sent to the pod before this has succeeded.
    pub(super) async fn open(&mut self, port: u16) -> io::Result<Pair> {
        let pair = self.writer.open(port).await?;
        let accepted = async {
            loop {
                match self.reader.frame().await? {
                    Frame::Reply { stream } if stream == pair.data => return Ok(pair),
                    Frame::Reset { stream, .. } if stream == pair.data || stream == pair.error => {
                        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the kubelet refused the stream"));
                    }
                    Frame::GoAway => return Err(io::ErrorKind::ConnectionAborted.into()),
                    _ => {}
                }
            }
        };
        timeout(ACCEPT, accepted).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Has the other side hung up? Looks at what has come, without waiting.
    pub(super) fn is_dead(&mut self) -> bool {
        loop {
            match self.reader.frame().now_or_never() {
                None => return false,
                Some(Err(_) | Ok(Frame::GoAway)) => return true,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Does the other side still answer?
    pub(super) async fn ping(&mut self, patience: Duration) -> bool {
        let asked = async {
            let id = self.writer.next;
            self.writer.io.write_all(&spdy::ping(id)).await?;
            self.writer.io.flush().await?;
            loop {
                match self.reader.frame().await? {
                    Frame::Ping { id: answered } if answered == id => return Ok::<_, io::Error>(()),
                    Frame::GoAway => return Err(io::ErrorKind::ConnectionAborted.into()),
                    _ => {}
                }
            }
        };
        matches!(timeout(patience, asked).await, Ok(Ok(())))
    }
}

impl Reader {
    /// The next frame. Can be given up at any time without a loss.
    pub(super) async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = spdy::parse(&mut self.buffer)? {
                return Ok(frame);
            }
            self.buffer.reserve(16 << 10);
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl Writer {
    async fn open(&mut self, port: u16) -> io::Result<Pair> {
        let pair = Pair { error: self.next, data: self.next + 2 };
        let (port, request) = (port.to_string(), pair.error.to_string());
        self.next += 4;
        let mut frames = Vec::with_capacity(256);
        for (stream, kind) in [(pair.error, "error"), (pair.data, "data")] {
            let headers = [("streamtype", kind), ("port", port.as_str()), ("requestid", request.as_str())];
            self.opener.open(&mut frames, stream, kind == "error", &headers);
        }
        self.io.write_all(&frames).await?;
        self.io.flush().await?;
        Ok(pair)
    }

    /// Sends bytes that stand behind [`DATA_HEADER`] free ones: one write, so one record.
    pub(super) async fn framed(&mut self, stream: u32, buffer: &mut [u8]) -> io::Result<()> {
        let header = spdy::data_header(stream, false, buffer.len() - DATA_HEADER);
        buffer[..DATA_HEADER].copy_from_slice(&header);
        self.io.write_all(buffer).await?;
        self.io.flush().await
    }

    /// Ends our direction of a stream.
    pub(super) async fn end(&mut self, stream: u32) -> io::Result<()> {
        self.io.write_all(&spdy::data_header(stream, true, 0)).await?;
        self.io.flush().await
    }

    /// Are there stream numbers left?
    pub(super) fn worn_out(&self) -> bool {
        self.next > 1 << 30
    }
}

/// What an error stream said, if it said anything.
pub(super) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).trim().chars().take(300).collect()
}
