//! `forward`.

use std::{fmt, str::FromStr};

use clap::{Args, Subcommand};

/// `quickstart forward …`.
#[derive(Clone, Debug, Subcommand)]
pub enum ForwardCommand {
    /// Keep a tunnel open in the foreground until Ctrl-C
    Run(ForwardRun),
}

/// `quickstart forward run`.
#[derive(Args, Clone, Debug)]
pub struct ForwardRun {
    /// Where to listen on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Which service
    #[arg(long, value_name = "NS/NAME:PORT", default_value_t)]
    pub service: ServicePort,
}

/// A port of a Service, typed as `NAMESPACE/NAME:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Namespace.
    pub namespace: String,
    /// Name of the Service.
    pub name: String,
    /// Port of the Service, not of the pod.
    pub port: u16,
}

impl Default for ServicePort {
    fn default() -> Self {
        Self { namespace: "istio-system".to_owned(), name: "istio-ingressgateway".to_owned(), port: 80 }
    }
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.name, self.port)
    }
}

impl FromStr for ServicePort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (namespace, rest) = text.split_once('/')?;
            let (name, port) = rest.split_once(':')?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (is_label(namespace) && is_label(name)).then(|| Self { namespace: namespace.to_owned(), name: name.to_owned(), port })
        };
        read().ok_or_else(|| "write NAMESPACE/NAME:PORT, such as istio-system/istio-ingressgateway:80".to_owned())
    }
}

/// RFC 1123 label: it becomes a part of an API path.
fn is_label(text: &str) -> bool {
    let body = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(body) && !text.starts_with('-') && !text.ends_with('-')
}
