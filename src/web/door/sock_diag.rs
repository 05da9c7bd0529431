//! The kernel's answer about one TCP socket, by its two addresses.
//!
//! `sock_diag(7)` looks the socket up in its hash table, so a question costs the
//! same among ten connections and among ten thousand; `/proc/net/tcp` lists them
//! all, each time.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const IPPROTO_TCP: u8 = 6;
const TCP_ESTABLISHED: u8 = 1;

/// `nlmsghdr`, then `inet_diag_req_v2`.
const REQUEST_BYTES: usize = 16 + 56;
/// In `nlmsghdr` and the `inet_diag_msg` behind it.
const STATE_AT: usize = 16 + 1;
const UID_AT: usize = 16 + 4 + 48 + 12;

/// The user of the established socket at `local` that is connected to `remote`,
/// as its own process sees the two. `None`: there is no such socket here, or the
/// kernel cannot look it up.
pub fn uid_of(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u32>> {
    let question = request(local, remote);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        flags,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&kernel, &question, SendFlags::empty())?;
    // A question about one socket is answered before `send` returns.
    let mut answer = [0; 512];
    let (length, _) = recv(&kernel, &mut answer, RecvFlags::DONTWAIT)?;
    Ok(uid_in(&answer[..length]))
}

fn request(local: SocketAddr, remote: SocketAddr) -> [u8; REQUEST_BYTES] {
    let (family, from) = words(local.ip().to_canonical());
    let (_, to) = words(remote.ip().to_canonical());
    let mut bytes = Vec::with_capacity(REQUEST_BYTES);
    bytes.extend((REQUEST_BYTES as u32).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    let family = u8::try_from(family.as_raw()).expect("the internet's families are small");
    bytes.extend([family, IPPROTO_TCP, 0, 0]);
    bytes.extend((1u32 << TCP_ESTABLISHED).to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    bytes.extend(from);
    bytes.extend(to);
    // Any interface, any cookie.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes.try_into().expect("its parts have these lengths")
}

fn words(ip: IpAddr) -> (AddressFamily, [u8; 16]) {
    match ip {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&ip.octets());
            (AddressFamily::INET, bytes)
        }
        IpAddr::V6(ip) => (AddressFamily::INET6, ip.octets()),
    }
}

/// Without an established socket at these addresses the kernel may answer with
/// the listener of the port, or with one that is closing: neither is the client.
fn uid_in(answer: &[u8]) -> Option<u32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let state = *answer.get(STATE_AT)?;
    let uid = answer.get(UID_AT..UID_AT + 4)?.try_into().ok()?;
    (kind == SOCK_DIAG_BY_FAMILY && state == TCP_ESTABLISHED).then(|| u32::from_ne_bytes(uid))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_established_socket_has_its_user_and_nothing_else_has_one() {
        let us = rustix::process::geteuid().as_raw();
        for address in ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let server = listener.local_addr().unwrap();
            let stream = TcpStream::connect(server).unwrap();
            let client = stream.local_addr().unwrap();
            let _accepted = listener.accept().unwrap();
            assert_eq!(uid_of(client, server).unwrap(), Some(us), "{address}");
            // Here the lookup finds the listener.
            let mut other = client;
            other.set_port(client.port() ^ 1);
            assert_eq!(uid_of(server, other).unwrap(), None, "{address}");
            assert_eq!(uid_of(other, server).unwrap(), None, "{address}");
            drop(stream);
            assert_eq!(uid_of(client, server).unwrap(), None, "{address}: closed");
        }
    }

    #[test]
    fn a_client_may_speak_ipv4_over_an_ipv6_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", server.port())
            .parse()
            .unwrap();
        let _stream = TcpStream::connect(mapped).unwrap();
        let (_accepted, client) = listener.accept().unwrap();
        let us = rustix::process::geteuid().as_raw();
        assert_eq!(uid_of(client, server).unwrap(), Some(us));
    }

    #[test]
    fn an_error_and_a_short_answer_name_no_user() {
        let mut answer = [0; 88];
        answer[4..6].copy_from_slice(&2u16.to_ne_bytes());
        answer[STATE_AT] = TCP_ESTABLISHED;
        assert_eq!(uid_in(&answer), None);
        answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        assert_eq!(uid_in(&answer), Some(0));
        assert_eq!(uid_in(&answer[..80]), None);
        assert_eq!(uid_in(&[]), None);
    }
}
