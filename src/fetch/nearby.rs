//! A room in the same network, by multicast DNS: `serve` announces it, `up --join CODE` finds it without an address.
//!
//! The service `_quickstart._tcp.local.` (RFC 6763) says where it listens and which bundle it has: the first characters of the digest, so
//! that two rooms in one building are told apart. The secret is not in it. Whoever announces the same fingerprint gets to see the secret
//! of those who try; the bytes are held against the whole digest all the same.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::time::timeout;

use super::{Code, JoinError, Link, Room};
use crate::config::Nearby;

/// The service's type.
const SERVICE: &str = "_quickstart._tcp.local.";
/// Characters of the digest that are announced.
const FINGERPRINT: usize = 12;
/// The format of what is announced.
const VERSION: &str = "1";
/// A room that is there answers within a second or two.
const FOUND_WITHIN: Duration = Duration::from_secs(10);
/// How long the word that a room has closed may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A room that is announced until [`Announced::end`].
#[derive(Debug)]
pub struct Announced {
    daemon: Daemon,
    name: String,
}

/// The library's thread; it ends with this.
struct Daemon(ServiceDaemon);

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Daemon")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.shutdown());
    }
}

impl Daemon {
    fn new(on: Nearby) -> Result<Self, mdns_sd::Error> {
        let daemon = Self(ServiceDaemon::new()?);
        if let Nearby::Only(address) = on {
            daemon.0.disable_interface(IfKind::All)?;
            daemon.0.enable_interface(IfKind::Addr(address))?;
        }
        Ok(daemon)
    }
}

/// Announces a room. `addresses` are those that others can reach. `Ok(None)`: it is not to be announced.
///
/// # Errors
/// Why it cannot be, for people: the room is open all the same.
pub fn announce(on: Nearby, addresses: &[IpAddr], port: u16, sha256: &str) -> Result<Option<Announced>, String> {
    let seen = addresses.iter().any(|address| !address.is_loopback());
    match on {
        Nearby::Nowhere => return Ok(None),
        Nearby::Everywhere if !seen => return Ok(None),
        Nearby::Everywhere | Nearby::Only(_) => {}
    }
    let text = |error: mdns_sd::Error| error.to_string();
    let daemon = Daemon::new(on).map_err(text)?;
    let fingerprint: String = sha256.chars().take(FINGERPRINT).collect();
    let about = HashMap::from([("version".to_owned(), VERSION.to_owned()), ("digest".to_owned(), fingerprint.clone())]);
    // One name for each room and machine: two rooms with the same bundle do not contend for it.
    let host = addresses.first().map_or_else(String::new, |address| address.to_string().replace(['.', ':'], "-"));
    let instance = format!("{fingerprint}-{host}-{port}");
    let service = ServiceInfo::new(SERVICE, &instance, &format!("quickstart-{host}.local."), addresses, port, about).map_err(text)?;
    let name = service.get_fullname().to_owned();
    daemon.0.register(service).map_err(text)?;
    Ok(Some(Announced { daemon, name }))
}

impl Announced {
    /// Tells the network that the room is closed.
    pub async fn end(self) {
        if let Ok(told) = self.daemon.0.unregister(&self.name) {
            drop(timeout(GOODBYE, told.recv_async()).await);
        }
    }
}

/// The room that has the code's bundle and takes its secret. Two rooms may have the same bundle: one that refuses the code is another
/// class's, and the search goes on.
///
/// # Errors
/// Nobody announces it within ten seconds, or nobody may be asked.
pub async fn find(on: Nearby, code: &Code) -> Result<Room, JoinError> {
    if on == Nearby::Nowhere {
        return Err(JoinError::Link { message: "QUICKSTART_MDNS=off: a code alone leads nowhere".into() });
    }
    let deaf = |error: mdns_sd::Error| JoinError::Deaf { message: error.to_string() };
    let daemon = Daemon::new(on).map_err(deaf)?;
    let heard = daemon.0.browse(SERVICE).map_err(deaf)?;
    let mut refused = None;
    let search = async {
        while let Ok(event) = heard.recv_async().await {
            let ServiceEvent::ServiceResolved(service) = event else { continue };
            let Some(link) = meant(&service, code).and_then(|address| Link::at(address, code)) else { continue };
            let room = Room::new(link)?;
            match room.offer().await {
                Ok(_) => return Ok(Some(room)),
                Err(error) => refused = Some(error),
            }
        }
        Ok(None)
    };
    let found: Result<Option<Room>, JoinError> = timeout(FOUND_WITHIN, search).await.unwrap_or(Ok(None));
    found?.ok_or_else(|| refused.unwrap_or(JoinError::NotNear { seconds: FOUND_WITHIN.as_secs() }))
}

/// Where a service listens, if it is the code's room. IPv4 first: a link-local address of IPv6 says nothing without its interface.
fn meant(service: &ResolvedService, code: &Code) -> Option<SocketAddr> {
    let digest = service.get_property_val_str("digest")?;
    if digest.len() != FINGERPRINT || !code.digest().starts_with(digest) {
        return None;
    }
    let mut addresses: Vec<IpAddr> = service.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    addresses.retain(|address| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
    addresses.sort();
    Some(SocketAddr::new(*addresses.first()?, service.get_port()))
}
