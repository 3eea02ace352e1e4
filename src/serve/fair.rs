//! A share for each client, however many connections it opens.
//!
//! Connections take turns by themselves: the kernel's queues and the carriers' threads give each of them about the same. So a client with
//! eight would get eight times what its neighbour gets. Nobody knows here how much the air in a room can carry; what can be seen is what
//! the others get. A client may therefore have as much as the quickest of those with fewer transfers had a moment ago, and a little more.
//! Held back, it leaves room, the others become quicker, and so it goes on until all have about the same. A client with the fewest transfers
//! is never held back, nor is anybody while nobody else fetches.
//!
//! A client is an address. People behind one address translation are one client, unless all of the room is behind it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What others had is looked at in steps of this length.
const MOMENT: Duration = Duration::from_millis(100);
/// So much more than the others had may be had: without it all would stay as slow as they began.
const MORE: (u64, u64) = (17, 16);
/// And so many bytes in any case.
const LEAST: u64 = 256 * 1024;

/// Who fetches how much.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<Ledger>);

#[derive(Debug, Default)]
struct Ledger {
    /// End of the moment that is counted now.
    until: Option<Instant>,
    clients: HashMap<IpAddr, Client>,
}

#[derive(Debug, Default)]
struct Client {
    transfers: usize,
    /// Bytes in this moment, and in the one before it.
    now: u64,
    before: u64,
}

/// A transfer of a client's, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    shares: Arc<Shares>,
    client: IpAddr,
}

impl Shares {
    /// Counts a transfer.
    pub(super) fn enter(self: &Arc<Self>, client: IpAddr) -> Turn {
        self.with(|ledger| ledger.clients.entry(client).or_default().transfers += 1);
        Turn { shares: Arc::clone(self), client }
    }

    fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.turn(Instant::now());
        change(&mut ledger)
    }
}

impl Ledger {
    /// Begins the next moment where the last one is over.
    fn turn(&mut self, now: Instant) {
        if self.until.is_some_and(|until| now < until) {
            return;
        }
        // After a longer pause nobody had anything.
        let fresh = self.until.is_some_and(|until| now < until + MOMENT);
        self.until = Some(now + MOMENT);
        for client in self.clients.values_mut() {
            client.before = if fresh { client.now } else { 0 };
            client.now = 0;
        }
    }

    /// Until when this client has to wait.
    fn held(&self, address: IpAddr) -> Option<Instant> {
        let own = self.clients.get(&address)?;
        let modest = self.clients.values().filter(|client| client.transfers < own.transfers);
        let quickest = modest.map(|client| client.before.max(client.now)).max()?;
        let (times, per) = MORE;
        (own.now >= (quickest / per * times).max(LEAST)).then_some(self.until?)
    }
}

impl Turn {
    /// Returns when this transfer may go on.
    pub(super) async fn wait(&self) {
        while let Some(until) = self.shares.with(|ledger| ledger.held(self.client)) {
            sleep_until(until).await;
        }
    }

    /// Bytes that went out.
    pub(super) fn took(&self, bytes: u64) {
        self.shares.with(|ledger| ledger.clients.entry(self.client).or_default().now += bytes);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shares.with(|ledger| {
            let left = ledger.clients.get_mut(&self.client).map(|client| {
                client.transfers -= 1;
                client.transfers
            });
            if left == Some(0) {
                ledger.clients.remove(&self.client);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// A link of 64 MB/s that gives every connection that wants it the same, for ten seconds; what each client got of it.
    async fn race(connections: &[(u8, usize)]) -> Vec<u64> {
        const PIECE: u64 = 64 * 1024;
        const TICK: Duration = Duration::from_millis(1);
        let shares = Arc::new(Shares::default());
        let turns: Vec<(usize, Turn)> = connections
            .iter()
            .enumerate()
            .flat_map(|(at, (last, count))| (0..*count).map(|_| (at, shares.enter(address(*last)))).collect::<Vec<_>>())
            .collect();
        let mut got = vec![0; connections.len()];
        let mut next = 0;
        for _ in 0..10_000 {
            // The next connection in turn that is not held back; where all are, the link is idle.
            for step in 0..turns.len() {
                let (at, turn) = &turns[(next + step) % turns.len()];
                if shares.with(|ledger| ledger.held(turn.client)).is_none() {
                    turn.took(PIECE);
                    got[*at] += PIECE;
                    next = (next + step + 1) % turns.len();
                    break;
                }
            }
            tokio::time::advance(TICK).await;
        }
        got
    }

    /// A participant who opened eight connections got eight shares of the room's air.
    #[tokio::test(start_paused = true)]
    async fn eight_connections_are_one_share() {
        let got = race(&[(1, 8), (2, 1)]).await;
        assert!(got[0] < got[1] * 13 / 10 && got[1] < got[0] * 13 / 10, "{got:?}");
        let got = race(&[(1, 8), (2, 1), (3, 1), (4, 2)]).await;
        let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
        assert!(most * 10 < least * 13, "{got:?}");
        assert!(got.iter().sum::<u64>() > 9_000 * 64 * 1024, "the link is not left idle: {got:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_nobody() {
        assert_eq!(race(&[(1, 8)]).await, [10_000 * 64 * 1024]);
        let got = race(&[(1, 1), (2, 1)]).await;
        assert_eq!(got[0], got[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_forgotten() {
        let shares = Arc::new(Shares::default());
        let (one, other) = (shares.enter(address(1)), shares.enter(address(1)));
        let third = shares.enter(address(2));
        one.took(LEAST * 100);
        assert!(shares.with(|ledger| ledger.held(address(1))).is_some());
        one.wait().await;
        drop(third);
        one.took(LEAST * 100);
        assert!(shares.with(|ledger| ledger.held(address(1))).is_none());
        drop((one, other));
        assert!(shares.with(|ledger| ledger.clients.is_empty()));
    }
}
