//! Ports of 127.0.0.1: free or taken, and by whom where that can be known.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use fs_err as fs;

/// Is somebody listening there, or may we not listen?
pub fn taken(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err()
}

/// The first free port from `wanted` upwards, within a hundred.
pub fn free_port(wanted: u16) -> Option<u16> {
    (wanted..wanted.saturating_add(100)).find(|port| !taken(*port))
}

/// `name (process N)` of whoever listens, where /proc tells (Linux, and only one's own processes or root).
pub fn owner(port: u16) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| listening_inode(&fs::read_to_string(table).ok()?, port))?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy() == wanted));
        if holds {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()));
        }
    }
    None
}

/// The inode of the listening socket in a table of `/proc/net/tcp`'s form (proc(5): state 0A is LISTEN).
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1)?.rsplit_once(':')?.1;
        (fields.get(3) == Some(&"0A") && u16::from_str_radix(local, 16) == Ok(port)).then(|| fields.get(9)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_and_the_next_free_port_is_another() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(taken(port));
        assert_ne!(free_port(port), Some(port));
        // Another test's child may hold a copy of the socket between fork and exec, so any process will do.
        assert!(owner(port).is_some_and(|owner| owner.contains("process")));
    }
}
