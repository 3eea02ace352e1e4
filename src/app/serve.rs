//! `serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bundle::{is_artifact, localize};
use crate::app::App;
use crate::cli::Serve;
use crate::config::Nearby;
use crate::error::{Exit, Failure};
use crate::fetch::{Announced, Code, Secret, announce};
use crate::report::bytes;
use crate::serve::{Server, Share, own_addresses};

pub(super) async fn run(app: &App, arguments: &Serve) -> Result<Exit, Failure> {
    let mut settings = app.settings.clone();
    let nearby = Nearby::of(&settings.environment)?;
    if let Some(file) = &arguments.file {
        settings.bundle = Some(if is_artifact(file) { file.clone() } else { settings.environment.directory.join(file) });
    }
    localize(app, &mut settings, true).await?;
    let Some(file) = settings.bundle else {
        return Err(Failure::new("USAGE", Exit::Usage, "there is no bundle to serve").hint("name it: `quickstart serve FILE`"));
    };
    let secret = match &arguments.code {
        Some(text) => text
            .parse::<Secret>()
            .map_err(|wrong| Failure::new("USAGE", Exit::Usage, format!("--code: {wrong}")).hint("leave it out for a random one"))?,
        None => Secret::random().ok_or_else(|| Failure::internal("there are no random numbers"))?,
    };
    app.printer.talk(&format!("checking {}: every file against its sum", file.display()));
    let opening = tokio::task::spawn_blocking(move || Share::open(&file));
    let share = tokio::select! {
        share = opening => share.map_err(|error| Failure::internal(error.to_string()))??,
        () = app.cancel.cancelled() => {
            return Err(Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted before anything was served"));
        }
    };
    let address = arguments.listen.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |listen| listen.address);
    let server = Server::open(share, &secret, address, arguments.listen.and_then(|listen| listen.port)).await?;
    let announced = announced(nearby, &server);
    let found = matches!(announced, Ok(Some(_)));
    print(app, &server, &secret, found)?;
    if let Err(reason) = &announced {
        app.printer.talk(&format!("the code alone will not find this room, the link does: {reason}"));
    }
    server.run(app.cancel.clone()).await.map_err(|error| Failure::internal(format!("no threads to serve with: {error}")))?;
    if let Ok(Some(announced)) = announced {
        announced.end().await;
    }
    app.printer.talk(&format!("ended; with `--code {}` the same link is good again, and cut transfers go on", secret.as_str()));
    Ok(Exit::Ok)
}

/// Tells the network where the room is.
fn announced(nearby: Nearby, server: &Server) -> Result<Option<Announced>, String> {
    let at = server.address();
    let addresses = if at.ip().is_unspecified() { own_addresses() } else { vec![at.ip()] };
    announce(nearby, &addresses, at.port(), &server.share().sha256)
}

/// The lines for the room. They hold the code: they are for stdout, and for nobody's log.
fn print(app: &App, server: &Server, secret: &Secret, found: bool) -> Result<(), Failure> {
    let (share, at) = (server.share(), server.address());
    let code = Code::new(secret.clone(), &share.sha256);
    let hosts = hosts(at.ip());
    let url = |host: &str| format!("http://{host}:{}", at.port());
    let main = url(&hosts[0]);
    app.data(&format!(
        "serving {} ({}, {}, sha256 {}) on {at}",
        share.index.name,
        share.index.architecture,
        bytes(share.size),
        share.sha256
    ))?;
    app.data(&format!("  participants  quickstart up --join '{main}/#{code}' --as NAME"))?;
    for other in &hosts[1..] {
        app.data(&format!("  or, where they reach that address only: '{}/#{code}'", url(other)))?;
    }
    if found {
        app.data(&format!("  or, by multicast DNS in the same network: quickstart up --join {code} --as NAME"))?;
    }
    app.data(&format!("  board         {main}/board?code={}", secret.as_str()))?;
    match share.images() {
        0 => app.data("  registry      none: in a compressed bundle, or one without images, there is nothing to pull")?,
        count => app.data(&format!("  registry      {main}/v2/, {count} images, any user name, the password {}", secret.as_str()))?,
    }
    if at.ip().is_loopback() {
        app.printer.talk("only this machine can reach it: `--listen 0.0.0.0` opens it to your networks");
    } else {
        app.printer.talk(&format!(
            "warning: everybody who reaches {at} and has the code can fetch the bundle; the code travels unencrypted, so do not use one that opens anything else. \
             What participants fetch is held against the sum in the code, whatever happens on the way"
        ));
    }
    app.printer.talk("Ctrl-C ends it");
    Ok(())
}

/// What others call this machine: the address itself, or where it stands for all of them, those that it has.
fn hosts(address: IpAddr) -> Vec<String> {
    let written = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    let all = match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => own_addresses(),
        one => vec![one],
    };
    if all.is_empty() { vec!["ADDRESS-OF-THIS-MACHINE".to_owned()] } else { all.into_iter().map(written).collect() }
}
