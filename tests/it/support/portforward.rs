//! `…/pods/NAME/portforward?ports=N`: the `v4.channel.k8s.io` websocket, bridged to a TCP address.
//!
//! Every port has two channels, data (2i) and error (2i+1); the first frame of each carries the port as two bytes, low byte first.

use std::net::SocketAddr;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Serves one session for one port until either side ends; `to` is `None` where nobody listens in the pod.
pub async fn bridge(socket: WebSocket, port: u16, to: Option<SocketAddr>) {
    let (mut sink, mut source) = socket.split();
    let [low, high] = port.to_le_bytes();
    for channel in [0, 1] {
        if sink.send(Message::Binary(vec![channel, low, high].into())).await.is_err() {
            return;
        }
    }
    let stream = match to {
        Some(address) => TcpStream::connect(address).await,
        None => Err(std::io::ErrorKind::ConnectionRefused.into()),
    };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            let text = format!(
                "\u{1}an error occurred forwarding {port} -> {port}: error forwarding port {port} to pod, uid : failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: {error}"
            );
            drop(sink.send(Message::Binary(text.into_bytes().into())).await);
            drop(sink.send(Message::Close(None)).await);
            return;
        }
    };
    let (mut from_pod, mut to_pod) = stream.into_split();
    let upward = async move {
        while let Some(Ok(message)) = source.next().await {
            let Message::Binary(bytes) = message else {
                if matches!(message, Message::Close(_)) {
                    break;
                }
                continue;
            };
            if bytes.first() == Some(&0) && to_pod.write_all(&bytes[1..]).await.is_err() {
                break;
            }
        }
    };
    let downward = async move {
        let mut buffer = vec![0; 16 << 10];
        buffer[0] = 0;
        while let Ok(count @ 1..) = from_pod.read(&mut buffer[1..]).await {
            if sink.send(Message::Binary(buffer[..=count].to_vec().into())).await.is_err() {
                return;
            }
        }
        drop(sink.send(Message::Close(None)).await);
    };
    tokio::select! {
        () = upward => {}
        () = downward => {}
    }
}
