//! `forward`.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::TableOutput;

/// `quickstart forward …`.
#[derive(Clone, Debug, Subcommand)]
pub enum ForwardCommand {
    /// Open a tunnel in the background, and keep it open
    Start(ForwardStart),
    /// End the tunnels of this cluster, or one of them
    Stop(ForwardStop),
    /// Say which tunnels there are, and what went through them
    Status(ForwardStatus),
    /// Keep a tunnel open in the foreground until Ctrl-C
    Run(ForwardRun),
}

/// `quickstart forward start`.
#[derive(Args, Clone, Debug)]
pub struct ForwardStart {
    /// Where to listen on 127.0.0.1 [default: the port it had, else 8080 or the next free one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Which service [default: the gateway, istio-system/istio-ingressgateway:80, or :443 where it speaks HTTPS]
    #[arg(long, value_name = "NS/NAME:PORT")]
    pub service: Option<ServicePort>,
}

/// `quickstart forward stop`.
#[derive(Args, Clone, Debug)]
pub struct ForwardStop {
    /// Which service [default: all]
    #[arg(long, value_name = "NS/NAME:PORT")]
    pub service: Option<ServicePort>,
}

/// `quickstart forward status`.
#[derive(Args, Clone, Debug)]
pub struct ForwardStatus {
    /// How to show it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: TableOutput,
}

/// How a process in the background takes its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Detached {
    /// That one or none.
    Exactly,
    /// That one, or the next free one.
    From,
}

/// `quickstart forward run`.
#[derive(Args, Clone, Debug)]
pub struct ForwardRun {
    /// Where to listen on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Which service [default: the gateway, istio-system/istio-ingressgateway:80, or :443 where it speaks HTTPS]
    #[arg(long, value_name = "NS/NAME:PORT")]
    pub service: Option<ServicePort>,
    /// The process that `forward start` starts: tells its first line to it and goes on alone
    #[arg(long, value_enum, hide = true)]
    pub detached: Option<Detached>,
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
pub(super) fn is_label(text: &str) -> bool {
    let body = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(body) && !text.starts_with('-') && !text.ends_with('-')
}
