//! Is a local client still there after it has closed its sending side? A closed socket and a half-closed one look the same on the wire.

use std::net::SocketAddr;

/// The state of a client on this machine. `None` where the system does not tell (only Linux does).
pub(super) async fn is_there(client: SocketAddr, here: SocketAddr) -> Option<bool> {
    let table = fs_err::tokio::read_to_string("/proc/net/tcp").await.ok()?;
    let (SocketAddr::V4(client), SocketAddr::V4(here)) = (client, here) else { return None };
    let hex = |address: std::net::SocketAddrV4| format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    Some(owned(&table, &hex(client), &hex(here)))
}

/// Does a program hold the socket? proc(5): fields 1 and 2 are the addresses, 9 is the inode: 0 for one that nobody holds any more.
fn owned(table: &str, local: &str, remote: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&local) && fields.get(2) == Some(&remote) && fields.get(9).is_some_and(|inode| *inode != "0")
    })
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
        client.shutdown().await.unwrap();
        if let Some(there) = is_there(address, here).await {
            assert!(there);
            drop(client);
            assert_eq!(is_there(address, here).await, Some(false));
        }
    }
}
