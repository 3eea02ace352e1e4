//! `…/pods/NAME/portforward` over SPDY/3.1, as the kubelet and containerd serve it: pairs of streams, each pair a connection to a port.
//!
//! As with containerd, a client that ends its direction has half a second left; then the connection to the pod is closed.

use std::{collections::BTreeMap, io, time::Duration};

use axum::{
    body::Body,
    http::{StatusCode, request::Parts},
    response::Response,
};
use bytes::{Buf as _, BytesMut};
use flate2::{Decompress, FlushDecompress};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use super::api_server::ApiServer;

/// Answers `101` and serves the connection that follows.
pub fn upgrade(server: &ApiServer, parts: &mut Parts, pod: &str) -> Response {
    let upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>().unwrap();
    let (server, pod, cut) = (server.clone(), pod.to_owned(), server.streams());
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        tokio::select! {
            () = cut.cancelled() => {}
            _ = serve(TokioIo::new(upgraded), server, pod) => {}
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "SPDY/3.1")
        .header("x-stream-protocol-version", "portforward.k8s.io")
        .body(Body::empty())
        .unwrap()
}

type Frames = mpsc::Sender<Vec<u8>>;

async fn serve(io: TokioIo<hyper::upgrade::Upgraded>, server: ApiServer, pod: String) -> io::Result<()> {
    let (mut read, mut write) = tokio::io::split(io);
    let (frames, mut out) = mpsc::channel::<Vec<u8>>(16);
    // Tasks of a connection end with it.
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        while let Some(frame) = out.recv().await {
            if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    let (mut buffer, mut zlib) = (BytesMut::new(), Decompress::new(true));
    let mut errors: BTreeMap<String, u32> = BTreeMap::new();
    let mut pods: BTreeMap<u32, mpsc::Sender<Option<Vec<u8>>>> = BTreeMap::new();
    loop {
        while buffer.len() < 8 || buffer.len() < 8 + length(&buffer) {
            if read.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let (first, flags, size) = (u32::from_be_bytes(buffer[..4].try_into().unwrap()), buffer[4], length(&buffer));
        buffer.advance(8);
        let mut payload = buffer.split_to(size);
        match first {
            0x8003_0001 => {
                let stream = payload.get_u32();
                payload.advance(6);
                let headers = headers(&mut zlib, &payload);
                let request = headers["requestid"].clone();
                assert_eq!(headers.len(), 3, "{headers:?}");
                frames.send(control(2, &[&stream.to_be_bytes()[..], &[0x78, 0xbb]].concat())).await.ok();
                if headers["streamtype"] == "error" {
                    assert_eq!(flags, 1, "nothing is said on the error stream by the client");
                    errors.insert(request, stream);
                    continue;
                }
                let error = errors.remove(&request).unwrap();
                let (sender, receiver) = mpsc::channel(16);
                pods.insert(stream, sender);
                tasks.spawn(connection(server.clone(), pod.clone(), headers["port"].clone(), (error, stream), receiver, frames.clone()));
            }
            0x8003_0006 => drop(frames.send(control(6, &payload)).await),
            stream if stream & 0x8000_0000 == 0 => {
                if let Some(to) = pods.get(&stream) {
                    if !payload.is_empty() {
                        to.send(Some(payload.to_vec())).await.ok();
                    }
                    if flags & 1 == 1 {
                        to.send(None).await.ok();
                        pods.remove(&stream);
                    }
                }
            }
            other => panic!("a frame that a port-forward does not send: {other:08x}"),
        }
    }
}

/// One pair of streams.
async fn connection(
    server: ApiServer,
    pod: String,
    port: String,
    (error, data): (u32, u32),
    mut from_client: mpsc::Receiver<Option<Vec<u8>>>,
    frames: Frames,
) {
    let to = match server.get(&pod) {
        Some(_) => server.forward_target(pod.rsplit('/').next().unwrap_or_default(), port.parse().unwrap_or(0)).await,
        None => None,
    };
    let stream = match to {
        Some(address) => TcpStream::connect(address).await,
        None => Err(io::ErrorKind::ConnectionRefused.into()),
    };
    match stream {
        Ok(stream) => {
            let (mut from_pod, mut to_pod) = stream.into_split();
            let up = async {
                while let Some(Some(bytes)) = from_client.recv().await {
                    if to_pod.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            };
            let down = async {
                let mut bytes = vec![0; 8 << 10];
                while let Ok(count @ 1..) = from_pod.read(&mut bytes).await {
                    if frames.send(data_frame(data, &bytes[..count])).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = up => {}
                () = down => {}
            }
        }
        Err(why) => {
            let text = format!(
                "an error occurred forwarding {port} -> {port}: error forwarding port {port} to pod, uid : failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: {why}"
            );
            frames.send(data_frame(error, text.as_bytes())).await.ok();
        }
    }
    for stream in [error, data] {
        frames.send([&stream.to_be_bytes()[..], &[1, 0, 0, 0]].concat()).await.ok();
    }
}

fn length(frame: &[u8]) -> usize {
    usize::from(frame[5]) << 16 | usize::from(frame[6]) << 8 | usize::from(frame[7])
}

fn data_frame(stream: u32, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&stream.to_be_bytes()[..], &[0], &length[1..], bytes].concat()
}

fn control(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x80, 3, 0, kind, 0], &length[1..], payload].concat()
}

/// A header block; the zlib stream goes on from block to block.
fn headers(zlib: &mut Decompress, block: &[u8]) -> BTreeMap<String, String> {
    let mut text = Vec::with_capacity(4096);
    zlib.decompress_vec(block, &mut text, FlushDecompress::Sync).unwrap();
    let mut rest = text.as_slice();
    let count = rest.get_u32();
    let mut word = || {
        let length = usize::try_from(rest.get_u32()).unwrap();
        let (word, after) = rest.split_at(length);
        rest = after;
        String::from_utf8(word.to_vec()).unwrap()
    };
    (0..count).map(|_| (word(), word())).collect()
}
