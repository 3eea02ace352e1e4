//! One TCP connection: requests for pieces of the bundle are answered by hand, at the speed of the kernel, one after the other; the first
//! one for anything else is left to hyper, and is the last one of its connection, so that the next may be of the fast kind again. Whoever
//! begins with the preface of HTTP/2 gets hyper for all of the connection.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Content};
use super::fair::Turn;
use super::room::{MAX_REPORT, Room};
use super::send::{STILL, send};
use super::share::Slice;

/// A request must have begun within, on a new connection and behind the last answer.
const QUIET: Duration = Duration::from_secs(15);
/// Head and report of a request must be whole within.
const HEAD: Duration = Duration::from_secs(10);
/// Whoever tries codes waits so long for each.
const GUESS: Duration = Duration::from_millis(500);
/// Most bytes of a head that the fast path reads.
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// Bytes of a piece on hyper's way.
const PIECE: u64 = 256 * 1024;
/// What a client of HTTP/2 says first when it knows that the server speaks it (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Requests at a time on a connection of HTTP/2.
const STREAMS: u32 = 16;

/// What every connection shares.
#[derive(Clone, Debug)]
pub(super) struct Hall {
    pub(super) room: Arc<Room>,
    /// Threads that do nothing but send pieces of the bundle, and may wait for the disk.
    pub(super) carriers: Handle,
    /// Ends transfers.
    pub(super) stop: CancellationToken,
}

/// Serves a connection until one side ends it.
pub(super) async fn connection(hall: Hall, mut stream: TcpStream, from: SocketAddr) -> io::Result<()> {
    let mut head = vec![0; MAX_HEAD];
    loop {
        let count = match timeout(QUIET, stream.peek(&mut head)).await?? {
            0 => return Ok(()),
            count => count,
        };
        let Some(fast) = fast(&hall.room, &head[..count]) else { return slow(hall, stream, from, speaks_http2(&head[..count])).await };
        stream.read_exact(&mut head[..fast.length]).await?;
        stream = carry(&hall, stream, from.ip(), fast.text, fast.slice).await?;
        if fast.last {
            return stream.shutdown().await;
        }
    }
}

/// No method of HTTP/1.1 begins like that, so its first word is enough.
fn speaks_http2(bytes: &[u8]) -> bool {
    let known = bytes.len().min(PREFACE.len());
    known >= 4 && bytes[..known] == PREFACE[..known]
}

/// Counts a transfer while it runs, and takes its part of its client's share.
struct Running {
    room: Arc<Room>,
    slice: Slice,
    turn: Turn,
}

impl Running {
    fn new(room: &Arc<Room>, client: IpAddr, slice: Slice) -> Self {
        room.counters.running.fetch_add(1, Relaxed);
        Self { room: Arc::clone(room), slice, turn: room.shares.enter(client) }
    }

    fn finished(&self) {
        self.room.counters.finished.fetch_add(u64::from(self.slice.offset + self.slice.size == self.room.share.size), Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.room.counters.running.fetch_sub(1, Relaxed);
    }
}

async fn carry(hall: &Hall, stream: TcpStream, client: IpAddr, head: String, slice: Slice) -> io::Result<TcpStream> {
    let stream = stream.into_std()?;
    let (room, stop) = (Arc::clone(&hall.room), hall.stop.clone());
    let carrying = hall.carriers.spawn(async move {
        let mut stream = TcpStream::from_std(stream)?;
        let running = Running::new(&room, client, slice);
        tokio::select! {
            sent = send(&mut stream, room.share.file.file(), head.as_bytes(), slice, &room.counters.sent, &running.turn) => sent?,
            () = stop.cancelled() => return Err(io::ErrorKind::Interrupted.into()),
        }
        running.finished();
        drop(running);
        stream.into_std()
    });
    TcpStream::from_std(carrying.await.map_err(io::Error::other)??)
}

/// A request that is answered by hand.
#[derive(Debug, PartialEq, Eq)]
struct Fast {
    /// Bytes of the request.
    length: usize,
    /// Head of the answer.
    text: String,
    slice: Slice,
    /// The connection ends behind it.
    last: bool,
}

/// Whether the bytes are a whole request for a piece of the bundle, without anything unusual. Everything else is hyper's.
fn fast(room: &Room, bytes: &[u8]) -> Option<Fast> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = parsed.parse(bytes).ok()? else { return None };
    let (Some("GET"), Some(path), Some(1)) = (parsed.method, parsed.path, parsed.version) else { return None };
    let uri: Uri = path.parse().ok()?;
    let mut map = HeaderMap::new();
    for header in parsed.headers.iter() {
        map.append(HeaderName::from_bytes(header.name.as_bytes()).ok()?, HeaderValue::from_bytes(header.value).ok()?);
    }
    if [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, UPGRADE].iter().any(|name| map.contains_key(name)) {
        return None;
    }
    let answer = room.answer(&Method::GET, &uri, &map)?;
    let Content::Slice(slice) = answer.content else { return None };
    let last = map.get_all(CONNECTION).iter().any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("close")));
    Some(Fast { length, text: head(&answer, last)?, slice, last })
}

/// The head of an answer as it goes over the wire.
fn head(answer: &Answer, last: bool) -> Option<String> {
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status);
    for (name, value) in &answer.headers {
        write!(text, "{name}: {}\r\n", value.to_str().ok()?).ok()?;
    }
    write!(text, "date: {}\r\n", jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT")).ok()?;
    text.push_str(if last { "connection: close\r\n\r\n" } else { "\r\n" });
    Some(text)
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// One request by hyper, of HTTP/2 as many as come. What moves keeps the connection alive; what stands still for [`STILL`] ends it.
async fn slow(hall: Hall, stream: TcpStream, from: SocketAddr, http2: bool) -> io::Result<()> {
    let moved = Arc::new(AtomicU64::new(0));
    let (beat, stop) = (Arc::clone(&moved), hall.stop.clone());
    let service = service_fn(move |request| {
        let (hall, beat) = (hall.clone(), Arc::clone(&beat));
        async move {
            beat.fetch_add(1, Relaxed);
            Ok::<_, Infallible>(respond(&hall, request, from, beat).await)
        }
    });
    let mut serving = pin!(async {
        if http2 {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS).max_header_list_size(16 * 1024).max_send_buf_size(64 * 1024);
            return builder.serve_connection(TokioIo::new(stream), service).await;
        }
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false).max_buf_size(64 * 1024);
        builder.serve_connection(TokioIo::new(stream), service).await
    });
    let mut seen = u64::MAX;
    loop {
        tokio::select! {
            done = &mut serving => return done.map_err(io::Error::other),
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(STILL) => {
                let now = moved.load(Relaxed);
                if now == seen {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                seen = now;
            }
        }
    }
}

async fn respond(hall: &Hall, request: Request<Incoming>, from: SocketAddr, moved: Arc<AtomicU64>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answer = match hall.room.answer(&parts.method, &parts.uri, &parts.headers) {
        Some(answer) => answer,
        None => match timeout(HEAD, Limited::new(body, MAX_REPORT).collect()).await {
            Ok(Ok(body)) => hall.room.report(from.ip(), &body.to_bytes()),
            _ => Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "this is no report\n"),
        }
        .to(&parts.method),
    };
    if answer.status == StatusCode::UNAUTHORIZED && hall.room.is_guess(&parts.headers, &parts.uri) {
        tokio::time::sleep(GUESS).await;
    }
    let body = match answer.content {
        Content::Bytes(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        Content::Slice(slice) => pieces(Running::new(&hall.room, from.ip(), slice), moved),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// A piece of the bundle as a body, read as the other side takes it.
fn pieces(running: Running, moved: Arc<AtomicU64>) -> Body {
    let stream = futures_util::stream::unfold((running.slice, running), move |(left, running)| {
        let moved = Arc::clone(&moved);
        async move {
            if left.size == 0 {
                running.finished();
                return None;
            }
            running.turn.wait().await;
            let reading = tokio::task::spawn_blocking({
                let room = Arc::clone(&running.room);
                move || piece(room.share.file.file(), left.offset, left.size.min(PIECE))
            });
            let read = reading.await.map_err(io::Error::other).flatten();
            let count = read.as_ref().map_or(0, |bytes| bytes.len() as u64);
            moved.fetch_add(count, Relaxed);
            running.room.counters.sent.fetch_add(count, Relaxed);
            running.turn.took(count);
            let rest = Slice { offset: left.offset + count, size: if read.is_ok() { left.size - count } else { 0 } };
            Some((read.map(Frame::data), (rest, running)))
        }
    });
    StreamBody::new(stream).boxed_unsync()
}

fn piece(file: &std::fs::File, offset: u64, size: u64) -> io::Result<Bytes> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer.into())
}
