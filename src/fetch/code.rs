//! The join code: what a participant needs besides the address, and the link that holds both.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// Characters of the digest that are in a code: half of a sha256, which nobody finds a second file for.
const DIGEST: usize = 32;
/// Fewest and most characters of a secret.
const SECRET: std::ops::RangeInclusive<usize> = 8..=64;
/// Random bytes of a secret that nobody has chosen.
const RANDOM: usize = 10;

/// `SECRET.DIGEST`: the secret opens the door, the digest (the start of the bundle's sha256, in hexadecimal) says what must be behind it.
/// Only the secret is ever sent. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    secret: Secret,
    digest: String,
}

/// The part of a code that is a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one out of the system's random numbers; `None` where there are none.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; RANDOM];
        rustls::crypto::CryptoProvider::get_default()?.secure_random.fill(&mut bytes).ok()?;
        Some(Self(hex::encode(bytes)))
    }

    /// As it is typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if SECRET.contains(&text.len()) && plain {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("a code has {} to {} letters, digits and dashes", SECRET.start(), SECRET.end()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Code {
    /// The code of a bundle with this sha256 (all 64 characters of it).
    pub fn new(secret: Secret, sha256: &str) -> Self {
        Self { secret, digest: sha256.chars().take(DIGEST).collect() }
    }

    /// What opens the door.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The start of the bundle's sha256.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether a file of this sha256 is the one that is meant.
    pub fn is_of(&self, sha256: &str) -> bool {
        is_sha256(sha256) && sha256.starts_with(&self.digest)
    }
}

/// 64 lower-case hexadecimal characters.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (secret, digest) = text.split_once('.').ok_or("the code has two parts with a dot between them: part of it is missing")?;
        let secret = secret.parse()?;
        if digest.len() != DIGEST || !is_hex(digest) {
            return Err(format!("the part behind the dot has {DIGEST} characters from 0-9 and a-f, not {}", digest.chars().count()));
        }
        Ok(Self { secret, digest: digest.to_owned() })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.secret.0, self.digest)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// `http://ADDRESS:PORT/#CODE`, as `serve` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Without the code, with a slash at its end.
    base: Url,
    /// The code.
    pub code: Code,
}

impl Link {
    /// The address of something that is served, relative to the link's own.
    pub(super) fn url(&self, path: &str) -> String {
        // Joining a fixed relative path to a base with a slash at its end cannot fail.
        self.base.join(path).map_or_else(|_| format!("{}{path}", self.base), String::from)
    }

    /// The link of a room that was found.
    pub(super) fn at(address: std::net::SocketAddr, code: &Code) -> Option<Self> {
        Some(Self { base: Url::parse(&format!("http://{address}/")).ok()?, code: code.clone() })
    }

    /// The address without the code.
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// Whether the address is one of the room's own network, to which no proxy leads.
    pub(super) fn is_near(&self) -> bool {
        let near = |url: &Url| {
            let host = url.host_str()?.trim_matches(['[', ']']);
            Some(match host.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
                Ok(std::net::IpAddr::V6(v6)) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
                Err(_) => host.split_once('.').is_none_or(|(_, domain)| domain == "local"),
            })
        };
        near(&self.base).unwrap_or(false)
    }
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut base = Url::parse(text.trim()).map_err(|_| "it is no address: write it as `serve` prints it, http://ADDRESS:PORT/#CODE")?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err("the address starts with http:// or https://".to_owned());
        }
        let code = base.fragment().filter(|code| !code.is_empty());
        let code = code.ok_or("it ends without a code: put quotes around all of it, the `#` included")?.parse()?;
        base.set_fragment(None);
        base.set_query(None);
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self { base, code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn what_is_printed_can_be_read_again() {
        let code = Code::new("room-1234".parse().unwrap(), SUM);
        assert_eq!(code.to_string(), "room-1234.0123456789abcdef0123456789abcdef");
        let link: Link = format!("http://192.168.1.5:7474/#{code}").parse().unwrap();
        assert_eq!((link.address(), link.url("bundle").as_str()), ("http://192.168.1.5:7474/", "http://192.168.1.5:7474/bundle"));
        assert_eq!(link.code, code);
        assert!(code.is_of(SUM) && !code.is_of(&SUM.replace('0', "1")) && !code.is_of(&SUM[..32]));
        let below: Link = format!("https://x.example/room#{code}").parse().unwrap();
        assert_eq!(below.url("bundle"), "https://x.example/room/bundle");
    }

    #[test]
    fn a_broken_link_says_what_is_missing() {
        let read = |text: &str| text.parse::<Link>().unwrap_err();
        let digest = &SUM[..32];
        assert!(read("http://a:1/").contains("without a code"), "an unquoted # is eaten by some shells");
        assert!(read("a:1").contains("http://"));
        assert!(read(&format!("ftp://a/#secret-12.{digest}")).contains("http://"));
        assert!(read("http://a/#secret-12").contains("two parts"));
        assert!(read("http://a/#secret-12.0123").contains("32 characters"));
        assert!(read(&format!("http://a/#short.{digest}")).contains("8 to 64"));
        assert!(read(&format!("http://a/#se_cret-12.{digest}")).contains("letters"));
    }

    #[test]
    fn a_code_is_not_told_by_accident() {
        let code = Code::new("very-secret".parse().unwrap(), SUM);
        assert!(!format!("{code:?} {:?}", code.secret()).contains("very"));
    }

    #[test]
    fn no_proxy_leads_to_the_room() {
        let near = |host: &str| format!("http://{host}/#room-1234.{}", &SUM[..32]).parse::<Link>().unwrap().is_near();
        for host in ["127.0.0.1:1", "192.168.1.5", "10.1.1.1:80", "[::1]:8", "[fe80::1]", "[fd00::1]", "teacher", "teacher.local:7474"] {
            assert!(near(host), "{host}");
        }
        for host in ["203.0.113.1", "room.example.com", "[2001:db8::1]"] {
            assert!(!near(host), "{host}");
        }
    }

    #[test]
    fn random_secrets_differ() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert!(one != other && one.as_str().parse::<Secret>().is_ok());
    }
}
