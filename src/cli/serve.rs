//! `serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

/// `quickstart serve`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Ctrl-C ends it. Participants whose download was cut go on where they were, as long as --code is the same.")]
pub struct Serve {
    /// The bundle: a file, or oci://REGISTRY/NAME:TAG [env: QUICKSTART_BUNDLE]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Listen there too where others can reach it, such as 0.0.0.0 [default: 127.0.0.1:7474, or the next free port]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub listen: Option<Listen>,
    /// The secret part of the join code, 8 to 64 letters, digits and dashes [default: a new one each time]
    #[arg(long, value_name = "SECRET")]
    pub code: Option<String>,
}

/// An address, perhaps with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Which interface.
    pub address: IpAddr,
    /// This one and no other.
    pub port: Option<u16>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self { address: socket.ip(), port: Some(socket.port()) });
        }
        match text.trim_matches(['[', ']']).parse() {
            Ok(address) => Ok(Self { address, port: None }),
            Err(_) => Err("write ADDRESS or ADDRESS:PORT, such as 0.0.0.0 or 192.168.1.5:7474".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        let read = |text: &str| text.parse::<Listen>().map(|listen| (listen.address.to_string(), listen.port));
        assert_eq!(read("0.0.0.0"), Ok(("0.0.0.0".to_owned(), None)));
        assert_eq!(read("192.168.1.5:80"), Ok(("192.168.1.5".to_owned(), Some(80))));
        assert_eq!(read("::"), Ok(("::".to_owned(), None)));
        assert_eq!(read("[::1]:9"), Ok(("::1".to_owned(), Some(9))));
        for text in ["", "localhost", ":80", "1.2.3.4:99999"] {
            assert!(read(text).unwrap_err().contains("0.0.0.0"), "{text}");
        }
    }
}
