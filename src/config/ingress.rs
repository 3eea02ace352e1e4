//! How the ingress gets to localhost.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cli::Forward;

/// The way in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ingress {
    /// kind maps a port to the gateway's node port.
    #[default]
    Mapped,
    /// A process in the background tunnels through the API server.
    Tunnel,
    /// There is none.
    None,
}

impl Ingress {
    /// As it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Tunnel => "tunnel",
            Self::None => "none",
        }
    }
}

impl From<Forward> for Ingress {
    fn from(typed: Forward) -> Self {
        match typed {
            Forward::Mapped => Self::Mapped,
            Forward::Tunnel => Self::Tunnel,
        }
    }
}

impl fmt::Display for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
