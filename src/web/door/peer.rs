//! Which user the client is.

#[cfg(any(target_os = "linux", test))]
use std::net::IpAddr;
use std::net::SocketAddr;

use rustix::process::geteuid;

#[cfg(target_os = "linux")]
use super::sock_diag;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The user that runs this process, or root.
    Ours,
    /// Another user, or one that the kernel does not name.
    Other,
}

impl Peer {
    fn of_uid(uid: u32) -> Peer {
        if uid == geteuid().as_raw() || uid == 0 {
            Peer::Ours
        } else {
            Peer::Other
        }
    }

    pub fn of_unix(stream: &tokio::net::UnixStream) -> Peer {
        stream
            .peer_cred()
            .map_or(Peer::Other, |peer| Peer::of_uid(peer.uid()))
    }

    /// The kernel names the user of the other end of a loopback connection. It
    /// is asked once, at the first byte, while that end is still established: a
    /// closed socket belongs to root.
    ///
    /// Where it cannot look up one socket (no `AF_NETLINK` in a sandbox), its
    /// table is read instead; that costs more with each connection. Our own
    /// process's, since `ProcSubset=pid` hides the shorter path. Without a row
    /// (`PrivateNetwork=`, another network namespace, a proxy of the kernel's)
    /// the client is refused, which is safe; the unix socket still works.
    #[cfg(target_os = "linux")]
    pub fn of_tcp(peer: SocketAddr, local: SocketAddr) -> Peer {
        let uid = match sock_diag::uid_of(peer, local) {
            Ok(Some(uid)) => Some(uid),
            Ok(None) | Err(_) => uid_in_tables(peer, local),
        };
        uid.map_or(Peer::Other, Peer::of_uid)
    }

    /// There is no such table here. Loopback is trusted as far as the guard's
    /// other checks go; the unix socket distinguishes users.
    #[cfg(not(target_os = "linux"))]
    pub fn of_tcp(peer: SocketAddr, _local: SocketAddr) -> Peer {
        if peer.ip().is_loopback() {
            Peer::Ours
        } else {
            Peer::Other
        }
    }
}

#[cfg(target_os = "linux")]
fn uid_in_tables(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    // A table that cannot be read has no row of the client.
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    uid_in(&read("/proc/self/net/tcp"), peer, local)
        .or_else(|| uid_in(&read("/proc/self/net/tcp6"), peer, local))
}

/// Finds the peer's own, established row: its local address is our peer, its
/// remote one is ours. Searched for as text, since the table may be long.
#[cfg(any(target_os = "linux", test))]
fn uid_in(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    const ESTABLISHED: &str = "01";
    let row = [row_address_v4, row_address_v6]
        .into_iter()
        .find_map(|write| {
            let row = format!(" {} {} {ESTABLISHED} ", write(peer)?, write(local)?);
            table.lines().find(|line| line.contains(&row))
        })?;
    row.split_whitespace().nth(7)?.parse().ok()
}

/// `0100007F:13BF`: 32-bit words in the machine's order, the port in plain hex.
#[cfg(any(target_os = "linux", test))]
fn row_address_v4(address: SocketAddr) -> Option<String> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(row_address(&ip.octets(), address.port())),
        IpAddr::V6(_) => None,
    }
}

/// IPv4 over an IPv6 socket is in the IPv6 table, in its mapped form.
#[cfg(any(target_os = "linux", test))]
fn row_address_v6(address: SocketAddr) -> Option<String> {
    let ip = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    Some(row_address(&ip.octets(), address.port()))
}

#[cfg(any(target_os = "linux", test))]
fn row_address(ip: &[u8], port: u16) -> String {
    let words = ip.chunks_exact(4).map(|word| {
        let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
        format!("{word:08X}")
    });
    format!("{}:{port:04X}", words.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        0: 0100007F:13BF 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n\
        1: 0100007F:C001 0100007F:13BF 06 00000000:00000000 00:00000000 00000000     0        0 0\n\
        2: 0100007F:C001 0100007F:13BF 01 00000000:00000000 00:00000000 00000000  1000        0 2\n\
        3: 0100007F:13BF 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 3\n\
        4: 0000000000000000FFFF00000100007F:C002 0000000000000000FFFF00000100007F:13BF 01 0:0 00:0 0 1001 0 4\n\
        5: 00000000000000000000000001000000:C003 00000000000000000000000001000000:13BF 01 0:0 00:0 0 1002 0 5\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_peers_own_established_row_counts() {
        let uid =
            |peer: &str, local: &str| uid_in(TABLE, peer.parse().unwrap(), local.parse().unwrap());
        assert_eq!(uid("127.0.0.1:49153", "127.0.0.1:5055"), Some(1000));
        assert_eq!(uid("127.0.0.1:49154", "127.0.0.1:5055"), Some(1001));
        assert_eq!(uid("[::1]:49155", "[::1]:5055"), Some(1002));
        assert_eq!(uid("127.0.0.1:49155", "127.0.0.1:5055"), None);
        assert_eq!(uid("127.0.0.1:49153", "127.0.0.1:5056"), None);
    }

    #[tokio::test]
    async fn our_own_connections_are_ours() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let _client = tokio::net::TcpStream::connect(local).await.unwrap();
        let (_stream, peer) = listener.accept().await.unwrap();
        assert_eq!(Peer::of_tcp(peer, local), Peer::Ours);
        #[cfg(target_os = "linux")]
        assert_eq!(uid_in_tables(peer, local), Some(geteuid().as_raw()));
    }
}
