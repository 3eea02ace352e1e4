//! The port on which the ingress listens.

use super::check::CheckResult;

/// Whose port it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody's yet, and the next free one will do too.
    #[default]
    Wanted,
    /// Nobody's yet, but it was asked for by number.
    Named,
    /// That of a cluster of ours whose node does not run.
    Stopped,
    /// That of a cluster of ours whose node runs.
    Running,
}

/// What is known about the port.
#[derive(Clone, Debug, Default)]
pub(super) struct Port {
    /// The cluster's, else the wanted one.
    pub(super) number: u16,
    /// Whose it is.
    pub(super) claim: Claim,
    /// Nobody can listen there.
    pub(super) taken: bool,
    /// Who does, where it can be known.
    pub(super) by: Option<String>,
    /// The one that would be used instead.
    pub(super) next: Option<u16>,
}

pub(super) fn port(facts: &Port) -> CheckResult {
    let (id, title) = ("port", "the ingress can listen");
    let address = format!("127.0.0.1:{}", facts.number);
    if facts.claim == Claim::Running {
        return CheckResult::ok(id, title, format!("{address} is this cluster's"));
    }
    if !facts.taken {
        return CheckResult::ok(id, title, format!("{address} is free"));
    }
    let who = match (&facts.by, facts.number < 1024) {
        (Some(by), _) => format!("{address} is taken by {by}"),
        (None, true) => format!("{address} is taken, or not this user's to open"),
        (None, false) => format!("{address} is taken by another program"),
    };
    if facts.claim == Claim::Stopped {
        let hint = "this cluster's node needs it to start again: stop that program, then run `quickstart up`";
        return CheckResult::error(id, title, who, hint).named("PORT_BUSY");
    }
    match facts.next.filter(|_| facts.claim == Claim::Wanted) {
        Some(next) => {
            CheckResult::warning(id, title, who, format!("`quickstart up` will take {next}; stop that program to get {}", facts.number))
        }
        None => CheckResult::error(id, title, who, "stop that program, or take another port with --port").named("PORT_BUSY"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn taken() -> Port {
        Port { number: 8080, taken: true, by: Some("python3 (process 7)".into()), next: Some(8081), ..Port::default() }
    }

    #[test]
    fn a_free_port_is_fine_and_a_taken_one_names_its_owner_and_the_next() {
        assert_eq!(port(&Port { taken: false, ..taken() }).result, Outcome::Ok);
        let check = port(&taken());
        assert_eq!(check.result, Outcome::Warning);
        assert!(check.saw.contains("python3 (process 7)") && check.hint.as_deref().unwrap().contains("8081"), "{check:?}");
    }

    #[test]
    fn a_port_that_was_asked_for_by_number_must_be_free() {
        let check = port(&Port { claim: Claim::Named, ..taken() });
        assert_eq!((check.result, check.error_id.as_deref()), (Outcome::Error, Some("PORT_BUSY")));
        assert_eq!(port(&Port { next: None, ..taken() }).result, Outcome::Error);
    }

    /// Whoever tries to bind the port of our own cluster finds it in use.
    #[test]
    fn our_own_listener_is_never_taken() {
        assert_eq!(port(&Port { claim: Claim::Running, ..taken() }).result, Outcome::Ok);
        assert_eq!(port(&Port { claim: Claim::Stopped, ..taken() }).result, Outcome::Error);
    }
}
