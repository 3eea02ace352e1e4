//! This machine's addresses in its networks: what participants type.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// Addresses of which at least one is in or behind every usual network. Nothing is sent to them.
const BEYOND: [Ipv4Addr; 4] =
    [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 168, 255, 254), Ipv4Addr::new(10, 255, 255, 254), Ipv4Addr::new(172, 31, 255, 254)];

/// The addresses from which this machine would talk to others. "Connecting" a datagram socket only asks the kernel for its route.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut found = Vec::new();
    for beyond in BEYOND {
        let route = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
            socket.connect((beyond, 9))?;
            socket.local_addr()
        });
        if let Ok(own) = route.map(|address| address.ip())
            && !own.is_unspecified()
            && !own.is_loopback()
            && !found.contains(&own)
        {
            found.push(own);
        }
    }
    found
}
