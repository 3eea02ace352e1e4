//! Is a local client still there after it has closed its sending side? A closed socket and a half-closed one look the same on the wire.

use std::net::SocketAddr;

/// The state of a client on this machine. `None` where the system does not tell (only Linux does).
pub(super) fn is_there(client: SocketAddr, here: SocketAddr) -> Option<bool> {
    let (SocketAddr::V4(client), SocketAddr::V4(here)) = (client, here) else { return None };
    system::is_there(client, here)
}

#[cfg(target_os = "linux")]
mod system {
    //! By sock_diag(7): one socket is asked for and one answer is read, however many there are. /proc/net/tcp lists them all, which after
    //! some thousand connections cost more than the connections.

    use std::net::SocketAddrV4;

    use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::SockDiagMessage;
    use netlink_packet_sock_diag::constants::{AF_INET, IPPROTO_TCP};
    use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
    use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};

    /// `No such file or directory`: there is no such socket.
    const ENOENT: i32 = -2;

    pub(super) fn is_there(client: SocketAddrV4, here: SocketAddrV4) -> Option<bool> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let socket_id = SocketId {
            source_port: client.port(),
            destination_port: here.port(),
            source_address: (*client.ip()).into(),
            destination_address: (*here.ip()).into(),
            interface_id: 0,
            cookie: [0xff; 8],
        };
        let request = InetRequest {
            family: AF_INET,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id,
        };
        let mut packet = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len().max(4096)];
        packet.serialize(&mut buffer);
        // The kernel has answered when the request is sent: there is nothing to wait for.
        let mut socket = Socket::new(NETLINK_SOCK_DIAG).ok()?;
        socket.bind_auto().ok()?;
        socket.connect(&SocketAddr::new(0, 0)).ok()?;
        socket.set_non_blocking(true).ok()?;
        socket.send(&buffer[..packet.buffer_len()], 0).ok()?;
        let count = socket.recv(&mut &mut buffer[..], 0).ok()?;
        match NetlinkMessage::<SockDiagMessage>::deserialize(&buffer[..count]).ok()?.payload {
            // One that nobody holds any more has no inode.
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => Some(found.header.inode != 0),
            NetlinkPayload::Error(error) if error.raw_code() == ENOENT => Some(false),
            _ => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::SocketAddrV4;

    pub(super) fn is_there(_: SocketAddrV4, _: SocketAddrV4) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn half_closed_is_there_and_closed_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(here).await.unwrap();
        let (_server, address) = listener.accept().await.unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(is_there(address, here), Some(true), "the system tells");
        }
        client.shutdown().await.unwrap();
        if let Some(there) = is_there(address, here) {
            assert!(there);
            drop(client);
            assert_eq!(is_there(address, here), Some(false));
        }
    }
}
