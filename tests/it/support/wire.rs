//! A small HTTP/1.1 server over any byte stream, for the fakes that need connection upgrades or raw sockets.

use std::{collections::BTreeMap, future::Future, time::Duration};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};

/// A request with its whole body.
#[derive(Clone, Debug, Default)]
pub struct Got {
    /// `GET`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded body.
    pub body: Vec<u8>,
}

impl Got {
    /// A header's value, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// What becomes of the connection after an upgrade: the bytes that the client sent turn into the bytes that it gets.
pub type Finish = Box<dyn FnOnce(Vec<u8>) -> Vec<u8> + Send>;

/// An answer.
pub enum Reply {
    /// Code, content type, body.
    Full(u16, &'static str, Vec<u8>),
    /// The same, half of the body at once and the rest after a time; `None`: never.
    Slow(u16, &'static str, Vec<u8>, Option<Duration>),
    /// `101`: reads to the end of the client's bytes where wanted, answers, closes.
    Upgrade {
        /// Wait for the client to close its side.
        read: bool,
        /// Makes the answer.
        finish: Finish,
    },
    /// No answer while the server lives.
    Hang,
    /// No byte, and the end of the connection.
    Close,
}

impl Reply {
    /// JSON.
    pub fn json(code: u16, value: &Value) -> Self {
        Self::Full(code, "application/json", value.to_string().into_bytes())
    }

    /// A code alone.
    pub fn empty(code: u16) -> Self {
        Self::Full(code, "application/json", Vec::new())
    }
}

/// Serves one connection until it ends.
pub async fn serve<S, H, F>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Got) -> F,
    F: Future<Output = Reply>,
{
    let mut stream = BufReader::new(stream);
    while let Some(got) = read(&mut stream).await {
        let head_only = got.method == "HEAD";
        match handler(got).await {
            Reply::Full(code, kind, body) => {
                if write(&mut stream, code, kind, &body, head_only).await.is_err() {
                    return;
                }
            }
            Reply::Slow(code, kind, body, pause) => {
                let (first, rest) = body.split_at(body.len() / 2);
                let head = format!("HTTP/1.1 {code} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
                drop(stream.write_all(head.as_bytes()).await);
                drop(stream.write_all(first).await);
                drop(stream.flush().await);
                let Some(pause) = pause else { return };
                tokio::time::sleep(pause).await;
                drop(stream.write_all(rest).await);
            }
            Reply::Upgrade { read, finish } => {
                let head = "HTTP/1.1 101 UPGRADED\r\ncontent-type: application/vnd.docker.multiplexed-stream\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n";
                drop(stream.write_all(head.as_bytes()).await);
                let mut sent = Vec::new();
                if read {
                    drop(stream.read_to_end(&mut sent).await);
                }
                drop(stream.write_all(&finish(sent)).await);
                drop(stream.shutdown().await);
                return;
            }
            Reply::Hang => std::future::pending().await,
            Reply::Close => return,
        }
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<Got> {
    let mut got = Got::default();
    let first = line(stream).await?;
    let mut words = first.split(' ');
    words.next()?.clone_into(&mut got.method);
    let (path, query) = words.next()?.split_once('?').unwrap_or((first.split(' ').nth(1)?, ""));
    path.clone_into(&mut got.path);
    query.clone_into(&mut got.query);
    loop {
        let text = line(stream).await?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':')?;
        got.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if got.header("expect").eq_ignore_ascii_case("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    if got.header("transfer-encoding").contains("chunked") {
        loop {
            let size = usize::from_str_radix(line(stream).await?.split(';').next()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).await.ok()?;
            line(stream).await?;
            if size == 0 {
                break;
            }
            got.body.extend(chunk);
        }
    } else if let Ok(length) = got.header("content-length").parse() {
        got.body = vec![0; length];
        stream.read_exact(&mut got.body).await.ok()?;
    }
    Some(got)
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut text = String::new();
    let count = stream.read_line(&mut text).await.ok()?;
    (count > 0).then(|| text.trim_end().to_owned())
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, code: u16, kind: &str, body: &[u8], head_only: bool) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {code} x\r\napi-version: 1.48\r\nserver: Docker/28.0.0 (linux)\r\n");
    let describe =
        if code == 204 || code == 304 { String::new() } else { format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()) };
    stream.write_all(format!("{head}{describe}\r\n").as_bytes()).await?;
    if !head_only {
        stream.write_all(body).await?;
    }
    stream.flush().await
}

/// Decodes a query string; the last value of a name wins.
pub fn pairs(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (percent(&key.replace('+', " ")), percent(&value.replace('+', " ")))).collect()
}

/// Decodes `%2F`.
pub fn percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        if let (b'%', Some(value)) = (byte, hex) {
            bytes.push(value);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
