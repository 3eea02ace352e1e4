//! Tunnels as rows.

use std::fmt::Write as _;

use super::{Cell, Palette, Table, Tone, bytes, one_line};
use crate::forward::{Alive, TunnelStatus};

/// One row a tunnel, and what went wrong last below.
pub fn tunnels(all: &[TunnelStatus], palette: Palette) -> String {
    let mut table = Table::new(&["tunnel", "to", "state", "connections", "open", "failed", "sent", "received", "reconnects"]);
    for tunnel in all {
        let state = match (tunnel.state, tunnel.record.health.as_ref().map(|health| health.ok)) {
            (Alive::Crashed, _) => Cell::toned("✗ gone", Tone::Bad),
            (Alive::Suspended, _) => Cell::toned("stopped", Tone::Faint),
            (Alive::Running, Some(false)) => Cell::toned("✗ does not get through", Tone::Bad),
            (Alive::Running, _) => Cell::toned("✓ runs", Tone::Good),
        };
        let counted = &tunnel.record.counters;
        table.row([
            tunnel.url.as_str().into(),
            tunnel.service.as_str().into(),
            state,
            Cell::new(&counted.connections.to_string()).right(),
            Cell::new(&counted.active.to_string()).right(),
            Cell::new(&counted.failed.to_string()).right(),
            Cell::new(&bytes(counted.bytes_up)).right(),
            Cell::new(&bytes(counted.bytes_down)).right(),
            Cell::new(&counted.reconnects.to_string()).right(),
        ]);
    }
    let mut out = table.render(palette);
    for tunnel in all {
        if let Some(told) = &tunnel.record.last_error {
            let _ = writeln!(out, "{}: last trouble at {}: {}", tunnel.service, told.at.strftime("%H:%M:%S UTC"), one_line(&told.message));
        }
    }
    out
}
