//! Whether, and on which interface, a room is announced and looked for by multicast DNS.

use std::net::IpAddr;

use super::{ConfigError, Environment};

/// The variable that says it.
const VARIABLE: &str = "QUICKSTART_MDNS";

/// Where `serve` announces itself and `up --join CODE` looks for it (RFC 6762, RFC 6763).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nearby {
    /// On every interface.
    #[default]
    Everywhere,
    /// On the interface that has this address alone, also when that is the loopback one.
    Only(IpAddr),
    /// Nowhere: some networks forbid multicast.
    Nowhere,
}

impl Nearby {
    /// What `QUICKSTART_MDNS` says: `off`, or an address of this machine.
    ///
    /// # Errors
    /// Exit code 2: it is neither.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        match environment.own(VARIABLE) {
            None => Ok(Self::Everywhere),
            Some("off") => Ok(Self::Nowhere),
            Some(text) => text.trim_matches(['[', ']']).parse().map(Self::Only).map_err(|_| ConfigError::Variable {
                variable: VARIABLE.to_owned(),
                reason: format!("`{text}` is neither `off` nor an address of this machine, such as 192.168.1.5"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_an_address_or_nothing() {
        let of = |value: &str| Nearby::of(&Environment::from_vars([(VARIABLE, value)], "/"));
        assert_eq!(of("").unwrap(), Nearby::Everywhere);
        assert_eq!(of("off").unwrap(), Nearby::Nowhere);
        assert_eq!(of("127.0.0.1").unwrap(), Nearby::Only("127.0.0.1".parse().unwrap()));
        assert_eq!(of("[fd00::1]").unwrap(), Nearby::Only("fd00::1".parse().unwrap()));
        assert!(of("wlan0").unwrap_err().to_string().contains("QUICKSTART_MDNS"));
    }
}
