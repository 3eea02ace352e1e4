//! How the gateway is spoken to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `gateway.protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTPS with a certificate of the cluster's own authority.
    Https,
}

impl Scheme {
    /// The add-on whose objects make the gateway speak HTTPS: a cluster that has it does.
    pub const ADDON: &str = "https";

    /// That of a cluster with these components.
    pub fn of<'a>(mut components: impl Iterator<Item = &'a str>) -> Self {
        if components.any(|name| name == Self::ADDON) { Self::Https } else { Self::Http }
    }

    /// As it stands in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of the gateway's Service.
    pub const fn service_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Is it plain HTTP? By reference, as serde's `skip_serializing_if` calls it.
    pub fn is_http(&self) -> bool {
        *self == Self::Http
    }

    /// The address of a port of 127.0.0.1.
    pub fn url(self, port: u16) -> String {
        format!("{self}://127.0.0.1:{port}")
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
